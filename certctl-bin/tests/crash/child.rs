//! A child: the server or the agent, at work until it is killed.

use std::io::BufRead as _;
use std::path::PathBuf;

use certctl_core::domain::Role;

use super::points::{Arm, Points};
use super::{agent, server};

/// Who calls the server, and how it is known there. An agent's key has the agent's id as its name.
pub(crate) const DESK: (&str, &str, Role) = ("desk", "the-key-of-the-desk", Role::Admin);
pub(crate) const AGENT: (&str, &str, Role) = ("edge-1", "the-key-of-the-agent", Role::Agent);

/// Which of the two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(crate) enum Part {
    Server,
    Agent,
}

/// What a child is to do.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Order {
    pub(crate) part: Part,
    pub(crate) database_url: String,
    /// Where the server listens, on loopback.
    pub(crate) port: u16,
    /// The agent's own directory.
    pub(crate) agent_dir: PathBuf,
    /// The commands that the agent's host allows.
    pub(crate) commands: Vec<Vec<String>>,
    /// Where it lets certificates be put.
    pub(crate) paths: Vec<PathBuf>,
    /// Where to die from the first instruction on.
    pub(crate) arm: Option<Arm>,
}

/// Runs until somebody kills it, or its parent is gone. A panic ends it at once, with a status that its parent knows.
pub(crate) fn run(order: &Order) {
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        std::process::exit(101);
    }));
    let points = Points::default();
    points.arm(order.arm.clone());
    let wishes = points.clone();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            wishes.arm(serde_json::from_str(&line.unwrap()).unwrap());
        }
        std::process::abort();
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        match order.part {
            Part::Server => server::serve(order, points).await,
            Part::Agent => agent::work(order, points).await,
        }
    });
}
