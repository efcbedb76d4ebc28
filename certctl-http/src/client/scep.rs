//! SCEP.

use super::send::Call;
use super::{Client, ClientError};
use crate::wire::{CreateScepChallenge, Page, ScepChallenge, ScepProfileStatus};

impl Client {
    /// All profiles of the SCEP server.
    pub async fn scep_profiles(&self) -> Result<Page<ScepProfileStatus>, ClientError> {
        self.call(Call::get(["api", "v1", "admin", "scep", "profiles"])).await
    }
    /// Makes a challenge password that is good for one certificate, which is shown this once.
    pub async fn create_scep_challenge(&self, request: &CreateScepChallenge) -> Result<ScepChallenge, ClientError> {
        self.call(Call::post(["api", "v1", "scep", "challenges"]).body(request)).await
    }
}
