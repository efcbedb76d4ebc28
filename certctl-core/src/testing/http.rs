//! HTTP without a network: scripted answers.

use async_trait::async_trait;
use bytes::Bytes;

use super::script::Script;
use crate::ports::{HttpClient, HttpError, HttpOptions, HttpRequest, HttpResponse, Method};

/// Answers requests by rules, the first that fits, and records them. A request without a rule is unreachable. Clones share
/// one script.
#[derive(Clone, Debug, Default)]
pub struct ScriptedHttp(Script<(HttpRequest, HttpOptions), Result<HttpResponse, HttpError>>);

impl ScriptedHttp {
    /// A script without rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every such request gets this answer. A URL that ends in `*` stands for all that begin like it.
    pub fn on(&self, method: Method, url: &str, response: HttpResponse) {
        let url = url.to_owned();
        self.handle(move |request, _| {
            let fits = match url.strip_suffix('*') {
                Some(prefix) => request.url.as_str().starts_with(prefix),
                None => request.url.as_str() == url,
            };
            (fits && request.method == method).then(|| Ok(response.clone()))
        });
    }

    /// The next such request gets this answer, and only that one.
    pub fn once(&self, method: Method, url: &str, response: Result<HttpResponse, HttpError>) {
        let (url, mut response) = (url.to_owned(), Some(response));
        self.handle(
            move |request, _| {
                if request.method == method && request.url.as_str() == url { response.take() } else { None }
            },
        );
    }

    /// Asks this rule; `None` leaves the request to the next one.
    pub fn handle(
        &self,
        mut rule: impl FnMut(&HttpRequest, &HttpOptions) -> Option<Result<HttpResponse, HttpError>> + Send + 'static,
    ) {
        self.0.add(move |(request, options)| rule(request, options));
    }

    /// Forgets the rules; what was recorded stays.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// The requests sent so far.
    pub fn calls(&self) -> Vec<HttpRequest> {
        self.0.calls().into_iter().map(|(request, _)| request).collect()
    }

    /// The requests sent so far and how they were sent.
    pub fn calls_with_options(&self) -> Vec<(HttpRequest, HttpOptions)> {
        self.0.calls()
    }

    /// An answer without headers.
    pub fn response(status: u16, body: impl Into<Bytes>) -> HttpResponse {
        HttpResponse { status, headers: Vec::new(), body: body.into() }
    }

    /// A JSON answer.
    pub fn json(status: u16, body: &serde_json::Value) -> HttpResponse {
        HttpResponse {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string().into(),
        }
    }
}

#[async_trait]
impl HttpClient for ScriptedHttp {
    async fn send(&self, request: HttpRequest, options: &HttpOptions) -> Result<HttpResponse, HttpError> {
        let host = request.url.host_str().unwrap_or_default().to_owned();
        let reason = format!("the script has no answer to {:?} {}", request.method, request.url);
        let answer = self
            .0
            .answer(&(request, options.clone()))
            .unwrap_or(Err(HttpError::Unreachable { host: host.clone(), reason }))?;
        // The limit holds here as it does in production.
        if answer.body.len() > options.max_response {
            return Err(HttpError::TooLarge { host, limit: options.max_response });
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::block_on;

    #[test]
    fn rules_answer_in_order_and_the_limit_holds() {
        let http = ScriptedHttp::new();
        http.once(Method::Get, "https://ca.example/a", Ok(ScriptedHttp::response(503, "")));
        http.on(Method::Get, "https://ca.example/*", ScriptedHttp::response(200, "12345"));
        let send = |url: &str, limit| {
            let options = HttpOptions { max_response: limit, ..HttpOptions::default() };
            block_on(http.send(HttpRequest::new(Method::Get, url.parse().unwrap()), &options))
        };
        assert_eq!(send("https://ca.example/a", 9).unwrap().status, 503);
        assert_eq!(send("https://ca.example/a", 9).unwrap().status, 200);
        assert!(matches!(send("https://ca.example/b", 4), Err(HttpError::TooLarge { .. })));
        assert!(matches!(send("https://other.example/", 9), Err(HttpError::Unreachable { .. })));
        assert_eq!(http.calls().len(), 4);
    }
}
