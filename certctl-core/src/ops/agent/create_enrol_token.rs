//! Making a token with which one agent enrols.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{AgentId, AuditAction, EnrolToken, EnrolTokenId, Timestamp};
use crate::error::Error;
use crate::ops::access::{new_secret, secret_hash};
use crate::ops::{Access, Context, Operation};
use crate::ports::Secret;

/// Makes an enrolment token, good once.
#[derive(Clone, Debug, Default)]
pub struct CreateEnrolToken {
    /// The only id that may enrol with it; any when absent.
    pub agent_id: Option<AgentId>,
    /// How long it is good; 24 h when absent, 30 days at most.
    pub expires_in: Option<Duration>,
}

/// A new token: the only time it is shown.
#[derive(Clone, Debug)]
pub struct CreatedEnrolToken {
    /// Its id.
    pub id: EnrolTokenId,
    /// The token itself. It ends in the SHA-256 of the root that the agent must find at the server.
    pub token: Secret,
    /// When it ends.
    pub expires_at: Timestamp,
}

#[async_trait]
impl Operation for CreateEnrolToken {
    type Output = CreatedEnrolToken;
    const NAME: &'static str = "agent.create_enrol_token";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<CreatedEnrolToken, Error> {
        let expires_in = self.expires_in.unwrap_or(Duration::from_secs(24 * 3600));
        if expires_in < Duration::from_secs(60) || expires_in > Duration::from_secs(30 * 86_400) {
            let detail = "a token is good for a minute at least and 30 days at most";
            return Err(Error::invalid_field("/expires_in", "out_of_range", detail));
        }
        let now = cx.now();
        let pin = cx.engine.agent_trust().await?.fingerprint;
        let secret = new_secret("cce", &*cx.ports().rng);
        let token = Secret::new(format!("{}.{pin}", secret.expose()));
        let id = EnrolTokenId::generate(&*cx.ports().clock, &*cx.ports().rng);
        let expires_at = now + expires_in;
        cx.unit.insert(EnrolToken {
            id: id.clone(),
            hash: secret_hash(token.expose()),
            agent_id: self.agent_id.clone(),
            created_by: cx.principal.id.clone(),
            created_at: now,
            expires_at,
            used_at: None,
        });
        let details = json!({ "agent_id": self.agent_id, "expires_at": expires_at });
        cx.audit(AuditAction::EnrolTokenCreated, ("enrol_token", id.as_str()), details);
        Ok(CreatedEnrolToken { id, token, expires_at })
    }
}
