//! Challenge passwords of SCEP.

use certctl_core::domain::{ScepChallengeId, Timestamp};
use certctl_core::ports::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Makes a challenge password that is good for one certificate of these names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateScepChallengeRequest)]
pub struct CreateScepChallenge {
    /// The SCEP profile where it is good; `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub profile: Option<String>,
    /// The common name of the certificate; may be absent where there are other names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 64)]
    pub common_name: Option<String>,
    /// Its subject alternative names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_items = 100)]
    pub sans: Option<Vec<String>>,
    /// For how long it is good, in whole seconds; a day when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expires_in: Option<u64>,
}

/// A challenge password, shown this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ScepChallenge)]
pub struct ScepChallenge {
    /// Its id, as the audit trail names it.
    #[schema(value_type = String)]
    pub id: ScepChallengeId,
    /// The profile where it is good.
    pub profile: String,
    /// The password: the challengePassword of the request.
    #[schema(value_type = String, format = Password)]
    pub challenge: Secret,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}
