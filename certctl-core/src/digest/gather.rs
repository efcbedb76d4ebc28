//! Reading what the digest says.

use std::time::Duration;

use super::{Digest, ExpiringCertificate, FailedJob};
use crate::domain::{Certificate, Job, JobState, Lifecycle, Timestamp};
use crate::engine::{Census, Engine};
use crate::error::Error;
use crate::storage::{Query, View};

/// The longest error that is shown, in characters.
const MAX_ERROR: usize = 200;

/// How things stand now, with the failures of so long.
pub(crate) async fn gather(engine: &Engine, period: Duration) -> Result<Digest, Error> {
    let census = engine.census().await?;
    let view = engine.storage().read(View::Latest).await?;
    let (now, fields) = (census.taken_at, Certificate::FIELDS);
    let after = Timestamp(now.0.saturating_add(1));
    let expiring = Query::sorted(fields.expires_at.ascending())
        .filter(fields.lifecycle.equals(Lifecycle::Issued))
        .filter(fields.expires_at.at_least(after))
        .filter(fields.expires_at.below(after + Census::SOON))
        .limit(Digest::EXPIRING);
    let expiring = view.list(expiring).await?.records.into_iter().map(|certificate| ExpiringCertificate {
        id: certificate.id.clone(),
        common_name: certificate.common_name.clone(),
        owner_id: certificate.owner_id.clone(),
        expires_at: certificate.expires_at,
    });
    let (since, fields) = (now - period, Job::FIELDS);
    let failed = || {
        Query::sorted(fields.created_at.descending())
            .filter(fields.state.equals(JobState::Failed))
            .filter(fields.completed_at.at_least(Some(since)))
    };
    let failures = view.list(failed().limit(Digest::FAILURES)).await?.records.into_iter().map(|job| FailedJob {
        id: job.id.clone(),
        kind: job.kind,
        certificate_id: job.certificate_id.clone(),
        error: job.last_error.iter().flat_map(|error| error.chars()).take(MAX_ERROR).collect(),
    });
    let (expiring, failures) = (expiring.collect(), failures.collect());
    Ok(Digest { expiring, failures, failed: view.total(&failed()).await?, since, census })
}
