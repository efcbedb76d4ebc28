//! Owners and teams.

use certctl_core::domain::{OwnerId, TeamId};

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{CreateOwner, CreateTeam, Owner, Page, Team};

impl Client {
    /// Lists owners.
    pub async fn list_owners(&self, listing: &Listing) -> Result<Page<Owner>, ClientError> {
        self.list(Call::get(["api", "v1", "owners"]), listing).await
    }
    /// Adds an owner.
    pub async fn create_owner(&self, request: &CreateOwner) -> Result<Owner, ClientError> {
        self.call(Call::post(["api", "v1", "owners"]).body(request)).await
    }
    /// Reads an owner.
    pub async fn owner(&self, id: &OwnerId) -> Result<Owner, ClientError> {
        self.call(Call::get(["api", "v1", "owners", id.as_str()])).await
    }
    /// Lists teams.
    pub async fn list_teams(&self, listing: &Listing) -> Result<Page<Team>, ClientError> {
        self.list(Call::get(["api", "v1", "teams"]), listing).await
    }
    /// Makes a team.
    pub async fn create_team(&self, request: &CreateTeam) -> Result<Team, ClientError> {
        self.call(Call::post(["api", "v1", "teams"]).body(request)).await
    }
    /// Reads a team.
    pub async fn team(&self, id: &TeamId) -> Result<Team, ClientError> {
        self.call(Call::get(["api", "v1", "teams", id.as_str()])).await
    }
}
