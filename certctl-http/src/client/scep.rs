//! SCEP.

use super::send::Call;
use super::{Client, ClientError};
use crate::wire::{CreateScepChallenge, ScepChallenge};

impl Client {
    /// Makes a challenge password that is good for one certificate, which is shown this once.
    pub async fn create_scep_challenge(&self, request: &CreateScepChallenge) -> Result<ScepChallenge, ClientError> {
        self.call(Call::post(["api", "v1", "scep", "challenges"]).body(request)).await
    }
}
