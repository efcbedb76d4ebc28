//! Managed certificates.

pub(crate) mod accept_shape;
pub(crate) mod archive;
pub(crate) mod bulk_reassign;
pub(crate) mod bulk_renew;
pub(crate) mod create;
pub(crate) mod csr;
pub(crate) mod deploy;
pub(crate) mod deployments;
pub(crate) mod explain;
pub(crate) mod export_pem;
pub(crate) mod export_pkcs12;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod renew;
pub(crate) mod update;
pub(crate) mod versions;

use axum::Json;
use axum::http::StatusCode;
use certctl_core::ops::certificate::CsrOutcome;
use certctl_core::{Error, ErrorKind, ops};

use crate::problem::Failure;
use crate::wire::StatusResponse;

/// What became of a signing request, on every route that takes one.
pub(crate) fn csr_answer(outcome: CsrOutcome) -> Result<(StatusCode, Json<StatusResponse>), Failure> {
    let (status, message) = match outcome {
        CsrOutcome::Signed { job_id, .. } => ("csr_signed", format!("the certificate is issued (job {job_id})")),
        CsrOutcome::Accepted { job_id } => ("csr_accepted", format!("the issuer is asked; see job {job_id}")),
        CsrOutcome::AwaitingApproval { job_id } => {
            ("csr_accepted", format!("somebody has to approve before the issuer is asked; see job {job_id}"))
        }
        CsrOutcome::Blocked { breaches, .. } => return Err(ops::policy::refusal(&breaches).into()),
        CsrOutcome::Refused { job_id, message } => {
            let message = format!("the issuer refused: {message} (job {job_id})");
            return Err(Error::new(ErrorKind::Unprocessable, "issuance_refused", message).into());
        }
    };
    Ok((StatusCode::ACCEPTED, Json(StatusResponse::with_message(status, message))))
}
