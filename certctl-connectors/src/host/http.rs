//! HTTP behind the egress guard.

use std::error::Error;
use std::net::IpAddr;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use certctl_core::ports::{Egress, HttpClient, HttpError, HttpOptions, HttpRequest, HttpResponse, Method};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rustls::CertificateError;
use url::{Host, Url};

use super::egress::{Guard, GuardError};
use super::http_clients::Clients;

/// Sends requests to checked addresses.
///
/// Redirects are followed by hand: each is checked as [`Egress::Untrusted`], none leads from `https` to `http`, and to
/// another origin go neither the body, nor the client certificate, nor any header that may carry a credential.
#[derive(Clone, Debug)]
pub struct GuardedHttpClient {
    guard: Guard,
    clients: Clients,
}

impl GuardedHttpClient {
    /// A client that asks this guard.
    pub fn new(guard: Guard) -> Self {
        Self { clients: Clients::new(guard.clone()), guard }
    }

    async fn follow(&self, mut request: HttpRequest, options: &HttpOptions) -> Result<HttpResponse, HttpError> {
        let mut options = options.clone();
        loop {
            let response = self.send_once(&request, &options).await?;
            if options.redirects == 0 {
                return Ok(response);
            }
            let Some(next) = redirected(&request, &response) else { return Ok(response) };
            if next.url.origin() != request.url.origin() {
                options.identity = None;
            }
            options.redirects -= 1;
            options.egress = Egress::Untrusted;
            request = next;
        }
    }

    async fn send_once(&self, request: &HttpRequest, options: &HttpOptions) -> Result<HttpResponse, HttpError> {
        let host = host(&request.url)?;
        self.check(&request.url, &host, options).await?;
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let name = HeaderName::try_from(name.as_str())
                .map_err(|_| HttpError::Invalid(format!("`{name}` is no header name")))?;
            let mut value = HeaderValue::try_from(value.expose()).map_err(|_| {
                HttpError::Invalid(format!("the value of the header `{name}` has characters it cannot have"))
            })?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        let mut sending =
            self.clients.client(options)?.request(method(request.method), request.url.clone()).headers(headers);
        if !request.body.is_empty() {
            sending = sending.body(request.body.clone());
        }
        let response = sending.send().await.map_err(|error| failure(&host, &error))?;
        read(response, &host, options.max_response).await
    }

    /// What the resolver of the connector does not see: IP literals, and names that a proxy resolves.
    async fn check(&self, url: &Url, host: &str, options: &HttpOptions) -> Result<(), HttpError> {
        let refused = |address: IpAddr| HttpError::Refused { host: host.to_owned(), address: address.to_string() };
        if let Some(Some(proxy)) = options.proxy.as_ref().map(literal) {
            self.guard.check(proxy, Egress::Configured).map_err(|error| refused(error.address))?;
        }
        if let Some(address) = literal(url) {
            return self.guard.check(address, options.egress).map_err(|error| refused(error.address));
        }
        if options.proxy.is_some() {
            // A name that only the proxy can resolve is left to the proxy.
            if let Err(GuardError::Refused(error)) = self.guard.resolve(host, 0, options.egress).await {
                return Err(refused(error.address));
            }
        }
        Ok(())
    }
}

#[async_trait]
impl HttpClient for GuardedHttpClient {
    async fn send(&self, request: HttpRequest, options: &HttpOptions) -> Result<HttpResponse, HttpError> {
        let host = host(&request.url)?;
        if !request.url.username().is_empty() || request.url.password().is_some() {
            return Err(HttpError::Invalid(
                "the URL carries a user name or password; send a header instead".to_owned(),
            ));
        }
        tokio::time::timeout(options.timeout, self.follow(request, options))
            .await
            .unwrap_or(Err(HttpError::Timeout { host, after: options.timeout }))
    }
}

fn host(url: &Url) -> Result<String, HttpError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(HttpError::Invalid(format!("`{}` is neither http nor https", url.scheme())));
    }
    url.host_str().map(ToOwned::to_owned).ok_or_else(|| HttpError::Invalid("the URL has no host".to_owned()))
}

fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
        Host::Domain(_) => None,
    }
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

/// Headers that say how an answer should look and nothing about who asks.
const HARMLESS: [&str; 4] = ["accept", "accept-language", "content-type", "user-agent"];

/// The request that a redirect asks for (RFC 9110 §15.4); `None` when it must not or cannot be followed.
fn redirected(request: &HttpRequest, response: &HttpResponse) -> Option<HttpRequest> {
    let keeps_method = match response.status {
        301 | 302 => request.method != Method::Post,
        303 => matches!(request.method, Method::Get | Method::Head),
        307 | 308 => true,
        _ => return None,
    };
    let url = request.url.join(response.header("location")?).ok()?;
    let downgrade = request.url.scheme() == "https" && url.scheme() != "https";
    let credentials = !url.username().is_empty() || url.password().is_some();
    if downgrade || credentials || host(&url).is_err() {
        return None;
    }
    let mut next = request.clone();
    if !keeps_method {
        next.method = Method::Get;
        next.body = Bytes::new();
        next.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
    }
    if url.origin() != request.url.origin() {
        if !next.body.is_empty() {
            return None;
        }
        next.headers.retain(|(name, _)| HARMLESS.iter().any(|harmless| name.eq_ignore_ascii_case(harmless)));
    }
    next.url = url;
    Some(next)
}

async fn read(mut response: reqwest::Response, host: &str, limit: usize) -> Result<HttpResponse, HttpError> {
    let too_large = || HttpError::TooLarge { host: host.to_owned(), limit };
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(host, &error))? {
        if body.len().saturating_add(chunk.len()) > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(HttpResponse { status, headers, body: body.freeze() })
}

/// Finds the guard's verdict below the client's errors, or else the innermost reason, which names the true cause.
fn failure(host: &str, error: &reqwest::Error) -> HttpError {
    let mut cause: &(dyn Error + 'static) = error;
    loop {
        if let Some(GuardError::Refused(refused)) = cause.downcast_ref::<GuardError>() {
            return HttpError::Refused { host: host.to_owned(), address: refused.address.to_string() };
        }
        let Some(deeper) = cause.source() else { break };
        cause = deeper;
    }
    let reason = if is_of_unknown_root(cause) {
        "no root that is trusted here signed its certificate; name the root that did (that of a certctl server is its \
         DIR/ca.pem)"
            .to_owned()
    } else {
        cause.to_string()
    };
    HttpError::Unreachable { host: host.to_owned(), reason }
}

fn is_of_unknown_root(cause: &(dyn Error + 'static)) -> bool {
    // What an I/O error wraps is not its source, and may be an I/O error again.
    if let Some(wrapped) = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        return is_of_unknown_root(wrapped);
    }
    // A signature is bad where another root has the same name, such as that of another certctl server.
    matches!(
        cause.downcast_ref(),
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature))
    )
}

#[cfg(test)]
mod tests;
