//! Ids in paths.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use certctl_core::Error;

use crate::problem::Failure;

/// The ids in a path, by the order of their places.
#[derive(Debug)]
pub(crate) struct Ids<T>(pub(crate) T);

/// A text that cannot be an id names nothing.
fn id<T: FromStr>(ids: &BTreeMap<String, String>, name: &str, what: &str) -> Result<T, Failure> {
    let text = ids.get(name).map_or("", String::as_str);
    let shown: String = text.chars().take(128).collect();
    text.parse().map_err(|_| Error::not_found(what, shown).into())
}

async fn ids<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<BTreeMap<String, String>, Failure> {
    let path = Path::<BTreeMap<String, String>>::from_request_parts(parts, state).await;
    // The one way to fail is a segment that is no UTF-8 once it is decoded; no id has such a name.
    path.map(|Path(ids)| ids).map_err(|_| Error::not_found("such thing", parts.uri.path()).into())
}

impl<S: Send + Sync, T: FromStr + Send> FromRequestParts<S> for Ids<(T,)> {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        Ok(Self((id(&ids(parts, state).await?, "id", "such thing")?,)))
    }
}

impl<S: Send + Sync, T: FromStr + Send, U: FromStr + Send> FromRequestParts<S> for Ids<(T, U)> {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let ids = ids(parts, state).await?;
        let second = if ids.contains_key("job_id") { "job_id" } else { "cert_id" };
        Ok(Self((id(&ids, "id", "such thing")?, id(&ids, second, "such thing")?)))
    }
}
