//! The API without a server: requests go to an engine in this process, over the store itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use certctl_core::ports::{HttpClient, HttpError, HttpOptions, HttpRequest, HttpResponse, Method, Secret};
use certctl_http::client::Client;
use certctl_http::{Authentication, Options};
use tower::ServiceExt;
use url::Url;

use crate::compose;
use crate::config::{Config, Environment};
use crate::data_dir::DataDir;
use crate::failure::Failure;

/// A client of the store at a place: a server's data directory, or a database's URL.
///
/// # Errors
/// When there is no such place, or another process has it.
pub(super) async fn client(place: &str, environment: &Environment) -> Result<Client, Failure> {
    let config = configuration("--store", place, environment)?.validate()?;
    let ports = compose::server_ports(&config)?;
    let dir = DataDir::open(&config.data_dir, ports.files.clone()).await?;
    let engine = compose::engine(&config, &dir, ports).await?;
    let router = certctl_http::router(engine, Options { authentication: Authentication::Local, ..Options::default() });
    let base = Url::parse("http://store.invalid/")?;
    Ok(Client::new(Arc::new(InProcess(router)), base))
}

/// What a server of the store that a flag names would be configured with.
pub(crate) fn configuration(flag: &str, place: &str, environment: &Environment) -> Result<Config, Failure> {
    let mut config = Config::read(environment.get("CONFIG").map(Path::new))?;
    config.overlay(environment)?;
    if is_url(place) {
        if config.data_dir.is_none()
            && let Some(path) = place.strip_prefix("sqlite:")
        {
            let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
            config.data_dir =
                path.parent().map(|parent| if parent.as_os_str().is_empty() { ".".into() } else { parent.into() });
        }
        config.database.url = Some(Secret::new(place));
        return Ok(config);
    }
    let dir = PathBuf::from(place);
    if !dir.is_dir() {
        return Err(Failure::usage(format!("{flag}: there is no directory {place}; name a server's data directory")));
    }
    config.data_dir = Some(dir);
    config.database.url = None;
    Ok(config)
}

fn is_url(place: &str) -> bool {
    ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| place.starts_with(scheme))
}

/// The router in place of a network.
struct InProcess(Router);

#[async_trait]
impl HttpClient for InProcess {
    async fn send(&self, request: HttpRequest, options: &HttpOptions) -> Result<HttpResponse, HttpError> {
        let invalid = |error: &dyn std::fmt::Display| HttpError::Invalid(error.to_string());
        let method = match request.method {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        };
        let mut call = Request::builder().method(method).uri(request.url.as_str());
        for (name, value) in &request.headers {
            call = call.header(name, value.expose());
        }
        let call = call.body(Body::from(request.body)).map_err(|error| invalid(&error))?;
        let answered = self.0.clone().oneshot(call).await;
        let answer = answered.unwrap_or_else(|never| match never {});
        let status = answer.status().as_u16();
        let headers = answer.headers().iter();
        let headers =
            headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect();
        let limit = options.max_response;
        let body = to_bytes(answer.into_body(), limit).await;
        let body = body.map_err(|_| HttpError::TooLarge { host: "the store".to_owned(), limit })?;
        Ok(HttpResponse { status, headers, body })
    }
}
