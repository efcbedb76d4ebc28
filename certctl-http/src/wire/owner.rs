//! Owners.

use certctl_core::domain::{OwnerId, TeamId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::patch::{unless_empty, unless_null};

/// Somebody who answers for certificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Owner {
    /// Their id.
    #[schema(value_type = String)]
    pub id: OwnerId,
    /// Their name.
    pub name: String,
    /// Where notices go.
    pub email: String,
    /// Their team.
    #[schema(value_type = String)]
    pub team_id: TeamId,
    /// When they were added.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When they were last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// Adds an owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateOwnerRequest)]
pub struct CreateOwner {
    /// An id of the client's choice; generated when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub id: Option<OwnerId>,
    /// Unique.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// Where notices go.
    #[serde(default, deserialize_with = "unless_null")]
    pub email: String,
    /// Their team.
    #[schema(value_type = String)]
    pub team_id: TeamId,
}

/// Changes the members that are given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = UpdateOwnerRequest)]
pub struct UpdateOwner {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    pub name: Option<String>,
    /// A new address for notices; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub email: Option<String>,
    /// Another team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub team_id: Option<TeamId>,
}

impl From<certctl_core::domain::Owner> for Owner {
    fn from(owner: certctl_core::domain::Owner) -> Self {
        let certctl_core::domain::Owner { id, name, email, team_id, created_at, updated_at } = owner;
        Self { id, name, email, team_id, created_at, updated_at }
    }
}
