//! Requests to any path, for programs that go by the OpenAPI document rather than by types.

use std::time::Duration;

use certctl_core::ports::{HttpRequest, Method};

use super::{Client, ClientError};

/// A request to a path of the API.
#[derive(Clone, Debug)]
pub struct RawRequest {
    method: Method,
    path: Vec<String>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Option<(String, Vec<u8>)>,
    patience: Duration,
}

/// What the server answered, when it did not refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawAnswer {
    /// The status code, 2xx.
    pub status: u16,
    /// The media type of the body, without parameters, in lower case; empty when the server named none.
    pub media_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl RawRequest {
    /// A request to a path, given by its segments, which are escaped.
    pub fn new(method: Method, path: impl IntoIterator<Item = String>) -> Self {
        let path = path.into_iter().collect();
        Self { method, path, query: Vec::new(), headers: Vec::new(), body: None, patience: Duration::ZERO }
    }
    /// With one more query parameter.
    #[must_use = "this makes a new value"]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }
    /// With one more header.
    #[must_use = "this makes a new value"]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
    /// With a body of a media type.
    #[must_use = "this makes a new value"]
    pub fn body(mut self, media_type: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Some((media_type.into(), bytes.into()));
        self
    }
    /// Waits this much longer than the client usually does, where the server holds the request.
    #[must_use = "this makes a new value"]
    pub fn patience(mut self, longer: Duration) -> Self {
        self.patience = longer;
        self
    }
}

impl Client {
    /// Sends a request and gives the answer as it came.
    ///
    /// # Errors
    /// [`ClientError::Unwritable`] for a path with a segment that is empty, `.` or `..`, because it would be another path;
    /// [`ClientError::Refused`] for every status but 2xx.
    pub async fn raw(&self, request: RawRequest) -> Result<RawAnswer, ClientError> {
        let asked = format!("{:?} /{}", request.method, request.path.join("/"));
        if let Some(segment) = request.path.iter().find(|segment| matches!(segment.as_str(), "" | "." | "..")) {
            return Err(ClientError::Unwritable(format!("`{segment}` names nothing in {asked}")));
        }
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => drop(segments.pop_if_empty().extend(&request.path)),
            Err(()) => return Err(ClientError::Unwritable(format!("{} is no server's address", self.base))),
        }
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        let mut sent = HttpRequest::new(request.method, url).header("accept", "application/json, */*;q=0.5");
        for (name, value) in request.headers {
            sent = sent.header(name, value);
        }
        if let Some((media_type, bytes)) = request.body {
            sent = sent.header("content-type", media_type).body(bytes);
        }
        let response = self.send_request(sent, request.patience, &asked).await?;
        let media_type = response.header("content-type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Ok(RawAnswer { status: response.status, media_type, body: response.body.to_vec() })
    }
}
