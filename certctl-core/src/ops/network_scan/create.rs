//! Creating a target of network searches.

use async_trait::async_trait;
use serde_json::json;

use super::{check, schedule};
use crate::domain::{AuditAction, NetworkScanTarget, NetworkScanTargetId};
use crate::entity::Json;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Names networks that are searched for certificates from now on.
#[derive(Clone, Debug)]
pub struct Create {
    /// Kept when given.
    pub id: Option<NetworkScanTargetId>,
    /// 1 to 255 characters.
    pub name: String,
    /// 1 to 64 networks in CIDR notation of at most 4,096 addresses each, or addresses. None of them loopback, link-local,
    /// multicast or a metadata service.
    pub cidrs: Vec<String>,
    /// 1 to 64 TCP ports; 443 when there are none.
    pub ports: Vec<u16>,
    /// Whether it is searched by itself.
    pub enabled: bool,
    /// Hours between searches, 1 to 8,760; 6 when absent.
    pub scan_interval_hours: Option<i64>,
    /// Milliseconds for a connection and again for its handshake, 50 to 60,000; 5,000 when absent.
    pub timeout_ms: Option<i64>,
}

#[async_trait]
impl Operation for Create {
    type Output = NetworkScanTarget;
    const NAME: &'static str = "network_scan.create";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<NetworkScanTarget, Error> {
        let now = cx.now();
        let ports = if self.ports.is_empty() { vec![NetworkScanTarget::PORT] } else { self.ports.clone() };
        let target = NetworkScanTarget {
            id: self.id.clone().unwrap_or_else(|| NetworkScanTargetId::generate(&*cx.ports().clock, &*cx.ports().rng)),
            name: self.name.clone(),
            cidrs: Json(self.cidrs.clone()),
            ports: Json(ports),
            enabled: self.enabled,
            scan_interval_hours: self.scan_interval_hours.unwrap_or(NetworkScanTarget::INTERVAL_HOURS),
            timeout_ms: self.timeout_ms.unwrap_or(NetworkScanTarget::TIMEOUT_MS),
            last_scan_at: None,
            last_scan_duration_ms: None,
            last_scan_certs_found: None,
            created_at: now,
            updated_at: now,
        };
        check::check(&target)?;
        cx.unit.insert(target.clone());
        let schedule = schedule::new(cx, &target);
        cx.unit.insert(schedule);
        let details = json!({ "name": target.name, "cidrs": target.cidrs.0, "ports": target.ports.0 });
        cx.audit(AuditAction::NetworkScanTargetCreated, ("network_scan_target", target.id.as_str()), details);
        Ok(target)
    }
}
