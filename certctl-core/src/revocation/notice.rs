//! What issuers are to be told: one row for each version, which says the newest decision.

use super::facts::{Facts, Standing};
use crate::domain::{RevocationNotice, RevocationNoticeState, RevocationReason, Timestamp, VersionSerial};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::storage::{Leased, UnitOfWork};

impl Leased for RevocationNotice {
    const OPEN: &'static [&'static str] = RevocationNotice::CLAIMABLE;
    const RUNNING: &'static str = RevocationNoticeState::Telling.name();
}

/// Has the issuers of versions told that these are revoked, where they have to be. Gives how many are told.
///
/// # Errors
/// Where a notice cannot go on from its state.
pub(super) fn of_revocation(
    (engine, unit): (&Engine, &mut UnitOfWork),
    (facts, standing): (&Facts, &mut Standing),
    (reason, decided_at): (RevocationReason, Timestamp),
) -> Result<usize, Error> {
    let mut told = 0;
    for version in standing.versions.iter().filter(|version| facts.is_told(&version.issuer_id)) {
        told += 1;
        match standing.notices.iter().position(|notice| notice.id == version.id) {
            Some(place) => again(engine, unit, standing.notices.swap_remove(place), (Some(reason), decided_at))?,
            None => unit.insert(new(version, reason, (decided_at, unit.now()))),
        }
    }
    Ok(told)
}

/// Has the issuers told that the hold is over. Those that never heard of it hear nothing of its end either.
///
/// # Errors
/// Where a notice cannot go on from its state.
pub(super) fn of_release(
    (engine, unit): (&Engine, &mut UnitOfWork),
    notices: Vec<Record<RevocationNotice>>,
) -> Result<usize, Error> {
    let mut told = 0;
    for notice in notices {
        // Who has claimed it may have told, whatever became of the claim.
        if notice.attempt == 0 || notice.state == RevocationNoticeState::Refused {
            unit.delete(&notice);
        } else {
            told += 1;
            let now = unit.now();
            again(engine, unit, notice, (None, now))?;
        }
    }
    Ok(told)
}

fn new(
    version: &VersionSerial,
    reason: RevocationReason,
    (decided_at, due_at): (Timestamp, Timestamp),
) -> RevocationNotice {
    RevocationNotice {
        id: version.id.clone(),
        certificate_id: version.certificate_id.clone(),
        issuer_id: version.issuer_id.clone(),
        reason: Some(reason),
        decided_at,
        state: RevocationNoticeState::Pending,
        partition: RevocationNotice::partition(&version.issuer_id),
        due_at,
        attempt: 0,
        holder: None,
        failures: 0,
        told_at: None,
        last_error: None,
    }
}

/// Another decision takes the place of the one before, told or not.
fn again(
    engine: &Engine,
    unit: &mut UnitOfWork,
    mut notice: Record<RevocationNotice>,
    (reason, decided_at): (Option<RevocationReason>, Timestamp),
) -> Result<(), Error> {
    // Who is telling the earlier one stops when its lease cannot be prolonged. Nobody may tell the later one before that: the
    // issuer would believe whichever comes last.
    let busy = notice.state == RevocationNoticeState::Telling;
    let pause = if busy { engine.cadence().lease } else { std::time::Duration::ZERO };
    notice.state = notice.state.transition(RevocationNoticeState::Pending).map_err(Error::internal)?;
    (notice.reason, notice.decided_at) = (reason, decided_at);
    (notice.holder, notice.due_at) = (None, unit.now() + pause);
    (notice.failures, notice.told_at, notice.last_error) = (0, None, None);
    unit.update(notice);
    Ok(())
}
