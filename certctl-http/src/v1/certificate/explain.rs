//! Explaining when and why a certificate is renewed.

use axum::Json;
use axum::extract::State;
use certctl_core::domain::CertificateId;
use certctl_core::ops::certificate::Explain;

use crate::problem::Failure;
use crate::request::{Allowed, Ids};
use crate::router::Api;
use crate::wire::CertificateExplanation;

/// Explains when and why a certificate is renewed
///
/// The gates that a renewal passes, in their order, each with its verdict, its reason and the moment that it is about. They tell
/// the decision that the server itself takes.
#[utoipa::path(
    get, path = "/api/v1/certificates/{id}/explain", operation_id = "explainCertificate", tag = "Certificates",
    params(("id" = String, Path, description = "Which")),
    responses((status = 200, description = "The gates", body = CertificateExplanation)),
)]
pub(crate) async fn explain(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Explain>,
    Ids((id,)): Ids<(CertificateId,)>,
) -> Result<Json<CertificateExplanation>, Failure> {
    Ok(Json(api.engine.execute(&principal, Explain { id }).await?.into()))
}
