//! Changing a target of network searches.

use async_trait::async_trait;

use super::{check, schedule};
use crate::domain::{AuditAction, NetworkScanTarget, NetworkScanTargetId};
use crate::error::Error;
use crate::ops::merge::Merge;
use crate::ops::{Access, Context, Operation};

/// Changes what is given of a target. A search of it that is under way ends, and one with the new values is due.
#[derive(Clone, Debug)]
pub struct Update {
    /// Which.
    pub id: NetworkScanTargetId,
    /// A new name.
    pub name: Option<String>,
    /// Other networks.
    pub cidrs: Option<Vec<String>>,
    /// Other ports.
    pub ports: Option<Vec<u16>>,
    /// Whether it is searched by itself.
    pub enabled: Option<bool>,
    /// Another time between searches, in hours.
    pub scan_interval_hours: Option<i64>,
    /// Another time for a connection and again for its handshake, in milliseconds.
    pub timeout_ms: Option<i64>,
}

#[async_trait]
impl Operation for Update {
    type Output = NetworkScanTarget;
    const NAME: &'static str = "network_scan.update";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<NetworkScanTarget, Error> {
        let found = cx.unit.get::<NetworkScanTarget>(self.id.as_str()).await?;
        let mut target = found.ok_or_else(|| Error::not_found("network scan target", &self.id))?;
        let mut merge = Merge::default();
        merge.set("name", &mut target.name, self.name.as_ref());
        merge.set("cidrs", &mut target.cidrs.0, self.cidrs.as_ref());
        merge.set("ports", &mut target.ports.0, self.ports.as_ref());
        merge.set("enabled", &mut target.enabled, self.enabled.as_ref());
        merge.set("scan_interval_hours", &mut target.scan_interval_hours, self.scan_interval_hours.as_ref());
        merge.set("timeout_ms", &mut target.timeout_ms, self.timeout_ms.as_ref());
        if target.ports.is_empty() {
            target.ports.push(NetworkScanTarget::PORT);
        }
        check::check(&target)?;
        let mut schedule = schedule::of(&mut cx.unit, &self.id).await?;
        schedule.plan(schedule::due(&target, cx.now()));
        cx.unit.update(schedule);
        target.updated_at = cx.now();
        let answer = NetworkScanTarget::clone(&target);
        cx.unit.update(target);
        cx.audit(AuditAction::NetworkScanTargetUpdated, ("network_scan_target", self.id.as_str()), merge.details());
        Ok(answer)
    }
}
