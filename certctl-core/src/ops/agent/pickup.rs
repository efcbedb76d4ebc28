//! Handing an agent the certificate for its key.

use async_trait::async_trait;

use super::acting::acting;
use crate::domain::{AgentId, CertificateId, ShapeState, Version, VersionId};
use crate::error::Error;
use crate::jobs::deploy::newest_deployable;
use crate::ops::{Access, Context, Operation};

/// Gives a version for the agent's own key that may be deployed: the newest, unless one is named.
#[derive(Clone, Debug)]
pub struct Pickup {
    /// Which agent.
    pub agent_id: AgentId,
    /// Which certificate.
    pub certificate_id: CertificateId,
    /// Which version of it, such as the one that a job of the agent is about.
    pub version_id: Option<VersionId>,
}

#[async_trait]
impl Operation for Pickup {
    type Output = Version;
    const NAME: &'static str = "agent.pickup";
    const ACCESS: Access = Access::AGENT;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Version, Error> {
        acting(cx, &self.agent_id).await?;
        let found = match &self.version_id {
            None => cx.unit.first(newest_deployable(&self.certificate_id, self.agent_id.as_str())).await?,
            Some(id) => cx.unit.peek::<Version>(id.as_str()).await?.filter(|version| {
                let own = version.certificate_id == self.certificate_id && version.key_holder == self.agent_id.as_str();
                own && version.shape != ShapeState::Held
            }),
        };
        Ok(found.ok_or_else(|| Error::not_found("certificate for this agent", &self.certificate_id))?.into_entity())
    }
}
