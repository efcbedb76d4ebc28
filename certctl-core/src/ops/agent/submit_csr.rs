//! A request from an agent.

use async_trait::async_trait;

use super::acting::acting;
use crate::domain::{AgentId, Certificate, CertificateId};
use crate::error::Error;
use crate::jobs::open::{key_holders, targets_of};
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
        let not_found = || Error::not_found("certificate", &self.certificate_id);
        let certificate = cx.unit.get::<Certificate>(self.certificate_id.as_str()).await?.ok_or_else(not_found)?;
        let targets = targets_of(&cx.unit, &certificate).await?;
        // Another agent's certificate is answered as if there were none.
        if !key_holders(&certificate, &targets).contains(&self.agent_id) {
            return Err(not_found());
        }
        let csr = parse(&self.csr_pem)?;
        accept(cx, certificate, self.agent_id.as_str(), &csr).await
    }
}
