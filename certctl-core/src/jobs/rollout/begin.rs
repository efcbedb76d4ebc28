//! New versions: a rollout begins, or goes on with the targets of one more key holder.

use super::draft::Draft;
use super::members::{Members, Open};
use super::{Scene, proceed};
use crate::domain::{
    Certificate, CertificateTarget, JobId, Principal, RenewalPolicy, Rollout, RolloutState, Timestamp, Version,
};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::deploy::{NewDeployment, cancel, job};
use crate::storage::UnitOfWork;

/// Versions that are to be deployed.
pub(crate) struct Arrival<'a> {
    pub(crate) certificate: &'a Certificate,
    pub(crate) policy: &'a RenewalPolicy,
    pub(crate) principal: &'a Principal,
    /// The targets, each with its version.
    pub(crate) deployments: &'a [(&'a CertificateTarget, &'a Version)],
    /// When the order for them was opened: those of one renewal are one rollout, however late an agent is.
    pub(crate) ordered_at: Timestamp,
}

/// Why what was open for a target ends.
pub(super) const NEWER: &str = "a newer version takes its place";

/// Records the deployments, and lets those of the first wave go. Gives the jobs that are open; none where the rollout that they
/// belong to is halted.
///
/// Nothing is there that keeps two from beginning the first rollout of a certificate at once: the caller writes the certificate.
pub(crate) async fn arrive(engine: &Engine, unit: &mut UnitOfWork, arrival: &Arrival<'_>) -> Result<Vec<JobId>, Error> {
    let Arrival { certificate, policy, principal, deployments, ordered_at } = *arrival;
    if deployments.is_empty() {
        return Ok(Vec::new());
    }
    let now = unit.now();
    let found = unit.get::<Rollout>(certificate.id.as_str()).await?;
    let joins = found.as_ref().is_some_and(|row| ordered_at <= row.started_at);
    let mut open = Open::read(unit, certificate, &[]).await?;
    let (mut row, mut members) = match found {
        Some(mut row) if joins => {
            if !matches!(row.state, RolloutState::Rolling | RolloutState::Finished) {
                // It was halted before this key holder had its version. Written all the same: it may go on at this moment.
                row.changed_at = now;
                unit.update(row);
                return Ok(Vec::new());
            }
            let members = Members::read(unit, &row, &[]).await?;
            (Draft::Kept(row), members)
        }
        found => begun(unit, certificate, found),
    };
    for (target, version) in deployments {
        if let Some(mut older) = open.take(&target.target_id) {
            cancel(&mut older, now, NEWER)?;
            unit.update(older);
        }
        let new = NewDeployment { certificate, target, version, policy, requested_by: &principal.id };
        members.add(job(engine, now, &new));
    }
    if !joins {
        take_over(unit, &row, (&mut members, &mut open))?;
    }
    go(&mut row)?;
    let ids = members.open_jobs();
    let _ = proceed(unit, Scene { engine, principal, certificate, policy }, row, (members, &open)).await?;
    Ok(ids)
}

/// A rollout without targets, the next of its certificate.
pub(super) fn begun(
    unit: &UnitOfWork,
    certificate: &Certificate,
    before: Option<Record<Rollout>>,
) -> (Draft<Rollout>, Members) {
    let now = unit.now();
    let row = match before {
        Some(mut row) => {
            row.round += 1;
            row.started_at = now;
            Draft::Kept(row)
        }
        None => Draft::New(Rollout {
            id: certificate.id.clone(),
            round: 1,
            state: RolloutState::Rolling,
            reason: None,
            started_at: now,
            changed_at: now,
        }),
    };
    let members = Members::of_a_new(&row);
    (row, members)
}

/// What waited for its turn in the round before waits in this one; what was to be taken back is not.
pub(super) fn take_over(
    unit: &mut UnitOfWork,
    row: &Rollout,
    (members, open): (&mut Members, &mut Open),
) -> Result<(), Error> {
    for mut held in open.take_held() {
        if row.state == RolloutState::RollingBack {
            cancel(&mut held, unit.now(), NEWER)?;
            unit.update(held);
        } else {
            members.adopt(held);
        }
    }
    Ok(())
}

/// From here on it goes on.
pub(super) fn go(row: &mut Rollout) -> Result<(), Error> {
    row.state = row.state.transition(RolloutState::Rolling).map_err(Error::internal)?;
    row.reason = None;
    Ok(())
}
