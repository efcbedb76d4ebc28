//! Whose certificates they are.

use super::{OwnerId, TeamId, Timestamp};
use crate::entity;
use crate::entity::Index;

entity! {
    /// A team.
    pub struct Team in "teams" as Mutable, fields TeamFields {
        /// Its id.
        id: TeamId,
        /// Unique; 1 to 255 characters.
        name: String,
        /// Free text.
        description: String,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
    indexes [
        Index::unique("teams_name", &["name"]),
        Index::on("teams_by_creation", &["created_at", "id"]),
    ]
    references []
}

entity! {
    /// Somebody who answers for certificates.
    pub struct Owner in "owners" as Mutable, fields OwnerFields {
        /// Their id.
        id: OwnerId,
        /// 1 to 255 characters.
        name: String,
        /// Where notices go.
        email: String,
        /// Their team.
        team_id: TeamId,
        /// When they were added.
        created_at: Timestamp,
        /// When they were last changed.
        updated_at: Timestamp,
    }
    indexes [
        Index::unique("owners_name", &["name"]),
        Index::on("owners_team", &["team_id"]),
        Index::on("owners_by_creation", &["created_at", "id"]),
    ]
    references [team_id -> Team]
}
