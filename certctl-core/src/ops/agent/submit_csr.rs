//! A request from an agent.

use async_trait::async_trait;

use super::acting::acting;
use crate::domain::{AgentId, CertificateId};
use crate::error::Error;
use crate::jobs::open::key_holders;
use crate::jobs::subject::Subject;
use crate::ops::certificate::{CsrOutcome, accept, parse};
use crate::ops::{Access, Context, Operation};

/// Submits a request for a certificate whose key the agent holds.
#[derive(Clone, Debug)]
pub struct SubmitCsr {
    /// Which agent.
    pub agent_id: AgentId,
    /// For which certificate.
    pub certificate_id: CertificateId,
    /// The request, PEM (RFC 2986, RFC 7468 §7).
    pub csr_pem: String,
}

#[async_trait]
impl Operation for SubmitCsr {
    type Output = CsrOutcome;
    const NAME: &'static str = "agent.submit_csr";
    const ACCESS: Access = Access::AGENT;

    async fn run(&self, cx: &mut Context<'_>) -> Result<CsrOutcome, Error> {
        acting(cx, &self.agent_id).await?;
        let csr = parse(&self.csr_pem)?;
        let subject = Subject::read(&mut cx.unit, &self.certificate_id, self.agent_id.as_str(), &csr).await?;
        // Another agent's certificate is answered as if there were none.
        let held = |subject: &Subject| key_holders(&subject.certificate, &subject.targets).contains(&self.agent_id);
        let subject = subject.filter(held).ok_or_else(|| Error::not_found("certificate", &self.certificate_id))?;
        accept(cx, subject, self.agent_id.as_str(), &csr).await
    }
}
