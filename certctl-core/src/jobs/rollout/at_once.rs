//! Versions whose policy has no waves: all of their targets are deployed to now.

use super::{Arrival, Ended, ended};
use crate::domain::{Job, JobId};
use crate::engine::Engine;
use crate::error::Error;
use crate::jobs::deploy::{NewDeployment, insert, supersede};
use crate::storage::UnitOfWork;

/// Records the deployments. Gives their jobs.
pub(crate) async fn all_at_once(
    engine: &Engine,
    unit: &mut UnitOfWork,
    arrival: &Arrival<'_>,
) -> Result<Vec<JobId>, Error> {
    let Arrival { certificate, policy, principal, deployments, .. } = *arrival;
    let (mut ids, mut older) = (Vec::new(), Vec::new());
    for (target, version) in deployments {
        older.extend(supersede(unit, &certificate.id, &target.target_id).await?);
        let new = NewDeployment { certificate, target, version, policy, requested_by: &principal.id };
        ids.push(insert(engine, unit, &new));
    }
    // From when the policy still had waves: what waited for them waits for nothing any more.
    let jobs: Vec<&Job> = older.iter().collect();
    let _ = ended(engine, unit, &Ended { certificate, principal, jobs: &jobs, called_off: false }).await?;
    Ok(ids)
}
