//! The keys that the configuration names.

use std::collections::BTreeSet;

use serde_json::json;

use super::secret_hash;
use crate::domain::{ApiKey, ApiKeyId, AuditAction, Principal};
use crate::engine::{ConfiguredKey, Engine};
use crate::error::Error;
use crate::ops::context::audit_event;
use crate::storage::{ApplyError, Query, UnitOfWork};

/// Makes the stored keys follow the configuration: adds and changes those that are named, disables those that no longer
/// are. Several servers that start at once agree, because they read the same configuration.
pub(crate) async fn configure_keys(engine: &Engine, keys: &[ConfiguredKey]) -> Result<(), Error> {
    for _ in 0..3 {
        match attempt(engine, keys).await {
            Err(error) if matches!(error.code(), "changed_meanwhile" | "already_exists") => {}
            result => return result,
        }
    }
    attempt(engine, keys).await
}

/// Whether a stored key is what the configuration says.
fn follows(stored: &ApiKey, key: &ConfiguredKey, hash: &str) -> bool {
    let open = stored.disabled_at.is_none() && stored.expires_at.is_none();
    stored.configured && open && stored.hash == hash && stored.role == key.role
}

async fn attempt(engine: &Engine, keys: &[ConfiguredKey]) -> Result<(), Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let now = unit.now();
    let mut named = BTreeSet::new();
    let mut changed = false;
    for key in keys {
        if key.key.expose().len() < 8 {
            return Err(Error::invalid(format!(
                "the key `{}` is shorter than 8 characters; use a longer one",
                key.name
            )));
        }
        named.insert(key.name.clone());
        let hash = secret_hash(key.key.expose());
        let stored = unit.first(Query::<ApiKey>::all().filter(ApiKey::FIELDS.name.equals(key.name.clone()))).await?;
        match stored {
            Some(stored) if follows(&stored, key, &hash) => continue,
            Some(mut stored) => {
                (stored.hash, stored.role, stored.configured) = (hash, key.role, true);
                (stored.disabled_at, stored.expires_at) = (None, None);
                unit.update(stored);
            }
            None => unit.insert(ApiKey {
                id: ApiKeyId::generate(&*engine.ports().clock, &*engine.ports().rng),
                name: key.name.clone(),
                hash,
                role: key.role,
                configured: true,
                created_at: now,
                last_used_at: None,
                disabled_at: None,
                expires_at: None,
            }),
        }
        changed = true;
    }
    let managed = Query::<ApiKey>::all().filter(ApiKey::FIELDS.configured.equals(true)).limit(500);
    for mut stored in unit.list(managed).await?.records {
        if stored.disabled_at.is_none() && !named.contains(&stored.name) {
            stored.disabled_at = Some(now);
            unit.update(stored);
            changed = true;
        }
    }
    if !changed {
        return Ok(());
    }
    let configured: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    let details = json!({ "configured": configured });
    unit.append(audit_event(
        engine,
        &Principal::system(),
        now,
        AuditAction::ApiKeyCreated,
        ("api_key", "configured"),
        details,
    ));
    match engine.commit(unit).await {
        Ok(()) => {}
        Err(ApplyError::Conflict { field: "hash", .. }) => {
            return Err(Error::invalid("two names in the configuration have the same key; give each its own"));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
