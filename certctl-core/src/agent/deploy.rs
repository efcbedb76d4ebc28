//! Putting a certificate in service, and looking at what is served.

use serde_json::Value;

use super::runtime::Problem;
use super::{AgentRuntime, VerificationReport};
use crate::connector::{DeployError, DeployOutcome, Deployment, ProbePoint, Target, TargetContext};
use crate::domain::{Fingerprint, TargetId};
use crate::ops::agent::{ReportedStatus, WorkItem};
use crate::pki;
use crate::ports::{Egress, TlsProbeRequest};

/// Deploys and verifies. The error is for the job.
pub(super) async fn deploy(agent: &AgentRuntime, item: &WorkItem) -> Result<(), Problem> {
    let target_id = item.target_id.clone().ok_or_else(|| Problem::from("the job names no target".to_owned()))?;
    agent.control.report_status(&item.id, ReportedStatus::Running, None).await?;
    let chain = agent.control.pickup(&item.certificate_id).await?;
    let facts = pki::certificate::parse(chain.leaf()).map_err(|error| error.to_string())?;
    let (_, key_pem) = agent.key_store.open(&facts.key_id).await.map_err(|error| error.to_string())?;
    let target = build(agent, &target_id, item)?;
    let deployment = Deployment { chain: &chain, key_pem: &key_pem, now: agent.ports.clock.now() };
    agent.begun.begin(&item.id).await?;
    let outcome = put_in_service(&*target, deployment).await;
    agent.begun.end(&item.id).await;
    let outcome = outcome.map_err(|error| error.to_string())?;
    let (DeployOutcome::Deployed { fingerprint } | DeployOutcome::Unchanged { fingerprint }) = outcome;
    if let Some(point) = target.probe_point() {
        let report = verify(agent, &target_id, &point, fingerprint).await;
        agent.control.report_verification(&item.id, &report).await?;
    }
    Ok(())
}

async fn put_in_service(target: &dyn Target, deployment: Deployment<'_>) -> Result<DeployOutcome, DeployError> {
    // Finishes or rolls back what a crash interrupted; nothing to do otherwise.
    target.recover().await?;
    target.deploy(deployment).await
}

fn build(agent: &AgentRuntime, id: &TargetId, item: &WorkItem) -> Result<std::sync::Arc<dyn Target>, Problem> {
    let kind = item.target_type.as_deref().unwrap_or_default();
    let entry = agent.registry.find_target(kind).map_err(|error| error.to_string())?;
    let cx = TargetContext {
        id: id.clone(),
        ports: agent.ports.clone(),
        state_dir: agent.config.key_dir.clone(),
        allowed_commands: agent.config.allowed_commands.clone(),
        allowed_paths: agent.config.allowed_paths.clone(),
    };
    let config = item.target_config.clone().unwrap_or(Value::Null);
    Ok(entry.build(&config, &cx).map_err(|error| error.to_string())?)
}

/// Shakes hands until the new certificate is seen, a few times: servers take a moment to change over.
async fn verify(
    agent: &AgentRuntime,
    target_id: &TargetId,
    point: &ProbePoint,
    expected: Fingerprint,
) -> VerificationReport {
    let request = TlsProbeRequest {
        endpoint: point.endpoint.clone(),
        server_name: point.server_name.clone(),
        timeout: agent.config.verify_timeout,
        // The endpoint is this host's own, named by the operator.
        egress: Egress::ControlPlane,
    };
    let mut report = VerificationReport { target_id: target_id.clone(), expected, actual: None, error: None };
    for _ in 0..agent.config.verify_attempts.max(1) {
        let clock = &agent.ports.clock;
        clock.sleep_until(clock.monotonic() + agent.config.verify_delay).await;
        match agent.ports.tls.probe(&request).await {
            Ok(observed) => {
                (report.actual, report.error) = (observed.chain.first().map(|leaf| Fingerprint::of(leaf)), None);
                if report.actual == Some(expected) {
                    return report;
                }
            }
            Err(error) => (report.actual, report.error) = (None, Some(error.to_string())),
        }
    }
    report
}
