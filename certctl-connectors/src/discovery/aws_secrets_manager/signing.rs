//! AWS Signature Version 4, as far as a `POST` of JSON needs it.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, Tag, sign};
use certctl_core::domain::Timestamp;
use certctl_core::ports::{HttpRequest, Method, Secret};
use url::Url;

/// Who signs, for which service.
pub(super) struct Signing<'a> {
    pub(super) access_key_id: &'a str,
    pub(super) secret_access_key: &'a Secret,
    pub(super) session_token: Option<&'a Secret>,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    /// This process's wall clock: AWS compares it with its own and takes a difference of five minutes.
    pub(super) now: Timestamp,
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

impl Signing<'_> {
    /// A signed `POST` of a body to an origin, with these headers, whose names are in lower case.
    pub(super) fn post(&self, origin: &Url, headers: &[(&str, &str)], body: Vec<u8>) -> HttpRequest {
        let moment = basic(self.now);
        let mut signed: Vec<(&str, &str)> = headers.to_vec();
        let host = host(origin);
        signed.extend([("host", host.as_str()), ("x-amz-date", moment.as_str())]);
        if let Some(token) = self.session_token {
            signed.push(("x-amz-security-token", token.expose()));
        }
        signed.sort_unstable();
        let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines =
            signed.iter().map(|(name, value)| format!("{name}:{}", value.trim())).collect::<Vec<_>>().join("\n");
        let request = format!("POST\n/\n\n{lines}\n\n{names}\n{}", hash(&body));
        let day: String = moment.chars().take(8).collect();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let text = format!("{ALGORITHM}\n{moment}\n{scope}\n{}", hash(request.as_bytes()));
        let signature = hex::encode(hmac(self.key(&day).as_ref(), &text));
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key_id
        );
        let post = HttpRequest::new(Method::Post, origin.clone()).header("authorization", authorization).body(body);
        // The client makes the host of the URL itself.
        let sent = signed.into_iter().filter(|(name, _)| *name != "host");
        sent.fold(post, |request, (name, value)| request.header(name, value))
    }

    /// The key of one day, region and service.
    fn key(&self, day: &str) -> Tag {
        let first = hmac(format!("AWS4{}", self.secret_access_key.expose()).as_bytes(), day);
        [self.region, self.service, "aws4_request"].iter().fold(first, |key, part| hmac(key.as_ref(), part))
    }
}

fn hmac(key: &[u8], text: &str) -> Tag {
    sign(&Key::new(HMAC_SHA256, key), text.as_bytes())
}

fn hash(octets: &[u8]) -> String {
    hex::encode(digest(&SHA256, octets))
}

/// `20150830T123600Z`.
fn basic(now: Timestamp) -> String {
    now.floor_to_second().to_rfc3339().chars().filter(|c| !matches!(c, '-' | ':')).collect()
}

/// As the HTTP client sends it: the port only where it is not the scheme's own.
fn host(origin: &Url) -> String {
    let host = origin.host_str().unwrap_or_default();
    origin.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `post-vanilla` and `post-header-key-sort` of the test suite that AWS publishes for the algorithm.
    #[test]
    fn the_published_vectors_come_out() {
        let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let signing = Signing {
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: &secret,
            session_token: None,
            region: "us-east-1",
            service: "service",
            now: "2015-08-30T12:36:00Z".parse().unwrap(),
        };
        let origin = Url::parse("https://example.amazonaws.com/").unwrap();
        let authorization = |headers: &[(&str, &str)]| {
            let request = signing.post(&origin, headers, Vec::new());
            let (_, value) = request.headers.iter().find(|(name, _)| name == "authorization").unwrap().clone();
            value.expose().to_owned()
        };
        assert_eq!(
            authorization(&[]),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        );
        assert!(authorization(&[("my-header1", "value1")]).ends_with(
            "SignedHeaders=host;my-header1;x-amz-date, \
             Signature=c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"
        ));
    }

    #[test]
    fn the_host_has_a_port_only_where_the_scheme_has_another() {
        for (url, expected) in [
            ("https://a.example/", "a.example"),
            ("https://a.example:443/", "a.example"),
            ("http://127.0.0.1:5000/", "127.0.0.1:5000"),
        ] {
            assert_eq!(host(&Url::parse(url).unwrap()), expected);
        }
    }
}
