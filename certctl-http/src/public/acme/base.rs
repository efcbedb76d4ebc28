//! Where the server is, as its clients see it.

use axum::extract::{OriginalUri, Request};
use axum::http::header::HOST;

use crate::edge::OverTls;
use crate::router::Api;

/// The URLs of a request.
pub(super) struct Urls {
    /// What the URLs of the directory begin with.
    pub(super) directory: String,
    /// The URL of the request itself.
    pub(super) whole: String,
}

impl Urls {
    /// By the configured URL of the server, or else by the host that the request names.
    pub(super) fn of(api: &Api, request: &Request) -> Self {
        let configured = api.engine.acme().and_then(|acme| acme.config().url.clone());
        let is_configured = configured.is_some();
        let origin = configured.unwrap_or_else(|| origin(request));
        // Behind a mount point the request's own path is only the end of what the client called.
        let path = request.uri().path();
        let original = request.extensions().get::<OriginalUri>().map_or(path, |OriginalUri(uri)| uri.path());
        let mount = if is_configured { "" } else { original.strip_suffix(path).unwrap_or_default() };
        let directory = directory(path);
        Self { directory: format!("{origin}{mount}{directory}"), whole: format!("{origin}{mount}{path}") }
    }
}

fn origin(request: &Request) -> String {
    let scheme = if request.extensions().get::<OverTls>().is_some() { "https" } else { "http" };
    let named = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    // HTTP/2 names the host in the request's URI.
    let host = request.uri().authority().map(axum::http::uri::Authority::as_str).or(named).unwrap_or("localhost");
    format!("{scheme}://{}", host.to_ascii_lowercase())
}

/// `/acme` or `/acme/profile/ID`, at the beginning of the path.
fn directory(path: &str) -> &str {
    // The slash behind it.
    let slash = if path.starts_with("/acme/profile/") { 3 } else { 1 };
    path.match_indices('/').nth(slash).map_or(path, |(at, _)| path.get(..at).unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_the_beginning_of_the_path() {
        assert_eq!(directory("/acme/new-order"), "/acme");
        assert_eq!(directory("/acme/order/7/finalize"), "/acme");
        assert_eq!(directory("/acme/profile/prof-a/new-order"), "/acme/profile/prof-a");
        assert_eq!(directory("/acme/profile/prof-a/order/7/finalize"), "/acme/profile/prof-a");
    }
}
