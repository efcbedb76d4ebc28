//! The setup token of a store without an administrator.

use std::time::Duration;

use super::{SETUP_TOKEN, SetupToken, new_secret, secret_hash};
use crate::domain::{ApiKey, Role, Setting, SettingId};
use crate::engine::Engine;
use crate::error::Error;
use crate::ports::Secret;
use crate::storage::{Query, UnitOfWork};

const LIFETIME: Duration = Duration::from_secs(24 * 3600);

impl Engine {
    /// A fresh setup token when the store has no administrator, else `None`. It replaces an earlier one.
    ///
    /// # Errors
    /// The store's.
    pub async fn setup_token(&self) -> Result<Option<Secret>, Error> {
        // A token that nobody has used changes nothing that an audit would tell.
        let mut unit = UnitOfWork::begin(self.storage()).await?.bookkeeping();
        let fields = ApiKey::FIELDS;
        let admins = Query::<ApiKey>::all()
            .filter(fields.role.equals(Role::Admin))
            .filter(fields.disabled_at.is_null())
            .limit(500);
        let now = unit.now();
        if unit.list(admins).await?.records.iter().any(|key| key.expires_at.is_none_or(|end| end > now)) {
            return Ok(None);
        }
        let token = new_secret("ccs", &*self.ports().rng);
        let expires_at = (unit.now() + LIFETIME).0;
        let stored = SetupToken { hash: secret_hash(token.expose()), expires_at };
        let (value, updated_at) = (serde_json::to_vec(&stored).map_err(Error::internal)?, unit.now());
        if let Some(mut setting) = unit.get::<Setting>(SETUP_TOKEN).await? {
            (setting.value, setting.updated_at) = (value, updated_at);
            unit.update(setting);
        } else {
            let id = SettingId::parse(SETUP_TOKEN).map_err(Error::internal)?;
            unit.insert(Setting { id, value, updated_at });
        }
        unit.commit().await?;
        Ok(Some(token))
    }
}
