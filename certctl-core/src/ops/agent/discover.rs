//! What an agent found on its host.

use std::time::Duration;

use async_trait::async_trait;

use super::acting::acting;
use crate::domain::{AgentId, DiscoveryScan, Finding, Fingerprint};
use crate::error::Error;
use crate::ops::discovery::Recorder;
use crate::ops::{Access, Context, Operation, check};

/// Reports what a search on an agent's host found. Whatever it found earlier and does not find now stays as it was.
#[derive(Clone, Debug)]
pub struct Discover {
    /// Which agent.
    pub agent_id: AgentId,
    /// Where it searched.
    pub directories: Vec<String>,
    /// What it found.
    pub findings: Vec<Finding>,
    /// Why some files could not be read.
    pub errors: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

#[async_trait]
impl Operation for Discover {
    type Output = DiscoveryScan;
    const NAME: &'static str = "agent.discover";
    const ACCESS: Access = Access::AGENT;

    async fn run(&self, cx: &mut Context<'_>) -> Result<DiscoveryScan, Error> {
        acting(cx, &self.agent_id).await?;
        for (index, finding) in self.findings.iter().enumerate() {
            check(index, finding)?;
        }
        // Recorded in commits of its own: this unit writes nothing.
        let (id, started_at) = (self.agent_id.clone(), cx.now() - self.took);
        let mut recorder = Recorder::new(cx.engine, cx.principal, id, &self.directories, started_at);
        self.errors.iter().for_each(|why| recorder.fail(why));
        for finding in &self.findings {
            recorder.add(finding.clone()).await?;
        }
        recorder.finish(self.took).await
    }
}

/// What makes a finding the same as an earlier one must be right; how it is described need not be.
fn check(index: usize, finding: &Finding) -> Result<(), Error> {
    check::name(&format!("/certificates/{index}/source_path"), &finding.source_path, Finding::LONGEST_PATH)?;
    match &finding.certificate {
        Some(der) if Fingerprint::of(der) != finding.fingerprint => {
            let pointer = format!("/certificates/{index}/fingerprint_sha256");
            let detail = "it is not the SHA-256 of the certificate's DER";
            Err(Error::invalid_field(pointer, "wrong_fingerprint", detail))
        }
        _ => Ok(()),
    }
}
