//! Exporting the audit trail.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use certctl_core::Error;
use certctl_core::ops::audit::{AuditExport, Export, ExportFormat};
use futures_util::stream::{self, Stream};
use serde::Deserialize;

use super::Wanted;
use crate::problem::Failure;
use crate::request::{Allowed, Params, value};
use crate::router::Api;

/// Bytes of one part, about: clients that read an answer as a whole have room for it.
const PART: usize = 8 << 20;

/// How an export is written, and which part of it.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Written {
    /// `ndjson`, which can be verified, or `csv`.
    #[param(nullable = false)]
    format: Option<String>,
    /// Only what is behind this place in the chain; 0 for all.
    #[param(value_type = Option<i64>, minimum = 0, nullable = false)]
    after: Option<String>,
    /// `true`: ends after some megabytes. The last line then has `"more":true`, and its `seq` is the next part's `after`.
    #[param(value_type = Option<bool>, nullable = false)]
    part: Option<String>,
}

/// Exports the audit trail, oldest first
///
/// In the format `ndjson` each line is an object: `export` first, then each `event` with each `checkpoint` behind the entry
/// that it was signed over, then `end`. Without a filter, and kept byte for byte, it can be verified anywhere.
#[utoipa::path(
    get, path = "/api/v1/audit/export", operation_id = "exportAuditEvents", tag = "Audit",
    params(Written, Wanted),
    responses((
        status = 200, description = "The entries, one a line",
        content((String = "application/x-ndjson"), (String = "text/csv")),
    )),
)]
pub(crate) async fn export(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Export>,
    Params(written): Params<Written>,
    Params(wanted): Params<Wanted>,
) -> Result<impl IntoResponse, Failure> {
    let format = value("format", written.format.as_ref())?.unwrap_or(ExportFormat::Ndjson);
    let after = value::<u64>("after", written.after.as_ref())?.unwrap_or(0);
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let part = written.part.as_deref().is_some_and(|text| matches!(text, "true" | "1"));
    let operation = Export { format, filter: wanted.filter()?, after, part: part.then_some(PART) };
    let export = api.engine.execute(&principal, operation).await?;
    let (kind, file) = match format {
        ExportFormat::Ndjson => ("application/x-ndjson", "attachment; filename=\"audit.ndjson\""),
        ExportFormat::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"audit.csv\""),
    };
    Ok(([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, file)], Body::from_stream(pieces(export))))
}

/// The pieces as they are read. One that fails breaks the answer off, so that nobody takes a part for the whole.
fn pieces(export: AuditExport) -> impl Stream<Item = Result<Bytes, Error>> {
    stream::try_unfold(export, async |mut export| {
        let piece = export.next().await.inspect_err(|error| {
            tracing::error!(%error, source = ?std::error::Error::source(error), "an export of the audit trail broke off");
        })?;
        Ok(piece.map(|bytes| (Bytes::from(bytes), export)))
    })
}
