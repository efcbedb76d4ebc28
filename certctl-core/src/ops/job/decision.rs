//! Who may decide about a job that waits for approval (requirements B6).

use crate::domain::{Job, JobId, JobState};
use crate::entity::Record;
use crate::error::{Error, ErrorKind};
use crate::ops::Context;

/// The job, if it waits for approval and the principal is not the one who asked for it.
///
/// # Errors
/// `not_awaiting_approval` when there is nothing to decide, also because it was decided; `self_approval` for the
/// requester, and for everybody when it is not known who that is.
pub(super) async fn to_decide(cx: &mut Context<'_>, id: &JobId) -> Result<Record<Job>, Error> {
    let job = cx.unit.get::<Job>(id.as_str()).await?.ok_or_else(|| Error::not_found("job", id))?;
    if job.state != JobState::AwaitingApproval {
        let message = format!(
            "the job is {}; only a job that is {} can be approved or rejected",
            job.state,
            JobState::AwaitingApproval
        );
        return Err(Error::new(ErrorKind::Invalid, "not_awaiting_approval", message));
    }
    if job.requested_by.is_empty() {
        let message =
            "it is not known who asked for this job, so nobody may decide about it; cancel it and begin again";
        return Err(Error::new(ErrorKind::Forbidden, "self_approval", message));
    }
    if job.requested_by == cx.principal.id {
        let message = "whoever asked for a job may neither approve nor reject it; somebody else has to, or cancel it";
        return Err(Error::new(ErrorKind::Forbidden, "self_approval", message));
    }
    Ok(job)
}
