//! Searching the host for certificates, and telling of them.

use std::time::Duration;

use super::{AgentRuntime, ControlError, DiscoveryFound};
use crate::discovery::FileSearch;
use crate::domain::Finding;

/// A report that is told before it grows longer, in octets of what travels: half of what the server reads.
const REPORT: usize = 8 << 20;
/// What a finding takes besides its certificate, at most as a rule.
const ENVELOPE: usize = 2_048;
/// The most causes that are told of one search.
const MOST_PROBLEMS: usize = 1_000;

/// Searches once and tells what was found, in as many reports as it takes; gives how many certificates that was. A search
/// that comes to nothing is not told.
pub(super) async fn discover(agent: &AgentRuntime) -> Result<usize, ControlError> {
    let clock = &agent.ports.clock;
    let began = clock.monotonic();
    let directories = &agent.config.discovery_dirs;
    let mut search = FileSearch::new(&*agent.ports.files, directories);
    let mut report = DiscoveryFound {
        directories: directories.iter().map(|path| path.display().to_string()).collect(),
        ..DiscoveryFound::default()
    };
    let (mut length, mut found) = (0, 0);
    while let Some(looked) = search.next().await {
        let room = MOST_PROBLEMS.saturating_sub(report.errors.len());
        report.errors.extend(looked.problems.into_iter().take(room));
        length += looked.findings.iter().map(travels).sum::<usize>();
        found += looked.findings.len();
        report.findings.extend(looked.findings);
        if length > REPORT {
            report.took = began.until(clock.monotonic());
            agent.control.report_discovery(&report).await?;
            report.findings.clear();
            report.errors.clear();
            length = 0;
        }
    }
    if !report.findings.is_empty() || !report.errors.is_empty() {
        report.took = began.until(clock.monotonic());
        agent.control.report_discovery(&report).await?;
    }
    Ok(found)
}

/// How long a finding is when it travels: base64 takes four octets for three.
fn travels(finding: &Finding) -> usize {
    finding.certificate.as_ref().map_or(0, Vec::len) * 4 / 3 + finding.source_path.len() + ENVELOPE
}

/// Searches at the start and every so often, until the agent is retired. Never ends where there is nothing to search.
pub(super) async fn keep_discovering(agent: &AgentRuntime) {
    if agent.config.discovery_dirs.is_empty() {
        std::future::pending::<()>().await;
    }
    let clock = &agent.ports.clock;
    let mut failures = 0;
    loop {
        let pause = match discover(agent).await {
            Ok(found) => {
                failures = 0;
                tracing::info!(found, "searched for certificates");
                agent.config.discovery_interval
            }
            Err(ControlError::Retired(_)) => return,
            Err(error @ ControlError::Unreachable(_)) => {
                failures += 1;
                tracing::warn!(error = %error, failures, "what was found cannot be told");
                agent.distance(failures).min(agent.config.discovery_interval)
            }
            Err(error) => {
                tracing::warn!(error = %error, "what was found was not taken");
                agent.config.discovery_interval
            }
        };
        clock.sleep_until(clock.monotonic() + spread(agent, pause)).await;
    }
}

/// Up to a twentieth longer, so that agents that were started together do not stay together.
fn spread(agent: &AgentRuntime, pause: Duration) -> Duration {
    let twentieth = u64::try_from(pause.as_micros() / 20).unwrap_or(0);
    pause + Duration::from_micros(agent.ports.rng.next_u64() % (twentieth + 1))
}
