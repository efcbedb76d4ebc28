//! What happens, for whoever embeds the engine: told after the commit, never before.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use crate::domain::AuditEvent;
use crate::engine::lock;
use crate::signal::Signal;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// This was recorded in the audit trail: what was done, to what, by whom. The action is a closed list, so that a
    /// receiver matches on it rather than on text.
    Recorded(Arc<AuditEvent>),
    /// The receiver was too slow: so many events were dropped.
    Missed {
        /// How many.
        count: u64,
    },
}

const CAPACITY: usize = 1024;

#[derive(Debug, Default)]
struct Channel {
    next_receiver: u64,
    receivers: BTreeMap<u64, Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    missed: u64,
}

/// The sending side, inside the engine.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventSink {
    channel: Arc<Mutex<Channel>>,
    signal: Signal,
}

impl EventSink {
    pub(crate) fn subscribe(&self) -> Events {
        let mut channel = lock(&self.channel);
        channel.next_receiver += 1;
        let receiver = channel.next_receiver;
        channel.receivers.insert(receiver, Queue::default());
        Events { sink: self.clone(), receiver }
    }

    pub(crate) fn tell(&self, events: Vec<AuditEvent>) {
        let mut channel = lock(&self.channel);
        if channel.receivers.is_empty() || events.is_empty() {
            return;
        }
        for event in events.into_iter().map(Arc::new) {
            for queue in channel.receivers.values_mut() {
                if queue.events.len() >= CAPACITY {
                    queue.missed += 1;
                } else {
                    queue.events.push_back(Event::Recorded(Arc::clone(&event)));
                }
            }
        }
        drop(channel);
        self.signal.notify();
    }
}

/// A subscription to events. Dropping it ends it.
#[derive(Debug)]
pub struct Events {
    sink: EventSink,
    receiver: u64,
}

impl Events {
    /// The next event; waits for one.
    pub async fn next(&mut self) -> Event {
        loop {
            let woken = self.sink.signal.listen();
            if let Some(event) = self.try_next() {
                return event;
            }
            woken.await;
        }
    }

    /// The next event, if there is one.
    pub fn try_next(&mut self) -> Option<Event> {
        let mut channel = lock(&self.sink.channel);
        let queue = channel.receivers.get_mut(&self.receiver)?;
        match queue.events.pop_front() {
            None if queue.missed > 0 => Some(Event::Missed { count: std::mem::take(&mut queue.missed) }),
            event => event,
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        lock(&self.sink.channel).receivers.remove(&self.receiver);
    }
}
