//! Handing an agent the certificate for its key.

use async_trait::async_trait;

use super::acting::acting;
use crate::domain::{AgentId, CertificateId, Version};
use crate::error::Error;
use crate::jobs::deploy::newest_deployable;
use crate::ops::{Access, Context, Operation};

/// Gives the newest version for the agent's own key that may be deployed.
#[derive(Clone, Debug)]
pub struct Pickup {
    /// Which agent.
    pub agent_id: AgentId,
    /// Which certificate.
    pub certificate_id: CertificateId,
}

#[async_trait]
impl Operation for Pickup {
    type Output = Version;
    const NAME: &'static str = "agent.pickup";
    const ACCESS: Access = Access::AGENT;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Version, Error> {
        acting(cx, &self.agent_id).await?;
        let newest = newest_deployable(&self.certificate_id, self.agent_id.as_str());
        let newest = cx.unit.first(newest).await?;
        Ok(newest.ok_or_else(|| Error::not_found("certificate for this agent", &self.certificate_id))?.into_entity())
    }
}
