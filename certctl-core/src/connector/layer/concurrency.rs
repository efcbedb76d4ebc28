//! The layer that lets so many calls through at once, first come first served.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// The slots of one connector.
#[derive(Clone)]
pub(super) struct Slots(Arc<Mutex<State>>);

struct State {
    free: u32,
    next_ticket: u64,
    /// Who waits, in the order of coming.
    queue: VecDeque<(u64, Waker)>,
}

/// A slot that is taken; free again on drop, also when the call is cancelled.
#[must_use = "the slot is free again when this is dropped"]
pub(super) struct Slot(Slots);

impl Slots {
    /// So many slots, one at least: a connector without any would wait for ever.
    pub(super) fn new(count: u32) -> Self {
        Self(Arc::new(Mutex::new(State { free: count.max(1), next_ticket: 0, queue: VecDeque::new() })))
    }

    /// Takes a slot; waits behind those who came before.
    pub(super) async fn take(&self) -> Slot {
        let ticket = {
            let mut state = self.state();
            state.next_ticket += 1;
            state.next_ticket
        };
        let _place = Place { slots: self, ticket };
        poll_fn(|cx| {
            let mut state = self.state();
            let ahead = state.queue.iter().position(|(waiting, _)| *waiting == ticket).unwrap_or(state.queue.len());
            // As many as are free may go, whoever of them is polled first.
            if u32::try_from(ahead).is_ok_and(|ahead| ahead < state.free) {
                state.queue.retain(|(waiting, _)| *waiting != ticket);
                state.free -= 1;
                return Poll::Ready(());
            }
            match state.queue.get_mut(ahead) {
                Some((_, waker)) => waker.clone_from(cx.waker()),
                None => state.queue.push_back((ticket, cx.waker().clone())),
            }
            Poll::Pending
        })
        .await;
        Slot(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes as many as there are free slots.
    fn wake(&self) {
        let state = self.state();
        let free = usize::try_from(state.free).unwrap_or(usize::MAX);
        let wakers: Vec<Waker> = state.queue.iter().take(free).map(|(_, waker)| waker.clone()).collect();
        // A waker may run foreign code, which may come back here.
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.state().free += 1;
        self.0.wake();
    }
}

/// A place in the queue, given up when the call is cancelled while it waits.
struct Place<'a> {
    slots: &'a Slots,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.slots.state().queue.retain(|(waiting, _)| *waiting != self.ticket);
        // Who was woken and went away passes the word on.
        self.slots.wake();
    }
}

impl std::fmt::Debug for Slots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slots").field("free", &self.state().free).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Context;

    use super::*;

    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    #[test]
    fn as_many_as_there_are_slots_go_at_once_and_the_next_in_its_turn() {
        let slots = Slots::new(2);
        let (mut one, mut two, mut three, mut four) =
            (pin!(slots.take()), pin!(slots.take()), pin!(slots.take()), pin!(slots.take()));
        let first = poll(one.as_mut()).unwrap();
        let _second = poll(two.as_mut()).unwrap();
        assert!(poll(three.as_mut()).is_none() && poll(four.as_mut()).is_none());
        drop(first);
        assert!(poll(four.as_mut()).is_none(), "it came later");
        let _third = poll(three.as_mut()).unwrap();
        assert!(poll(four.as_mut()).is_none());
    }

    #[test]
    fn who_goes_away_gives_up_its_place_and_its_slot() {
        let slots = Slots::new(0);
        let held = poll(pin!(slots.take())).unwrap();
        let mut waits = pin!(slots.take());
        {
            let mut impatient = pin!(slots.take());
            assert!(poll(impatient.as_mut()).is_none());
            assert!(poll(waits.as_mut()).is_none(), "it came second");
            drop(held);
        }
        let slot = poll(waits.as_mut()).unwrap();
        assert_eq!(slots.state().free, 0);
        assert!(slots.state().queue.is_empty());
        drop(slot);
        assert_eq!(slots.state().free, 1);
    }

    #[test]
    fn who_waits_is_woken() {
        let slots = Slots::new(1);
        let held = poll(pin!(slots.take())).unwrap();
        let waiting = slots.clone();
        let done = Arc::new(Mutex::new(0));
        let spawner = crate::testing::InlineSpawner::new();
        for _ in 0..3 {
            let (slots, done) = (waiting.clone(), Arc::clone(&done));
            crate::ports::Spawner::spawn(
                &spawner,
                Box::pin(async move {
                    let _slot = slots.take().await;
                    *done.lock().unwrap() += 1;
                }),
            );
        }
        assert_eq!(*done.lock().unwrap(), 0);
        drop(held);
        assert_eq!(*done.lock().unwrap(), 3);
    }
}
