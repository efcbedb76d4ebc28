//! The first administrator: one setup token, good once.

use async_trait::async_trait;
use serde_json::json;

use super::secret_hash;
use crate::domain::{ApiKeyId, AuditAction, Role, Setting, Timestamp};
use crate::error::{Error, ErrorKind};
use crate::ops::{Access, Context, Operation, key};
use crate::ports::Secret;

/// The setting that holds the setup token.
pub(crate) const SETUP_TOKEN: &str = "setup-token";

/// What is stored of the setup token.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct SetupToken {
    /// SHA-256 of the token; empty once it was used.
    pub(crate) hash: String,
    /// When it ends, in microseconds.
    pub(crate) expires_at: i64,
}

/// A new key: the only time it is shown.
#[derive(Clone, Debug)]
pub struct CreatedKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it ends; never when absent.
    pub expires_at: Option<Timestamp>,
    /// The key itself.
    pub key: Secret,
}

/// Makes the first administrator's key with the setup token (requirements D1).
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// The token from standard error or `DIR/setup-token`.
    pub token: Secret,
    /// What people will call the key.
    pub name: String,
}

#[async_trait]
impl Operation for Bootstrap {
    type Output = CreatedKey;
    const NAME: &'static str = "auth.bootstrap";
    const ACCESS: Access = Access::OPEN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<CreatedKey, Error> {
        let closed =
            || Error::new(ErrorKind::Gone, "bootstrap_closed", "set-up is done; ask an administrator for a key");
        // The record is pinned: of many who present the token at once, one commits.
        let mut record = cx.unit.get::<Setting>(SETUP_TOKEN).await?.ok_or_else(closed)?;
        let stored: SetupToken = serde_json::from_slice(&record.value).map_err(Error::internal)?;
        if stored.hash.is_empty() {
            return Err(closed());
        }
        let presented = secret_hash(self.token.expose());
        let equal = aws_lc_rs::constant_time::verify_slices_are_equal(presented.as_bytes(), stored.hash.as_bytes());
        if equal.is_err() || Timestamp(stored.expires_at) <= cx.now() {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                "bad_setup_token",
                "the setup token is wrong or older than a day; restart the server for a new one",
            ));
        }
        let used = SetupToken { hash: String::new(), ..stored };
        record.value = serde_json::to_vec(&used).map_err(Error::internal)?;
        record.updated_at = cx.now();
        cx.unit.update(record);
        let new = key::Create { id: None, name: self.name.clone(), role: Role::Admin, expires_at: None };
        let created = key::insert(cx, &new)?;
        cx.audit(AuditAction::Bootstrapped, ("api_key", created.id.as_str()), json!({ "name": self.name }));
        Ok(created)
    }
}
