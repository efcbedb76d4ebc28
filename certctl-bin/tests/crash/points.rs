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

/// What a child says at the first pass of a point, before its name.
pub(crate) const POINT: &str = "POINT ";

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
