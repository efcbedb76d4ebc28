//! HTTP over real sockets on the loopback interface.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use certctl_core::testing::{ManualClock, TestAuthority};
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::host::EgressPolicy;
use crate::host::test_server::World;

/// A server that answers each connection with the next of its answers and records the requests.
struct Server {
    url: Url,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !complete(&request) {
                    if stream.read_buf(&mut request).await.unwrap() == 0 {
                        break;
                    }
                }
                record.lock().unwrap().push(String::from_utf8(request).unwrap());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { url, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn client(allow: &str) -> GuardedHttpClient {
    GuardedHttpClient::new(Guard::new(EgressPolicy {
        allow: allow.split_terminator(',').map(|net| net.parse().unwrap()).collect(),
        ..EgressPolicy::default()
    }))
}

fn post(url: &Url) -> HttpRequest {
    HttpRequest::new(Method::Post, url.clone())
        .header("Authorization", "Bearer s3cret")
        .header("X-Vault-Token", "s3cret")
        .header("Accept", "application/json")
        .body("payload")
}

#[tokio::test]
async fn a_request_goes_out_and_its_answer_comes_back() {
    let server = Server::start(vec![answer("201 Created", "Location: /new\r\n", "made")]).await;
    let response = client("127.0.0.0/8").send(post(&server.url), &HttpOptions::default()).await.unwrap();
    assert_eq!((response.status, response.header("location"), &response.body[..]), (201, Some("/new"), &b"made"[..]));
    let seen = server.seen().concat();
    assert!(seen.starts_with("POST / HTTP/1.1\r\n") && seen.ends_with("\r\n\r\npayload"), "{seen}");
    assert!(seen.to_lowercase().contains("authorization: bearer s3cret"), "{seen}");
}

#[tokio::test]
async fn refused_addresses_are_refused_as_literal_and_as_name() {
    let server = Server::start(vec![]).await;
    let mut by_name = server.url.clone();
    by_name.set_host(Some("localhost")).unwrap();
    for url in [server.url.clone(), by_name, Url::parse("http://[::ffff:7f00:1]:1/").unwrap()] {
        let error = client("").send(post(&url), &HttpOptions::default()).await.unwrap_err();
        assert!(matches!(error, HttpError::Refused { .. }), "{url}: {error}");
    }
}

#[tokio::test]
async fn the_control_plane_may_be_anywhere() {
    let server = Server::start(vec![answer("200 OK", "", "")]).await;
    let options = HttpOptions { egress: Egress::ControlPlane, ..HttpOptions::default() };
    assert!(client("").send(post(&server.url), &options).await.unwrap().is_success());
}

#[tokio::test]
async fn a_redirect_is_a_new_untrusted_call() {
    let server = Server::start(vec![answer("302 Found", "Location: http://169.254.169.254/latest\r\n", "")]).await;
    let options = HttpOptions { redirects: 3, ..HttpOptions::default() };
    let error = client("127.0.0.0/8").send(post(&server.url), &options).await.unwrap_err();
    assert_eq!(error, HttpError::Refused { host: "169.254.169.254".to_owned(), address: "169.254.169.254".to_owned() });
}

#[tokio::test]
async fn another_origin_gets_no_credential_and_no_body() {
    let other = Server::start(vec![answer("200 OK", "", "there")]).await;
    let redirect = format!("Location: {}next\r\n", other.url);
    let server =
        Server::start(vec![answer("303 See Other", &redirect, ""), answer("307 Temporary Redirect", &redirect, "")])
            .await;
    let options = HttpOptions { redirects: 1, ..HttpOptions::default() };
    let client = client("127.0.0.0/8");
    assert_eq!(client.send(post(&server.url), &options).await.unwrap().body, "there");
    let seen = other.seen().concat().to_lowercase();
    assert!(seen.starts_with("get /next ") && seen.contains("accept: application/json"), "{seen}");
    assert!(!seen.contains("s3cret") && !seen.contains("payload"), "{seen}");
    // A body would have to go along with a 307: it stays here, and the caller sees the redirect.
    assert_eq!(client.send(post(&server.url), &options).await.unwrap().status, 307);
}

#[tokio::test]
async fn the_same_origin_keeps_headers_and_the_count_is_a_limit() {
    let again = answer("307 Temporary Redirect", "Location: /again\r\n", "");
    let server = Server::start(vec![again.clone(), again.clone(), again]).await;
    let options = HttpOptions { redirects: 2, ..HttpOptions::default() };
    assert_eq!(client("127.0.0.0/8").send(post(&server.url), &options).await.unwrap().status, 307);
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|request| request.contains("s3cret") && request.ends_with("payload")));
}

#[tokio::test]
async fn answers_have_limits_in_size_and_time() {
    let server = Server::start(vec![answer("200 OK", "", "12345"), String::new()]).await;
    let client = client("127.0.0.0/8");
    let small = HttpOptions { max_response: 4, ..HttpOptions::default() };
    let error = client.send(post(&server.url), &small).await.unwrap_err();
    assert!(matches!(error, HttpError::TooLarge { limit: 4, .. }), "{error}");

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", silent.local_addr().unwrap())).unwrap();
    let brief = HttpOptions { timeout: Duration::from_millis(30), ..HttpOptions::default() };
    let error = client.send(HttpRequest::new(Method::Get, url), &brief).await.unwrap_err();
    assert!(matches!(error, HttpError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn unusable_requests_say_why() {
    let client = client("");
    let options = HttpOptions { roots_pem: Some("no pem".to_owned()), ..HttpOptions::default() };
    for (url, options) in [
        ("https://ca.example/", &options),
        ("ftp://ca.example/", &HttpOptions::default()),
        ("https://user:word@ca.example/", &HttpOptions::default()),
    ] {
        let error = client.send(HttpRequest::new(Method::Get, Url::parse(url).unwrap()), options).await.unwrap_err();
        assert!(matches!(error, HttpError::Invalid(_)), "{url}: {error}");
    }
}

#[test]
fn a_redirect_never_leaves_https() {
    let request = HttpRequest::new(Method::Get, Url::parse("https://ca.example/a").unwrap());
    let to = |location: &str| {
        let headers = vec![("location".to_owned(), location.to_owned())];
        redirected(&request, &HttpResponse { status: 302, headers, body: Bytes::new() })
            .map(|next| next.url.to_string())
    };
    assert_eq!(to("/b").as_deref(), Some("https://ca.example/b"));
    assert_eq!(to("http://ca.example/b"), None);
    assert_eq!(to("file:///etc/passwd"), None);
    assert_eq!(to("https://user@ca.example/"), None);
}

#[tokio::test]
async fn https_trusts_the_roots_it_is_given_and_nobody_else() {
    let world = World::new().await;
    let port = world.serve(&[&TLS12, &TLS13], false).await;
    let url = Url::parse(&format!("https://localhost:{port}/")).unwrap();
    let client = client("127.0.0.0/8,::1/128");
    let send = async |roots_pem: Option<String>| {
        let options = HttpOptions { roots_pem, ..HttpOptions::default() };
        client.send(HttpRequest::new(Method::Get, url.clone()), &options).await
    };
    assert!(send(Some(world.root_pem())).await.unwrap().is_success());
    for roots in [None, Some(TestAuthority::new(2, ManualClock::START).await.root_pem())] {
        let error = send(roots).await.unwrap_err();
        assert!(
            matches!(&error, HttpError::Unreachable { reason, .. } if reason.contains("no root that is trusted")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_if_there_is_one() {
    let world = World::new().await;
    let port = world.serve(&[&TLS13], true).await;
    let url = Url::parse(&format!("https://127.0.0.1:{port}/")).unwrap();
    let client = client("127.0.0.0/8");
    let with = HttpOptions {
        roots_pem: Some(world.root_pem()),
        identity: Some(world.identity().await),
        ..HttpOptions::default()
    };
    let without = HttpOptions { identity: None, ..with.clone() };
    let get = || HttpRequest::new(Method::Get, url.clone());
    assert_eq!(client.send(get(), &with).await.unwrap().body, "2");
    // The connection with the certificate must not serve the caller without.
    assert!(client.send(get(), &without).await.is_err());
}
