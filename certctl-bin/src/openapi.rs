//! `certctl openapi`: the document as it is served.

use serde_json::Value;

use crate::arguments::{DocumentFormat, OpenapiArguments, OpenapiVersion};
use crate::failure::Failure;
use crate::output;

/// Prints the document.
pub(crate) fn run(arguments: &OpenapiArguments) -> Result<(), Failure> {
    let is_committed = arguments.openapi_version == OpenapiVersion::V31 && !arguments.one_answer;
    if arguments.format == DocumentFormat::Json && is_committed {
        return output::line(certctl_http::openapi::COMMITTED.trim_end());
    }
    let document: Value = serde_json::from_str(certctl_http::openapi::COMMITTED)?;
    let document = match arguments.openapi_version {
        OpenapiVersion::V31 => document,
        OpenapiVersion::V30 => certctl_http::openapi::down_level(document),
    };
    let document = if arguments.one_answer { certctl_http::openapi::one_answer(document) } else { document };
    match arguments.format {
        DocumentFormat::Json => output::line(serde_json::to_string_pretty(&document)?),
        DocumentFormat::Yaml => output::line(serde_saphyr::to_string(&document)?.trim_end()),
    }
}
