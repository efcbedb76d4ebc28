//! Sending a request and reading its answer.

use std::time::Duration;

use certctl_core::ports::{HttpRequest, HttpResponse, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Client, ClientError, Listing};
use crate::wire::{Page, Problem};

/// A request before it has a server.
#[derive(Debug)]
pub(super) struct Call<'a> {
    method: Method,
    path: Vec<&'a str>,
    query: Vec<(&'static str, String)>,
    body: Option<Result<Vec<u8>, String>>,
    patience: Duration,
}

impl<'a> Call<'a> {
    pub(super) fn new(method: Method, path: impl IntoIterator<Item = &'a str>) -> Self {
        let path = path.into_iter().collect();
        Self { method, path, query: Vec::new(), body: None, patience: Duration::ZERO }
    }
    pub(super) fn get(path: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(Method::Get, path)
    }
    pub(super) fn post(path: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(Method::Post, path)
    }
    pub(super) fn body(mut self, body: &impl Serialize) -> Self {
        self.body = Some(serde_json::to_vec(body).map_err(|error| error.to_string()));
        self
    }
    pub(super) fn query(mut self, name: &'static str, value: String) -> Self {
        self.query.push((name, value));
        self
    }
    /// Waits this much longer than usual, where the server holds the request.
    pub(super) fn patience(mut self, longer: Duration) -> Self {
        self.patience = longer;
        self
    }

    fn asked(&self) -> String {
        format!("{:?} /{}", self.method, self.path.join("/"))
    }
}

impl Client {
    pub(super) async fn call<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, ClientError> {
        let asked = call.asked();
        let response = self.send(call).await?;
        serde_json::from_slice(&response.body)
            .map_err(|error| ClientError::Unreadable { asked, reason: error.to_string() })
    }

    /// `None` for an answer without a body.
    pub(super) async fn call_if_any<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<Option<T>, ClientError> {
        let asked = call.asked();
        let response = self.send(call).await?;
        if response.body.is_empty() {
            return Ok(None);
        }
        let read = serde_json::from_slice(&response.body);
        read.map(Some).map_err(|error| ClientError::Unreadable { asked, reason: error.to_string() })
    }

    pub(super) async fn call_empty(&self, call: Call<'_>) -> Result<(), ClientError> {
        self.send(call).await.map(drop)
    }

    /// The body as it came, of an answer that is no JSON.
    pub(super) async fn call_octets(&self, call: Call<'_>) -> Result<Vec<u8>, ClientError> {
        Ok(self.send(call).await?.body.into())
    }

    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        mut call: Call<'_>,
        listing: &Listing,
    ) -> Result<Page<T>, ClientError> {
        call.query.extend_from_slice(listing.pairs());
        self.call(call).await
    }

    /// The body of an answer that is no JSON.
    pub(super) async fn call_text(&self, mut call: Call<'_>, listing: &Listing) -> Result<String, ClientError> {
        call.query.extend_from_slice(listing.pairs());
        let asked = call.asked();
        let response = self.send(call).await?;
        String::from_utf8(response.body.into())
            .map_err(|error| ClientError::Unreadable { asked, reason: error.to_string() })
    }

    async fn send(&self, call: Call<'_>) -> Result<HttpResponse, ClientError> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => drop(segments.pop_if_empty().extend(&call.path)),
            Err(()) => return Err(ClientError::Unwritable(format!("{} is no server's address", self.base))),
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let asked = call.asked();
        let mut request = HttpRequest::new(call.method, url).header("accept", "application/json");
        if let Some(body) = call.body {
            let body = body.map_err(ClientError::Unwritable)?;
            request = request.header("content-type", "application/json").body(body);
        }
        self.send_request(request, call.patience, &asked).await
    }

    /// Sends it with the client's key; what is no success is an error.
    pub(super) async fn send_request(
        &self,
        mut request: HttpRequest,
        patience: Duration,
        asked: &str,
    ) -> Result<HttpResponse, ClientError> {
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {}", key.expose()));
        }
        let mut options = self.options.clone();
        options.timeout += patience;
        let response = self.http.send(request, &options).await?;
        if response.is_success() { Ok(response) } else { Err(refused(&response, asked)) }
    }
}

/// The problem of an answer; what is no problem document came from something between the client and the server.
fn refused(response: &HttpResponse, asked: &str) -> ClientError {
    let retry_after = response.header("retry-after").and_then(|value| value.parse().ok()).map(Duration::from_secs);
    let problem = serde_json::from_slice::<Problem>(&response.body).unwrap_or_else(|_| {
        let text: String = String::from_utf8_lossy(&response.body).chars().take(200).collect();
        let detail = format!("{asked} was answered with status {}: {}", response.status, text.trim());
        Problem {
            kind: "about:blank".into(),
            title: "Error".into(),
            status: response.status,
            detail: detail.clone(),
            code: "unknown".into(),
            errors: Vec::new(),
            error: "Error".into(),
            message: detail,
            request_id: String::new(),
            counts: None,
        }
    });
    ClientError::Refused { problem: Box::new(problem), retry_after }
}
