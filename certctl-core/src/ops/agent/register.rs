//! Adding an agent: by an operator, or by itself with an enrolment token.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{Agent, AgentId, AuditAction, EnrolToken};
use crate::entity::Json;
use crate::error::{Error, ErrorKind};
use crate::ops::access::{new_secret, secret_hash};
use crate::ops::{Access, Context, Operation, allows, check};
use crate::ports::Secret;
use crate::storage::Query;

/// What an agent says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registration {
    /// Kept when given.
    pub id: Option<AgentId>,
    /// Unique; 1 to 128 characters.
    pub name: String,
    /// The name of its host, 1 to 253 characters.
    pub hostname: String,
    /// Such as `linux`.
    pub os: String,
    /// Such as `amd64`.
    pub architecture: String,
    /// As it sees it.
    pub ip_address: String,
    /// Of its program.
    pub version: String,
    /// The target kinds it can deploy to; empty when it does not say.
    pub target_kinds: Vec<String>,
}

/// Adds an agent.
#[derive(Clone, Debug)]
pub struct Register {
    /// What it says of itself.
    pub registration: Registration,
    /// The enrolment token that allows it; without one the principal must be an operator or an administrator.
    pub enrol_token: Option<Secret>,
}

/// A new agent, and its credential: the only time it is shown.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The agent.
    pub agent: Agent,
    /// What it proves itself with from now on.
    pub credential: Secret,
}

#[async_trait]
impl Operation for Register {
    type Output = Registered;
    const NAME: &'static str = "agent.register";
    const ACCESS: Access = Access::OPEN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Registered, Error> {
        let mut registration = self.registration.clone();
        match &self.enrol_token {
            Some(token) => use_token(cx, token, &mut registration).await?,
            None if !allows(Access::RUN, cx.principal.role) => {
                let message = format!("a key of role {} may not add agents; use an enrolment token", cx.principal.role);
                return Err(Error::forbidden(message));
            }
            None => {}
        }
        if let Some(id) = registration.id.as_ref().filter(|id| RESERVED.contains(&id.as_str())) {
            let detail = format!("`{id}` is a place of the API; choose another id");
            return Err(Error::invalid_field("/id", "reserved_id", detail));
        }
        check::name("/name", &registration.name, 128)?;
        check::name("/hostname", &registration.hostname, 253)?;
        let details = [&registration.os, &registration.architecture, &registration.ip_address, &registration.version];
        details.into_iter().try_for_each(|text| check::text("", text, 128))?;
        let now = cx.now();
        let credential = new_secret("cca", &*cx.ports().rng);
        let agent = Agent {
            id: registration.id.unwrap_or_else(|| AgentId::generate(&*cx.ports().clock, &*cx.ports().rng)),
            name: registration.name,
            hostname: registration.hostname,
            os: registration.os,
            architecture: registration.architecture,
            ip_address: registration.ip_address,
            version: registration.version,
            target_kinds: Json(registration.target_kinds),
            credential_hash: Some(secret_hash(credential.expose())),
            sentinel: false,
            last_heartbeat_at: now,
            registered_at: now,
            offline_since: None,
            retired_at: None,
            retired_reason: None,
            retiring_until: None,
            updated_at: now,
        };
        cx.unit.insert(agent.clone());
        let enrolled = self.enrol_token.is_some();
        let details = json!({ "name": agent.name, "hostname": agent.hostname, "enrolled": enrolled });
        cx.audit(AuditAction::AgentRegistered, ("agent", agent.id.as_str()), details);
        Ok(Registered { agent, credential })
    }
}

/// What else lies beside the agents in the API: an agent of this id could not be read there.
const RESERVED: [&str; 2] = ["enrol-tokens", "retired"];

/// Uses a token up. It is pinned: of two that present it at once, one commits.
async fn use_token(cx: &mut Context<'_>, token: &Secret, registration: &mut Registration) -> Result<(), Error> {
    let refused = |why: &str| {
        let message = format!("the enrolment token {why}; ask for a new one (POST /api/v1/agents/enrol-tokens)");
        Error::new(ErrorKind::Unauthenticated, "bad_enrol_token", message)
    };
    let query = Query::<EnrolToken>::all().filter(EnrolToken::FIELDS.hash.equals(secret_hash(token.expose())));
    let mut record = cx.unit.first(query).await?.ok_or_else(|| refused("is not known"))?;
    if record.used_at.is_some() {
        return Err(refused("was used already"));
    }
    if record.expires_at <= cx.now() {
        return Err(refused("has expired"));
    }
    if let Some(only) = &record.agent_id {
        if registration.id.as_ref().is_some_and(|id| id != only) {
            return Err(refused("is for another agent id"));
        }
        registration.id = Some(only.clone());
    }
    record.used_at = Some(cx.now());
    cx.unit.update(record);
    Ok(())
}
