//! Beginning a search of a target's networks now.

use async_trait::async_trait;
use serde_json::json;

use super::schedule;
use crate::domain::{AuditAction, NetworkScanTargetId, ScheduleState};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::{Fence, Leased};

/// Takes the lease of a target's search, so that nobody else begins it. A disabled target is searched, too.
#[derive(Clone, Debug)]
pub struct Begin {
    /// Which target.
    pub id: NetworkScanTargetId,
}

#[async_trait]
impl Operation for Begin {
    type Output = Fence;
    const NAME: &'static str = "network_scan.scan";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Fence, Error> {
        let mut schedule = schedule::of(&mut cx.unit, &self.id).await?;
        let now = cx.now();
        if schedule.state == ScheduleState::Searching && schedule.due_at > now {
            let message = format!("target `{}` is being searched now; wait for that search to end", self.id);
            return Err(Error::conflict("scan_running", message));
        }
        schedule.state = schedule.state.transition(ScheduleState::Searching).map_err(Error::internal)?;
        schedule.holder = Some(cx.engine.0.holder.clone());
        schedule.attempt += 1;
        schedule.due_at = now + cx.engine.cadence().lease;
        let fence = Fence {
            queue: crate::domain::DiscoverySchedule::QUEUE,
            id: schedule.id.to_string(),
            holder: cx.engine.0.holder.clone(),
            attempt: schedule.attempt,
        };
        cx.unit.update(schedule);
        cx.audit(AuditAction::NetworkScanTriggered, ("network_scan_target", self.id.as_str()), json!({}));
        Ok(fence)
    }
}
