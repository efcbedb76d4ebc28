//! AWS Secrets Manager as moto, an emulator that others wrote, has it. Where there is none, this shows as ignored, never as
//! passed; `scripts/moto` installs one.

#![expect(clippy::unwrap_used, reason = "a trial fails by panicking, as tests do")]
#![expect(clippy::disallowed_methods, reason = "the emulator is a process and listens on a port")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certctl_connectors::discovery::aws_secrets_manager::AwsSecretsManager;
use certctl_connectors::host::{self, HostConfig};
use certctl_core::connector::Registry;
use certctl_core::ports::{HttpOptions, HttpRequest, Method, Ports};
use certctl_core::testing::connector_context;
use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};

/// An emulator, until it is dropped.
struct Moto {
    process: Child,
    url: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A Python that has moto's server: that of `scripts/moto`, or the one on the path.
fn python() -> Option<String> {
    let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/moto/venv/bin/python");
    [ours, "python3"].into_iter().find(|python| has_moto(python)).map(str::to_owned)
}

fn has_moto(python: &str) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import moto.server, moto.secretsmanager, flask"]).stdout(Stdio::null()).stderr(Stdio::null());
    (python == "python3" || Path::new(python).exists()) && command.status().is_ok_and(|status| status.success())
}

impl Moto {
    fn start(python: &str) -> Self {
        let mut process = Command::new(python)
            .args(["-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let mut lines = log.lines();
        let url = lines.find_map(|line| Some(line.ok()?.split_once("Running on ")?.1.trim().to_owned())).unwrap();
        // What it says later must be read, or it waits for that.
        std::thread::spawn(move || lines.count());
        Self { process, url: url + "/" }
    }
}

fn main() {
    let python = python();
    let is_absent = python.is_none();
    let trial = Trial::test("secrets_of_an_emulator_are_found", move || {
        let moto = Moto::start(&python.ok_or("no moto")?);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(secrets_are_found(&moto.url));
        Ok(())
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial.with_ignored_flag(is_absent)]).exit();
}

/// Makes a secret as the emulator takes it: it does not look at signatures.
async fn make(ports: &Ports, url: &str, secret: Value) {
    let request = HttpRequest::new(Method::Post, url.parse().unwrap())
        .header("x-amz-target", "secretsmanager.CreateSecret")
        .header("content-type", "application/x-amz-json-1.1")
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKID/20300101/eu-central-1/secretsmanager/aws4_request, x",
        )
        .body(secret.to_string());
    let answer = ports.http.send(request, &HttpOptions::default()).await.unwrap();
    assert!(answer.is_success(), "{}", String::from_utf8_lossy(&answer.body));
}

async fn secrets_are_found(url: &str) {
    let egress = serde_json::from_value(json!({ "allow": ["127.0.0.0/8"] })).unwrap();
    let ports = host::ports(&HostConfig { egress, ..HostConfig::default() }).unwrap();
    let tag = |value: &str| json!([{ "Key": "type", "Value": value }]);
    // More than one page.
    for number in 0..120 {
        let (name, value) = (format!("tls/site-{number:03}"), format!("PEM of site {number}"));
        make(&ports, url, json!({ "Name": name, "SecretString": value, "Tags": tag("certificate") })).await;
    }
    let binary = STANDARD.encode([0x30, 3, 2, 1, 5]);
    make(&ports, url, json!({ "Name": "tls/raw", "SecretBinary": binary, "Tags": tag("certificate") })).await;
    make(&ports, url, json!({ "Name": "tls/password", "SecretString": "x", "Tags": tag("login") })).await;
    make(&ports, url, json!({ "Name": "other", "SecretString": "x", "Tags": tag("certificate") })).await;

    let config = json!({
        "region": "eu-central-1", "access_key_id": "AKID", "secret_access_key": "key", "name_prefix": "tls/", "endpoint": url,
    });
    let cx = connector_context("moto", ports);
    let registry = Registry::new().discovery::<AwsSecretsManager>();
    let source = registry.find_discovery("AWSSecretsManager").unwrap().build(&config, &cx).unwrap();
    let (mut found, mut after, mut pages) = (BTreeMap::new(), None::<String>, 0);
    loop {
        let page = source.page(after.as_deref()).await.unwrap();
        pages += 1;
        found.extend(page.items.into_iter().map(|item| (item.path, item.contents.unwrap().to_vec())));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(pages >= 3, "{pages} pages");
    assert_eq!(found.len(), 121, "{:?}", found.keys());
    assert_eq!(found["aws-sm://eu-central-1/tls/site-007"], b"PEM of site 7");
    assert_eq!(found["aws-sm://eu-central-1/tls/raw"], [0x30, 3, 2, 1, 5]);
}
