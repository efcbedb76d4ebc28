//! Handing an agent the certificate for its key.

use async_trait::async_trait;

use super::acting::acting;
use crate::domain::{AgentId, CertificateId, Version};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::Query;

/// Gives the newest version for the agent's own key.
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
        let fields = Version::FIELDS;
        let newest = Query::sorted(fields.created_at.descending())
            .filter(fields.certificate_id.equals(self.certificate_id.clone()))
            .filter(fields.key_holder.equals(self.agent_id.to_string()));
        let newest = cx.unit.first(newest).await?;
        Ok(newest.ok_or_else(|| Error::not_found("certificate for this agent", &self.certificate_id))?.into_entity())
    }
}
