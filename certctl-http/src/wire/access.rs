//! Who is asking.

use certctl_core::domain::{ApiKeyId, Role};
use certctl_core::ports::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names;

/// How to authenticate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuthInfo {
    /// `api-key`, or `none` where everybody on this host is an administrator.
    pub auth_type: String,
    /// Whether a key is needed.
    pub required: bool,
}

/// Who the presented key belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuthCheck {
    /// Always `authenticated`.
    pub status: String,
    /// The key's name.
    pub user: String,
    /// Whether it may do everything.
    pub admin: bool,
    /// What it may do.
    #[schema(value_type = names::Role)]
    pub role: Role,
}

/// Makes the first administrator's key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = BootstrapRequest)]
pub struct Bootstrap {
    /// The setup token, from the server's standard error or the file `setup-token` in its data directory.
    #[schema(value_type = String, format = Password)]
    pub token: Secret,
    /// What people will call the key.
    #[schema(min_length = 1, max_length = 128)]
    pub name: String,
}

/// A new key, shown this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedKey {
    /// Its id.
    #[schema(value_type = String)]
    pub id: ApiKeyId,
    /// What people call it.
    pub name: String,
    /// What it may do.
    #[schema(value_type = names::Role)]
    pub role: Role,
    /// The key itself: send it as `Authorization: Bearer …`.
    #[schema(value_type = String, format = Password)]
    pub key: Secret,
}
