//! Owners and teams.

use certctl_core::domain::{OwnerId, TeamId};
use certctl_core::ports::Method;

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{CreateOwner, CreateTeam, Owner, Page, Team, UpdateOwner, UpdateTeam};

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
    /// Changes an owner.
    pub async fn update_owner(&self, id: &OwnerId, request: &UpdateOwner) -> Result<Owner, ClientError> {
        self.call(Call::new(Method::Put, ["api", "v1", "owners", id.as_str()]).body(request)).await
    }
    /// Deletes an owner.
    pub async fn delete_owner(&self, id: &OwnerId) -> Result<(), ClientError> {
        self.call_empty(Call::new(Method::Delete, ["api", "v1", "owners", id.as_str()])).await
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
    /// Changes a team.
    pub async fn update_team(&self, id: &TeamId, request: &UpdateTeam) -> Result<Team, ClientError> {
        self.call(Call::new(Method::Put, ["api", "v1", "teams", id.as_str()]).body(request)).await
    }
    /// Deletes a team.
    pub async fn delete_team(&self, id: &TeamId) -> Result<(), ClientError> {
        self.call_empty(Call::new(Method::Delete, ["api", "v1", "teams", id.as_str()])).await
    }
}
