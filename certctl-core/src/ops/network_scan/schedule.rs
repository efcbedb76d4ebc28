//! When a target is searched next.

use crate::domain::{
    DiscoverySchedule, DiscoveryScheduleId, NetworkScanTarget, NetworkScanTargetId, ScheduleState, Timestamp,
};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::Context;
use crate::storage::{Query, UnitOfWork};

/// The schedule of a target, pinned.
///
/// # Errors
/// `not_found` when there is no such target; the store's.
pub(super) async fn of(unit: &mut UnitOfWork, id: &NetworkScanTargetId) -> Result<Record<DiscoverySchedule>, Error> {
    let fields = DiscoverySchedule::FIELDS;
    let found = Query::all().filter(fields.network_scan_target_id.equals(Some(id.clone())));
    let found = unit.first::<DiscoverySchedule>(found).await?;
    let found = found.ok_or_else(|| Error::not_found("network scan target", id))?;
    unit.pin(&found);
    Ok(found)
}

/// The schedule of a new target.
pub(super) fn new(cx: &Context<'_>, target: &NetworkScanTarget) -> DiscoverySchedule {
    DiscoverySchedule {
        id: DiscoveryScheduleId::generate(&*cx.ports().clock, &*cx.ports().rng),
        network_scan_target_id: Some(target.id.clone()),
        state: ScheduleState::Idle,
        partition: DiscoverySchedule::NETWORK.into(),
        due_at: due(target, cx.now()),
        attempt: 0,
        holder: None,
    }
}

/// When a target that changed is due: at once, for it is another search; never while it is disabled.
pub(super) fn due(target: &NetworkScanTarget, now: Timestamp) -> Timestamp {
    if target.enabled { now } else { Timestamp::NEVER }
}
