//! What this process knows of the sealing of the audit trail: when it last looked, and what it signed.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::lock;
use crate::domain::AuditEvent;
use crate::ports::{Monotonic, Signer};
use crate::signal::Signal;

/// The engine's side of the audit trail.
pub(crate) struct Trail {
    /// The id of the store, made when it was new.
    pub(crate) store: String,
    /// A file outside of the database to which checkpoints are added.
    pub(crate) checkpoint_file: Option<PathBuf>,
    /// Tells followers that this process sealed something.
    sealed: Signal,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    looked: Option<Monotonic>,
    /// Whether this process committed events after the last look.
    unsealed: bool,
    signer: Option<Arc<dyn Signer>>,
    signed: Option<Signed>,
    /// Whether rows were sealed that no checkpoint vouches for.
    unsigned: bool,
}

/// The last checkpoint that this process knows of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed {
    /// Over this row.
    pub(crate) seq: i64,
    /// When.
    pub(crate) at: Monotonic,
}

impl Trail {
    pub(super) fn new(store: String, checkpoint_file: Option<PathBuf>) -> Self {
        Self { store, checkpoint_file, sealed: Signal::default(), state: Mutex::default() }
    }

    /// Fires when this process has sealed something.
    pub(crate) fn sealed(&self) -> &Signal {
        &self.sealed
    }

    /// Events were committed. True when nobody knew that there is something to seal.
    pub(super) fn committed(&self, events: &[AuditEvent]) -> bool {
        let mut state = lock(&self.state);
        !events.is_empty() && !std::mem::replace(&mut state.unsealed, true)
    }

    /// Whether it is time to look, so many after the last look; then this counts as one.
    pub(crate) fn looks(&self, now: Monotonic, every: Duration) -> bool {
        let mut state = lock(&self.state);
        let due = state.looked.is_none_or(|looked| now >= looked + every);
        if due {
            state.looked = Some(now);
            state.unsealed = false;
        }
        due
    }

    /// More is left to seal.
    pub(crate) fn leaves_some(&self) {
        let mut state = lock(&self.state);
        state.looked = None;
        state.unsealed = true;
    }

    /// When to look again, if there is something to seal, or to vouch for.
    pub(crate) fn next_look(&self, now: Monotonic, look: Duration, checkpoint: Duration) -> Option<Duration> {
        let state = lock(&self.state);
        let until = |from: Option<Monotonic>, every| from.map_or(Duration::ZERO, |from| now.until(from + every));
        let allowed = until(state.looked, look);
        let signs = state.unsigned.then(|| until(state.signed.map(|signed| signed.at), checkpoint));
        // Before a look is allowed there is nothing to be woken for.
        let dues = [state.unsealed.then_some(allowed), signs.map(|due| due.max(allowed))];
        dues.into_iter().flatten().min()
    }

    pub(crate) fn signed(&self) -> Option<Signed> {
        lock(&self.state).signed
    }

    /// A checkpoint is known, and whether there are rows behind it.
    pub(crate) fn knows(&self, signed: Option<Signed>, unsigned: bool) {
        let mut state = lock(&self.state);
        state.signed = signed.or(state.signed);
        state.unsigned = unsigned;
    }

    pub(crate) fn signer(&self) -> Option<Arc<dyn Signer>> {
        lock(&self.state).signer.clone()
    }

    pub(crate) fn keep_signer(&self, signer: &Arc<dyn Signer>) {
        lock(&self.state).signer = Some(Arc::clone(signer));
    }
}
