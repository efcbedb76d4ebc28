//! The digest.

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::StatusResponse;

impl Client {
    /// The digest as HTML, as it would be sent now.
    pub async fn preview_digest(&self) -> Result<String, ClientError> {
        self.call_text(Call::get(["api", "v1", "digest", "preview"]), &Listing::default()).await
    }
    /// Sends the digest to its recipients now.
    pub async fn send_digest(&self) -> Result<StatusResponse, ClientError> {
        self.call(Call::post(["api", "v1", "digest", "send"])).await
    }
}
