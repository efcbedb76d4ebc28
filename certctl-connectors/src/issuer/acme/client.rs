//! Requests to the CA: signed, each with a nonce of its own, repeated where the nonce was not good (RFC 8555 §6).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use certctl_core::connector::{ConnectorError, ConnectorErrorKind};
use certctl_core::ports::{
    Clock, Egress, HttpClient, HttpOptions, HttpRequest, HttpResponse, Method, Monotonic, Ports,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use super::config::AcmeTerms;
use super::jws::AccountKey;
use super::problem::{Problem, Refused};
use super::wire::Directory;

/// Nonces that are kept for later requests.
const KEPT_NONCES: usize = 32;
/// Requests that are made at most where the CA refuses nonces. At one refusal in two, one in four thousand fails.
const MOST_NONCES: usize = 12;
/// How long a directory is believed.
const DIRECTORY_AGE: Duration = Duration::from_hours(1);
const TIMEOUT: Duration = Duration::from_secs(30);

/// A CA, by its directory.
pub(super) struct Client {
    http: Arc<dyn HttpClient>,
    clock: Arc<dyn Clock>,
    directory_url: Url,
    roots_pem: Option<String>,
    directory: Mutex<Option<(Arc<Directory>, Monotonic)>>,
    nonces: Mutex<VecDeque<String>>,
}

/// Who signs a request.
#[derive(Clone, Copy)]
pub(super) struct Signed<'a> {
    pub(super) key: &'a AccountKey,
    /// The account; `None` for requests that carry the key itself (RFC 8555 §6.2).
    pub(super) account: Option<&'a str>,
}

/// A good answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) body: Bytes,
    pub(super) location: Option<Url>,
    /// When to ask again, where it says so.
    pub(super) retry_after: Option<Duration>,
    /// Where other chains are (RFC 8555 §7.4.2).
    pub(super) alternates: Vec<Url>,
}

impl Answer {
    /// The body.
    ///
    /// # Errors
    /// A transient one: what answers otherwise is not the CA, or not in order.
    pub(super) fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T, ConnectorError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            ConnectorError::transient(format!("the CA answered with something that is no {what}")).because(error)
        })
    }
}

impl Client {
    pub(super) fn new(terms: &AcmeTerms, ports: &Ports) -> Self {
        Self {
            http: Arc::clone(&ports.http),
            clock: Arc::clone(&ports.clock),
            directory_url: terms.directory.clone(),
            roots_pem: terms.roots_pem.clone(),
            directory: Mutex::default(),
            nonces: Mutex::default(),
        }
    }

    /// Where everything is.
    pub(super) async fn directory(&self) -> Result<Arc<Directory>, ConnectorError> {
        let now = self.clock.monotonic();
        let kept = lock(&self.directory).clone();
        if let Some((directory, read_at)) = kept
            && read_at.until(now) < DIRECTORY_AGE
        {
            return Ok(directory);
        }
        let answer = self.get(&self.directory_url).await?;
        let directory: Arc<Directory> = Arc::new(answer.json("ACME directory")?);
        *lock(&self.directory) = Some((Arc::clone(&directory), now));
        Ok(directory)
    }

    /// A request that is not signed.
    pub(super) async fn get(&self, url: &Url) -> Result<Answer, ConnectorError> {
        let response = self.send(HttpRequest::new(Method::Get, url.clone())).await?;
        Ok(self.read(url, response)?)
    }

    /// Reads a resource (POST-as-GET, RFC 8555 §6.3).
    pub(super) async fn read_as(&self, signed: Signed<'_>, url: &Url) -> Result<Answer, Refused> {
        self.request(signed, url, None).await
    }

    /// Sends a payload.
    pub(super) async fn post(&self, signed: Signed<'_>, url: &Url, payload: &Value) -> Result<Answer, Refused> {
        self.request(signed, url, Some(payload)).await
    }

    async fn request(&self, signed: Signed<'_>, url: &Url, payload: Option<&Value>) -> Result<Answer, Refused> {
        let mut last = None;
        for _ in 0..MOST_NONCES {
            let mut header = json!({ "nonce": self.nonce().await?, "url": url.as_str() });
            if let Some(members) = header.as_object_mut() {
                match signed.account {
                    Some(account) => members.insert("kid".to_owned(), json!(account)),
                    None => members.insert("jwk".to_owned(), signed.key.jwk()),
                };
            }
            let body = signed.key.sign(header, payload).await?;
            let request = HttpRequest::new(Method::Post, url.clone())
                .header("content-type", "application/jose+json")
                .body(body.to_string());
            let response = self.send(request).await?;
            match self.read(url, response) {
                // The answer brought a new one (RFC 8555 §6.5).
                Err(refused) if refused.name == "badNonce" => last = Some(refused),
                answer => return answer,
            }
        }
        Err(last.unwrap_or_else(|| ConnectorError::transient("the CA gives no nonce that it accepts").into()))
    }

    async fn nonce(&self) -> Result<String, ConnectorError> {
        let kept = lock(&self.nonces).pop_back();
        if let Some(nonce) = kept {
            return Ok(nonce);
        }
        let url = self.directory().await?.new_nonce.clone();
        let response = self.send(HttpRequest::new(Method::Head, url.clone())).await?;
        self.read(&url, response)?;
        let nonce = lock(&self.nonces).pop_back();
        nonce.ok_or_else(|| ConnectorError::transient("the CA gave no nonce"))
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let url = &request.url;
        if url.scheme() != "https" {
            return Err(ConnectorError::permanent(format!("the CA named a URL that is not https: {url}")));
        }
        // What the operator named is called as such; where the CA leads is somebody else's choice.
        let egress =
            if url.host_str() == self.directory_url.host_str() { Egress::Configured } else { Egress::Untrusted };
        let options =
            HttpOptions { roots_pem: self.roots_pem.clone(), timeout: TIMEOUT, egress, ..HttpOptions::default() };
        let response = self.http.send(request, &options).await?;
        if let Some(nonce) = response.header("replay-nonce").filter(|nonce| is_nonce(nonce)) {
            let mut nonces = lock(&self.nonces);
            if nonces.len() >= KEPT_NONCES {
                nonces.pop_front();
            }
            nonces.push_back(nonce.to_owned());
        }
        Ok(response)
    }

    fn read(&self, url: &Url, response: HttpResponse) -> Result<Answer, Refused> {
        if response.is_success() {
            return Ok(Answer {
                location: response.header("location").and_then(|location| url.join(location).ok()),
                retry_after: ConnectorError::wait_of(&response, self.clock.now()),
                alternates: alternates(url, &response),
                body: response.body,
            });
        }
        let problem: Problem = serde_json::from_slice(&response.body).unwrap_or_default();
        let mut error = ConnectorError::from_answer("the CA", &response, self.clock.now());
        if !problem.kind.is_empty() || !problem.detail.is_empty() {
            if let Some(kind) = problem.answered() {
                error.kind = kind;
            }
            error.message = format!("the CA refuses: {}", problem.text());
        }
        if matches!(error.kind, ConnectorErrorKind::Quota | ConnectorErrorKind::Transient) {
            error.retry_after = ConnectorError::wait_of(&response, self.clock.now());
        }
        Err(Refused { name: problem.name().to_owned(), status: response.status, error })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("directory", &self.directory_url.as_str()).finish_non_exhaustive()
    }
}

/// RFC 8555 §6.5.1.
fn is_nonce(text: &str) -> bool {
    (1..=512).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The targets of all `Link` headers with the relation `alternate` (RFC 8288).
fn alternates(url: &Url, response: &HttpResponse) -> Vec<Url> {
    let links = response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("link"));
    let links = links.flat_map(|(_, value)| value.split(','));
    links
        .filter_map(|link| {
            let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
            let mut parameters = parameters.split(';').map(|parameter| parameter.trim().to_ascii_lowercase());
            parameters
                .any(|p| p == "rel=\"alternate\"" || p == "rel=alternate")
                .then(|| url.join(target).ok())
                .flatten()
        })
        .take(8)
        .collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
