//! `certctl status`.

use certctl_http::client::Listing;
use serde_json::json;

use super::Session;
use crate::failure::Failure;

/// Whether the server answers, whether its store does, and how much it looks after.
pub(super) async fn run(session: &Session) -> Result<(), Failure> {
    let client = &session.client;
    let health = client.health().await?;
    let ready = match client.ready().await {
        Ok(ready) => ready.status,
        Err(error) => error.to_string(),
    };
    let one = Listing::default().per_page(1);
    let certificates = client.list_certificates(&one).await?.envelope.total;
    let failed = client.list_certificates(&one.clone().filter("status", "Failed")).await?.envelope.total;
    let agents = client.list_agents(&one).await?.envelope.total;
    let failed_jobs = client.list_jobs(&one.clone().filter("status", "Failed")).await?.envelope.total;
    session.one(&json!({
        "server": session.at,
        "health": health.status,
        "ready": ready,
        "certificates": certificates,
        "certificates_failed": failed,
        "agents": agents,
        "jobs_failed": failed_jobs,
    }))
}
