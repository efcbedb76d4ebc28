//! An object with its `ETag` (RFC 9110 §8.8.3): the version that is stored, as a strong tag.

use axum::Json;
use axum::http::HeaderValue;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use certctl_core::Error;
use certctl_core::domain::Principal;
use certctl_core::engine::Precondition;
use certctl_core::entity::Mutable;
use certctl_core::ops::Operation;
use serde::Serialize;

use crate::router::Api;

/// A JSON object and its stored version.
#[derive(Debug)]
pub(crate) struct Tagged<T>(pub(crate) i64, pub(crate) T);

impl<T> Tagged<T> {
    /// Runs an operation that writes one record of a kind; gives what it answers, with the version that is stored then.
    pub(crate) async fn written<E: Mutable, O: Operation<Output: Into<T>>>(
        api: &Api,
        principal: &Principal,
        operation: O,
        condition: Option<Precondition>,
    ) -> Result<Self, Error> {
        let (output, version) = api.engine.execute_tagged::<E, O>(principal, operation, condition).await?;
        let version = version.ok_or_else(|| Error::internal(NothingWritten(O::NAME)))?;
        Ok(Self(version, output.into()))
    }
}

/// An operation that should have written its object did not.
#[derive(Debug, thiserror::Error)]
#[error("{0} wrote no object")]
struct NothingWritten(&'static str);

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.1).into_response();
        if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", self.0)) {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}
