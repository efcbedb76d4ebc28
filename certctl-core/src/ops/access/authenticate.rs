//! From a presented key to a principal.

use std::time::Duration;

use super::secret_hash;
use crate::domain::{ActorType, Agent, AgentId, ApiKey, Principal, Role, Timestamp};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::{Error, ErrorKind};
use crate::storage::{Changes, Query, View};

/// How exactly the last use of a key is known.
const NOTED: Duration = Duration::from_secs(60);

impl Engine {
    /// The principal behind a presented key: a named API key or an agent's credential.
    ///
    /// The key is looked up by its SHA-256, so the time it takes says nothing about other keys.
    ///
    /// # Errors
    /// `unauthenticated` for a key that is unknown, disabled or expired; the store's.
    pub async fn authenticate(&self, presented: &str) -> Result<Principal, Error> {
        let hash = secret_hash(presented);
        let monotonic = self.ports().clock.monotonic();
        if let Some(principal) = self.known_keys().get(&hash, monotonic) {
            return Ok(principal);
        }
        let since = self.known_keys().since(monotonic);
        let view = self.storage().read(View::Latest).await?;
        let now = view.now();
        let key = view.first(Query::<ApiKey>::all().filter(ApiKey::FIELDS.hash.equals(hash.clone()))).await?;
        let principal = match key {
            Some(key) if key.disabled_at.is_some() || key.expires_at.is_some_and(|end| end <= now) => None,
            Some(key) => {
                let principal = self.principal_of(&key);
                if principal.is_some() {
                    self.mark_used(key, now).await;
                }
                principal
            }
            None => {
                let query = Query::<Agent>::all().filter(Agent::FIELDS.credential_hash.equals(Some(hash.clone())));
                view.first(query).await?.map(|agent| Principal::agent(agent.into_entity().id))
            }
        };
        let principal = principal.ok_or_else(|| {
            Error::new(
                ErrorKind::Unauthenticated,
                "unauthenticated",
                "the API key is not valid; check it, or ask an administrator for a new one",
            )
        })?;
        self.known_keys().keep(since, hash, principal.clone());
        Ok(principal)
    }

    /// Notes when a key was last used, to the minute. A note that cannot be made costs nobody their call.
    async fn mark_used(&self, mut key: Record<ApiKey>, now: Timestamp) {
        if key.last_used_at.is_some_and(|last| now.since(last) < NOTED) {
            return;
        }
        key.last_used_at = Some(now);
        let mut changes = Changes::bookkeeping();
        changes.update(key);
        if let Err(error) = self.storage().apply(changes).await {
            tracing::debug!(error = %error, "the last use of a key was not noted");
        }
    }

    /// A key of role agent acts for the agent whose id is the key's name, or for any in the shared mode (requirements C2).
    /// Outside of that mode a name that is no id is nobody's: such a key is refused rather than let in for all.
    fn principal_of(&self, key: &ApiKey) -> Option<Principal> {
        let own = key.role == Role::Agent && !self.shares_agent_keys();
        let agent = if own { Some(AgentId::parse(key.name.clone()).ok()?) } else { None };
        let actor_type = if key.role == Role::Agent { ActorType::Agent } else { ActorType::User };
        Some(Principal {
            id: key.id.to_string(),
            name: key.name.clone(),
            role: key.role,
            agent,
            actor_type,
            call: None,
        })
    }
}
