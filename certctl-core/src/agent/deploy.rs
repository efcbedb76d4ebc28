//! Putting a certificate in service, and looking at what is served.

use super::begun::Deployed;
use super::runtime::Problem;
use super::{AgentRuntime, VerificationReport};
use crate::connector::{DeployError, DeployOutcome, Deployment, ProbePoint, Target, TargetContext};
use crate::domain::{Fingerprint, TargetId};
use crate::ops::agent::{ReportedStatus, WorkItem};
use crate::pki;
use crate::ports::{Egress, FileError, TlsProbeRequest};

/// Deploys and verifies. The error is for the job.
pub(super) async fn deploy(agent: &AgentRuntime, item: &WorkItem) -> Result<(), Problem> {
    let target_id = item.target_id.clone().ok_or_else(|| Problem::from("the job names no target".to_owned()))?;
    agent.control.report_status(&item.id, ReportedStatus::Running, None).await?;
    let chain = agent.control.pickup(&item.certificate_id, item.version_id.as_ref()).await?;
    let facts = pki::certificate::parse(chain.leaf()).map_err(|error| error.to_string())?;
    let (_, key_pem) = agent.key_store.open(&facts.key_id).await.map_err(|error| error.to_string())?;
    let described = Deployed::of(item).ok_or_else(|| Problem::from("the job names no kind of target".to_owned()))?;
    let target = build(agent, &described)?;
    let deployment = Deployment { chain: &chain, key_pem: &key_pem, now: agent.ports.clock.now() };
    agent.begun.begin(item).await?;
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

/// Finishes or rolls back what a crash interrupted, before anything else is done: what a deployment left half done need not
/// wait until the server can be reached again. What fails is tried once more before the target's next deployment.
pub(super) async fn recover(agent: &AgentRuntime) -> Result<(), FileError> {
    for described in agent.begun.unfinished().await? {
        let outcome = match build(agent, &described) {
            Ok(target) => target.recover().await.map_err(|error| error.to_string()),
            Err(error) => Err(error),
        };
        let target = &described.id;
        match outcome {
            Ok(()) => tracing::info!(%target, "what an interrupted deployment left is in order"),
            Err(error) => tracing::warn!(%target, %error, "what an interrupted deployment left is not in order"),
        }
    }
    Ok(())
}

fn build(agent: &AgentRuntime, described: &Deployed) -> Result<std::sync::Arc<dyn Target>, String> {
    let entry = agent.registry.find_target(&described.kind).map_err(|error| error.to_string())?;
    let cx = TargetContext {
        id: described.id.clone(),
        ports: agent.ports.clone(),
        state_dir: agent.config.key_dir.clone(),
        allowed_commands: agent.config.allowed_commands.clone(),
        allowed_paths: agent.config.allowed_paths.clone(),
    };
    entry.build(&described.config, &cx).map_err(|error| error.to_string())
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
