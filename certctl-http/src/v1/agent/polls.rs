//! Requests that are held until there is work: one per agent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use certctl_core::domain::AgentId;
use tokio::sync::oneshot;

/// The held requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Polls(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    next: u64,
    by_agent: BTreeMap<AgentId, (u64, oneshot::Sender<()>)>,
}

/// The place of a held request. Dropping it gives the place up.
#[derive(Debug)]
pub(crate) struct Place {
    polls: Polls,
    agent: AgentId,
    number: u64,
    released: oneshot::Receiver<()>,
}

impl Polls {
    /// Takes the agent's place. Whoever had it is released: an agent that polls again has given up its earlier request,
    /// or restarted, and an answer to that would be lost.
    pub(crate) fn hold(&self, agent: &AgentId) -> Place {
        let (release, released) = oneshot::channel();
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.next += 1;
        let number = held.next;
        // Dropping the sender releases the one before.
        held.by_agent.insert(agent.clone(), (number, release));
        Place { polls: self.clone(), agent: agent.clone(), number, released }
    }
}

impl Place {
    /// Waits until another request takes the place.
    pub(crate) async fn released(&mut self) {
        drop((&mut self.released).await);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.polls.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.by_agent.get(&self.agent).is_some_and(|(number, _)| *number == self.number) {
            held.by_agent.remove(&self.agent);
        }
    }
}
