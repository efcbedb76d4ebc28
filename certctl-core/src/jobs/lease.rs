//! Keeping a lease while the work goes on, and stopping the work before somebody else may begin it.

use crate::engine::Engine;
use crate::ports::{Monotonic, within};
use crate::storage::{Fence, LeaseError};

/// Returns when the lease is lost, or a tenth of it before it may be lost for all that this process can tell.
///
/// Fencing protects the store; only this protects the world: two workers must not talk to one CA about one order. The
/// margin is no politeness either: a keeper that looks only every third of the lease wakes too late after two refused
/// prolongations.
pub(crate) async fn keep(engine: &Engine, fence: &Fence, asked_at: Monotonic) {
    let (clock, lease) = (&engine.ports().clock, engine.cadence().lease);
    let mut stop_at = asked_at + lease * 9 / 10;
    loop {
        clock.sleep_until(stop_at.min(clock.monotonic() + lease / 3)).await;
        let asked_at = clock.monotonic();
        if asked_at >= stop_at {
            return;
        }
        let prolonged = within(&**clock, asked_at.until(stop_at), engine.storage().prolong(fence.clone(), lease)).await;
        match prolonged {
            Some(Ok(())) => stop_at = asked_at + lease * 9 / 10,
            Some(Err(LeaseError::Lost)) | None => return,
            // Asked again in a third.
            Some(Err(_)) => {}
        }
    }
}
