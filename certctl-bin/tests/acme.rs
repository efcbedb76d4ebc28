//! The server as a client of pebble, an ACME CA that others wrote: it orders, and the CA finds its answers over HTTP and in the
//! server's own TLS handshakes. In the long form the server is killed again and again, and goes on. Where there is no pebble these
//! show as ignored, never as passed.

#![expect(clippy::disallowed_methods, reason = "the test runs the program and a CA")]
#![expect(clippy::unwrap_used, reason = "a trial fails by panicking, as tests do")]

#[expect(dead_code, reason = "the tests of the connector use more of it")]
#[path = "../../certctl-connectors/tests/pebble/ca.rs"]
mod ca;
#[expect(dead_code, reason = "other tests need more of it")]
mod program;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use certctl_core::domain::{Chain, KeyAlgorithm, SubjectNames};
use certctl_core::pki::{certificate, csr};
use certctl_core::ports::Keys;
use certctl_core::testing::{SeededRng, TestKeys};
use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};

use ca::{Manner, Pebble};
use program::{KEY, Running, certctl};

fn main() {
    let is_absent = !ca::is_there();
    let long = std::env::var_os("CERTCTL_TEST_LONG").is_some();
    let trials = vec![
        Trial::test("http_and_tls_challenges_are_answered_by_the_server", || run(4, 0)).with_ignored_flag(is_absent),
        Trial::test("a_server_that_is_killed_goes_on", || run(24, 6)).with_ignored_flag(is_absent || !long),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn run(certificates: usize, kills: usize) -> Result<(), libtest_mimic::Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(through(certificates, kills));
    Ok(())
}

/// The server, where the CA looks for it.
fn start(directory: &Path, pebble: &Pebble) -> Running {
    let http = format!("127.0.0.1:{}", pebble.http);
    let named = format!("me:{KEY}:admin");
    let variables = [
        ("CERTCTL_API_KEYS_NAMED", named.as_str()),
        ("CERTCTL_EGRESS_ALLOW", "127.0.0.0/8,::1/128"),
        ("CERTCTL_ACME_HTTP_LISTEN", &http),
        ("CERTCTL_LOG_LEVEL", "warn"),
    ];
    let mut command = certctl();
    command.args(["serve", "--listen", &format!("127.0.0.1:{}", pebble.tls), "--data-dir"]).arg(directory);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::of(command, directory, &variables)
}

fn call(server: &Running, method: &str, path: &str, body: Option<&Value>) -> Value {
    let mut command = Command::new("curl");
    command.args(["-sS", "--fail-with-body", "-X", method, "-H", &format!("authorization: Bearer {KEY}")]);
    command.arg("--cacert").arg(&server.ca).arg(format!("{}{path}", server.url));
    if let Some(body) = body {
        command.args(["-H", "content-type: application/json", "-d", &body.to_string()]);
    }
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{method} {path}: {text}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text).unwrap_or_default()
}

async fn request(name: &str, seed: u64) -> String {
    let key = TestKeys.generate(KeyAlgorithm::EcdsaP256, &SeededRng::new(seed)).await.unwrap();
    csr::build(&SubjectNames::new(name, &[]).unwrap(), &*key.signer).await.unwrap().to_pem()
}

async fn through(certificates: usize, mut kills: usize) {
    let pebble = Pebble::start(Manner::Bad).await;
    let directory = tempfile::tempdir().unwrap();
    let mut server = start(directory.path(), &pebble);
    for challenge in ["http-01", "tls-alpn-01"] {
        let config = json!({
            "directory_url": pebble.directory, "email": "ops@example.com", "roots_pem": pebble.root_pem,
            "challenge_type": challenge,
        });
        let issuer = json!({ "id": format!("iss-{challenge}"), "name": challenge, "type": "ACME", "config": config });
        call(&server, "POST", "/api/v1/issuers", Some(&issuer));
    }
    let id = |number: usize| format!("mc-{number}");
    for number in 0..certificates {
        let name = format!("host-{number}.example");
        let challenge = if number % 2 == 0 { "http-01" } else { "tls-alpn-01" };
        let certificate = json!({
            "id": id(number), "name": name, "common_name": name, "owner_id": "o-default", "team_id": "team-default",
            "issuer_id": format!("iss-{challenge}"), "renewal_policy_id": "rp-default",
        });
        call(&server, "POST", "/api/v1/certificates", Some(&certificate));
        let request = request(&name, number as u64).await;
        call(
            &server,
            "POST",
            &format!("/api/v1/certificates/{}/csr", id(number)),
            Some(&json!({ "csr_pem": request })),
        );
    }
    let began = Instant::now();
    let mut killed = Instant::now();
    loop {
        let issued = (0..certificates).filter(|number| {
            let versions = call(&server, "GET", &format!("/api/v1/certificates/{}/versions", id(*number)), None);
            let total = versions["total"].as_u64().unwrap_or_default();
            assert!(total <= 1, "{} was issued twice", id(*number));
            total == 1
        });
        if issued.count() == certificates {
            break;
        }
        let jobs = || call(&server, "GET", "/api/v1/jobs?per_page=100", None);
        assert!(began.elapsed() < Duration::from_secs(900), "they are not done: {}", jobs());
        if kills > 0 && killed.elapsed() > Duration::from_millis(1_500) {
            server.signal("KILL");
            drop(server);
            server = start(directory.path(), &pebble);
            (kills, killed) = (kills - 1, Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    for number in 0..certificates {
        let versions = call(&server, "GET", &format!("/api/v1/certificates/{}/versions", id(number)), None);
        let chain = Chain::from_pem(versions["data"][0]["pem_chain"].as_str().unwrap()).unwrap();
        let facts = certificate::parse(chain.leaf()).unwrap();
        assert_eq!(facts.names.san_texts(), [format!("host-{number}.example")]);
    }
    server.terminate();
}
