//! A check that is made by itself: where a deployment was verified, what is served is watched from then on.

use serde_json::{Map, Value, json};

use super::create::fresh;
use super::endpoint;
use crate::domain::{AuditAction, Fingerprint, HealthCheck, HealthCheckId, Job, TargetRecord};
use crate::error::Error;
use crate::ops::Context;
use crate::storage::Query;

/// The members of a target's configuration that may name its host.
const HOSTS: [&str; 4] = ["host", "hostname", "target", "address"];

/// Makes a check of what a verified deployment put in service, or tells the one that there is what is served now.
pub(crate) async fn watch(cx: &mut Context<'_>, job: &Job, served: Fingerprint) -> Result<(), Error> {
    let Some(health) = &cx.engine.cadence().health else { return Ok(()) };
    let Some(target_id) = &job.target_id else { return Ok(()) };
    let (interval, timeout, automatic) = (health.check_interval_seconds, health.timeout_ms, health.automatic);
    let slot = HealthCheck::automatic_slot(&job.certificate_id, target_id);
    let of = Query::<HealthCheck>::all().filter(HealthCheck::FIELDS.automatic.equals(Some(slot.clone())));
    if let Some(mut check) = cx.unit.first(of).await? {
        check.expected_fingerprint = Some(served);
        check.due_at = if check.enabled { cx.now() } else { check.due_at };
        cx.unit.update(check);
        return Ok(());
    }
    if !automatic {
        return Ok(());
    }
    let Some(target) = cx.unit.peek::<TargetRecord>(target_id.as_str()).await? else { return Ok(()) };
    let config = cx.engine.target_config(&target).map_err(Error::internal)?;
    let Some((host, server_name)) = config.as_object().and_then(place) else { return Ok(()) };
    let Ok(probed) = endpoint(&host) else { return Ok(()) };
    if is_only_there(&probed.host) {
        // Seen from here it is another host.
        return Ok(());
    }
    let id = HealthCheckId::generate(&*cx.ports().clock, &*cx.ports().rng);
    let check = HealthCheck {
        certificate_id: Some(job.certificate_id.clone()),
        target_id: Some(target_id.clone()),
        automatic: Some(slot),
        server_name,
        expected_fingerprint: Some(served),
        check_interval_seconds: interval,
        timeout_ms: timeout,
        ..fresh(id, probed.to_string(), cx.now())
    };
    let details = json!({
        "endpoint": check.endpoint, "certificate_id": check.certificate_id, "target_id": check.target_id,
        "job_id": job.id,
    });
    let id = check.id.clone();
    cx.unit.insert(check);
    cx.audit(AuditAction::HealthCheckCreated, ("health_check", id.as_str()), details);
    Ok(())
}

/// Where the target's own handshake goes: its endpoint, and the server name to ask for.
fn place(config: &Map<String, Value>) -> Option<(String, Option<String>)> {
    let host = HOSTS.iter().find_map(|name| config.get(*name)?.as_str()).filter(|host| !host.is_empty())?;
    let port = config.get("port").and_then(Value::as_u64).unwrap_or(443);
    let server_name = config.get("server_name").and_then(Value::as_str).map(str::to_owned);
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    Some((format!("{host}:{port}"), server_name))
}

fn is_only_there(host: &str) -> bool {
    let loopback =
        host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified());
    loopback || host.trim_end_matches('.').eq_ignore_ascii_case("localhost")
}
