//! Fail points: calls that have names, at one of which the process dies.

mod control;
mod host;
mod keys;
mod store;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

pub(crate) use control::PointedControl;
pub(crate) use host::{PointedCommands, PointedFiles};
pub(crate) use keys::PointedKeys;
pub(crate) use store::PointedStorage;

use super::child::Part;

/// What a child says at the first pass of a point, before its name.
pub(crate) const POINT: &str = "POINT ";

/// What the server does on the way of issue, renew and deploy. A set of changes is named by what it is about.
const SERVER: &[&str] = &[
    "commit.authority",
    "commit.issue",
    "commit.job",
    "commit.other",
    "commit.renew",
    "key.generate",
    "key.open",
    "key.sign",
    "read",
];

/// What has a point after it alone: an empty claim is none, and whether it is empty shows afterwards.
const CLAIMS: &[&str] = &["claim.deployment.after", "claim.issue.after"];

/// What the agent does.
const AGENT: &[&str] = &[
    "ask.heartbeat",
    "ask.pickup",
    "ask.report_completed",
    "ask.report_failed",
    "ask.report_running",
    "ask.report_verification",
    "ask.submit_csr",
    "ask.work",
    "command",
    "files.create_dir_all",
    "files.lock",
    "files.remove",
    "files.remove_dir_all",
    "files.symlink",
    "files.sync_dir",
    "files.write",
    "key.generate",
    "key.open",
    "key.sign",
];

/// Every point of a part that has a name, in order.
pub(crate) fn named(part: Part) -> Vec<String> {
    let (deeds, claims) = match part {
        Part::Server => (SERVER, CLAIMS),
        Part::Agent => (AGENT, &[][..]),
    };
    let around = deeds.iter().flat_map(|deed| [format!("{deed}.before"), format!("{deed}.after")]);
    around.chain(claims.iter().map(|&claim| claim.to_owned())).collect()
}

/// A point and how many passes of it are survived but for the last.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Arm {
    pub(crate) point: String,
    /// From 1.
    pub(crate) pass: u64,
}

/// The points of one process. It dies where it is armed, and tells each point when it first passes it.
#[derive(Clone, Default)]
pub(crate) struct Points(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    armed: Option<Arm>,
    seen: BTreeSet<String>,
}

impl Points {
    /// Replaces what was armed.
    pub(crate) fn arm(&self, arm: Option<Arm>) {
        self.0.lock().unwrap().armed = arm;
    }

    /// Passes the point, or dies: no destructor, no flush, as if the power had gone.
    pub(crate) fn pass(&self, name: &str) {
        let mut state = self.0.lock().unwrap();
        if state.seen.insert(name.to_owned()) {
            println!("{POINT}{name}");
        }
        if let Some(arm) = state.armed.as_mut().filter(|arm| arm.point == name) {
            arm.pass -= 1;
            if arm.pass == 0 {
                std::process::abort();
            }
        }
    }

    /// Passes the point before and the one after what is done; the one after only if it went well.
    async fn around<T, E>(&self, name: &str, done: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.pass(&format!("{name}.before"));
        let value = done.await?;
        self.pass(&format!("{name}.after"));
        Ok(value)
    }
}
