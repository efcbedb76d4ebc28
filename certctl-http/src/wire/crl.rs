//! Revocation lists, as those see them who run the server.

use certctl_core::domain::{AuthorityId, Crl, CrlScope, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A revocation list, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CrlCacheEntry {
    /// The issuer.
    pub issuer_id: String,
    /// The CA of the issuer that signs the list.
    #[schema(value_type = String)]
    pub authority_id: AuthorityId,
    /// `complete`, `delta` or `shard`.
    pub scope: String,
    /// The number of the shard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub shard: Option<u16>,
    /// The list's number; 0 while none was made.
    pub crl_number: i64,
    /// Of a list of changes: the number of the list that they are changes of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub base_crl_number: Option<i64>,
    /// Since when it tells how things stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub this_update: Option<Timestamp>,
    /// When the next one is there at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub next_update: Option<Timestamp>,
    /// When it is made again if nothing changes, or tried again after a failure; absent for what is made with another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub due_at: Option<Timestamp>,
    /// How many certificates it lists.
    pub revoked_count: i64,
    /// Its length in bytes.
    pub size_bytes: i64,
    /// SHA-256 over it: 64 lower-case hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sha256: Option<String>,
    /// How long it took to make it, in milliseconds.
    pub generation_duration_ms: i64,
    /// Failures in a row to make a newer one.
    pub failures: i64,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_error: Option<String>,
}

impl From<Crl> for CrlCacheEntry {
    fn from(list: Crl) -> Self {
        let made = list.is_made();
        let (scope, shard) = match list.scope() {
            CrlScope::Complete => ("complete", None),
            CrlScope::Delta => ("delta", None),
            CrlScope::Shard(shard) => ("shard", Some(shard)),
        };
        Self {
            base_crl_number: (scope == "delta" && made).then_some(list.base_number),
            issuer_id: list.owner,
            authority_id: list.authority_id,
            scope: scope.into(),
            shard,
            crl_number: list.number,
            this_update: made.then_some(list.this_update),
            next_update: made.then_some(list.next_update),
            due_at: list.due_at.known(),
            revoked_count: list.revoked,
            size_bytes: list.octets,
            sha256: list.digest.map(|digest| digest.to_string()),
            generation_duration_ms: list.took_ms,
            failures: list.failures,
            last_error: list.last_error,
        }
    }
}
