//! http-01 (RFC 8555 §8.3).

use url::Url;

use super::{Proof, incorrect, unreachable};
use crate::enrol::acme::config::AcmeValidation;
use crate::enrol::acme::problem::{Problem, ProblemType};
use crate::ports::{Egress, HttpClient, HttpError, HttpOptions, HttpRequest, HttpResponse, Method, Ports};

/// Redirects that are followed.
const REDIRECTS: usize = 10;
/// The longest answer that is read, in octets. What is asked for has about 90.
const LONGEST: usize = 4 * 1024;

pub(super) async fn validate(ports: &Ports, how: &AcmeValidation, proof: &Proof<'_>) -> Result<(), Problem> {
    let port = if how.http_port == 80 { String::new() } else { format!(":{}", how.http_port) };
    let url = format!("http://{}{port}/.well-known/acme-challenge/{}", proof.host(), proof.token);
    let url = Url::parse(&url).map_err(|error| unreachable(format!("no URL can be made of the name: {error}")))?;
    let answer = follow(&*ports.http, how, url).await?;
    if answer.status != 200 {
        return Err(incorrect(format!("the web server answered with status {}, not 200", answer.status)));
    }
    // RFC 8555 §8.3: white space after it is ignored.
    if answer.body.trim_ascii_end() == proof.key_authorization().as_bytes() {
        return Ok(());
    }
    Err(incorrect("what the web server serves is not the key authorization of this challenge and account"))
}

/// Follows redirects by itself, because only to the ports of web servers it follows them: a challenge is no way to look which ports of
/// somebody else's host are open.
async fn follow(http: &dyn HttpClient, how: &AcmeValidation, mut url: Url) -> Result<HttpResponse, Problem> {
    let options = HttpOptions {
        timeout: how.timeout,
        max_response: LONGEST,
        redirects: 0,
        egress: Egress::Untrusted,
        ..HttpOptions::default()
    };
    for _ in 0..=REDIRECTS {
        let request = HttpRequest::new(Method::Get, url.clone()).header("accept", "*/*");
        let answer = http.send(request, &options).await.map_err(|error| failure(&error))?;
        if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
            return Ok(answer);
        }
        let next = answer.header("location").and_then(|location| url.join(location).ok());
        let Some(next) = next else { return Err(incorrect("the web server redirects to nowhere")) };
        let allowed = match (next.scheme(), next.port_or_known_default()) {
            ("http", Some(port)) => port == 80 || port == how.http_port,
            ("https", Some(port)) => port == 443 || port == how.tls_port,
            _ => false,
        };
        if !allowed || !next.username().is_empty() || next.password().is_some() {
            return Err(incorrect("the web server redirects to something else than http at 80 or https at 443"));
        }
        url = next;
    }
    Err(incorrect(format!("the web server redirects more than {REDIRECTS} times")))
}

fn failure(error: &HttpError) -> Problem {
    match error {
        HttpError::TooLarge { .. } => incorrect("the answer of the web server is longer than any key authorization"),
        HttpError::Refused { .. } => {
            Problem::new(ProblemType::RejectedIdentifier, "the name leads to an address that this server does not call")
        }
        // The reason says which part failed, and nothing of what was read.
        other => unreachable(other.to_string()),
    }
}
