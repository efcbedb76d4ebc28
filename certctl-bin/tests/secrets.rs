//! Secrets that are planted wherever the program takes one, and looked for wherever it leaves something: the data directory,
//! the database of either kind, the log at its most talkative, the audit trail and every answer.

#![expect(clippy::disallowed_methods, reason = "the test runs the program and looks at its files")]
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

#[expect(dead_code, reason = "other tests need more of it")]
mod program;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use certctl_core::domain::{KeyAlgorithm, Serial, SubjectNames, Timestamp, pem};
use certctl_core::pki::certificate::{AuthorityRequest, DistinguishedName, root};
use certctl_core::pki::{csr, private_key};
use certctl_core::ports::Keys;
use certctl_core::testing::{SeededRng, TestKeys, block_on};
use certctl_storage::testing::TemporaryPostgres;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};

use program::{certctl, serve_command};

/// No secret: it is to be found everywhere, so that a look in the wrong place fails.
const MARKER: &str = "mc-planted-in-the-open";
/// How often a state is looked at before the test gives up.
const LOOKS: usize = 600;

/// Something that must not be found, and what it is.
struct Planted {
    what: String,
    /// Its octets, and how else they may be written.
    forms: Vec<Vec<u8>>,
}

impl Planted {
    fn new(what: impl Into<String>, octets: &[u8]) -> Self {
        let mut forms = vec![octets.to_vec(), hex::encode(octets).into_bytes(), hex::encode_upper(octets).into_bytes()];
        // In the middle of something longer, Base64 has three forms; the ends depend on the neighbours.
        for before in 0..3 {
            let mut shifted = vec![0; before];
            shifted.extend_from_slice(octets);
            let text = STANDARD_NO_PAD.encode(shifted);
            forms.push(text.as_bytes()[if before == 0 { 0 } else { 4 }..text.len() - 4].to_vec());
        }
        Self { what: what.into(), forms }
    }

    fn is_in(&self, place: &[u8]) -> bool {
        self.forms.iter().any(|form| contains(place, form))
    }
}

fn contains(place: &[u8], wanted: &[u8]) -> bool {
    let mut rest = place;
    while let Some(at) = rest.iter().position(|octet| *octet == wanted[0]) {
        rest = &rest[at..];
        if rest.starts_with(wanted) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

/// The secrets, and the answers.
#[derive(Default)]
struct Desk {
    address: String,
    planted: Vec<Planted>,
    /// Each with the number of the secret that it may show, because it is how its owner learns it.
    answers: Vec<(String, Option<usize>)>,
}

impl Desk {
    /// Makes up a secret.
    fn plant(&mut self, what: &str) -> String {
        let secret = format!("Pl4nted-{what}-x9Qv7Zk2");
        self.planted.push(Planted::new(what, secret.as_bytes()));
        secret
    }

    /// Sends a request, with whatever headers; gives the status and the body.
    fn send(&mut self, request: &str, headers: &[(&str, &str)], body: Option<&Value>) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut text = format!("{request} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
        self.answers.push((answer, None));
        (status, body)
    }

    fn ask(&mut self, key: &str, request: &str, body: Option<&Value>) -> (u16, String) {
        self.send(request, &[("authorization", &format!("Bearer {key}"))], body)
    }

    /// A request that must succeed.
    #[track_caller]
    fn done(&mut self, key: &str, request: &str, body: Option<&Value>) -> Value {
        let (status, text) = self.ask(key, request, body);
        assert!(status < 300, "{request}: {status} {text}");
        let json = text.find(['{', '[']).map(|from| &text[from..=text.rfind(['}', ']']).unwrap()]);
        json.map_or(Value::Null, |json| serde_json::from_str(json).unwrap())
    }

    /// The same, where the answer shows a new secret in this member, once.
    #[track_caller]
    fn shown_once(&mut self, key: &str, request: &str, body: &Value, member: &str) -> String {
        let answer = self.done(key, request, Some(body));
        let secret = answer[member].as_str().unwrap().to_owned();
        self.answers.last_mut().unwrap().1 = Some(self.planted.len());
        self.planted.push(Planted::new(format!("{request} {member} {body}"), secret.as_bytes()));
        secret
    }

    #[track_caller]
    fn until(&mut self, key: &str, request: &str, state: &str) {
        for _ in 0..LOOKS {
            if self.done(key, request, None).to_string().contains(state) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{request}: never {state}: {}", self.answers.last().unwrap().0);
    }

    /// Looks for every secret in a place.
    fn search(&self, place: &str, octets: &[u8]) {
        for planted in &self.planted {
            assert!(!planted.is_in(octets), "{} is in {place}", planted.what);
        }
    }
}

/// A process that is ended with the test.
struct Process(Child);

impl Process {
    fn terminate(&mut self) {
        assert!(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap().success());
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A CA: its certificate, its key, and the private number in that key.
fn authority(seed: u64) -> (String, String, Vec<u8>) {
    let rng = SeededRng::new(seed);
    let key = block_on(TestKeys.generate(KeyAlgorithm::EcdsaP256, &rng)).unwrap();
    let request = AuthorityRequest {
        subject: DistinguishedName { country: None, organization: None, common_name: format!("Corp {seed}") },
        spki: key.signer.public_key().to_vec(),
        serial: Serial::random(&rng),
        not_before: Timestamp::from_unix_seconds(1_500_000_000),
        not_after: Timestamp::from_unix_seconds(4_000_000_000),
        path_length: None,
        crl_urls: Vec::new(),
        ocsp_urls: Vec::new(),
        ca_issuer_urls: Vec::new(),
    };
    let der = block_on(root(&request).unwrap().sign(&*key.signer)).unwrap();
    (pem::encode("CERTIFICATE", &der), private_key::to_pem(&key.pkcs8).to_string(), scalar(&key.pkcs8))
}

/// The private number of a P-256 key in PKCS #8: the octet string of 32 behind version 1 (RFC 5915, section 3).
fn scalar(pkcs8: &[u8]) -> Vec<u8> {
    let before: &[u8] = &[2, 1, 1, 4, 32];
    let at = pkcs8.windows(before.len()).position(|window| window == before).unwrap() + before.len();
    pkcs8[at..at + 32].to_vec()
}

/// All files below a directory.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

fn a_secret_is_found_however_it_is_written() {
    let planted = Planted::new("a secret", b"Pl4nted-secret-x9Qv7Zk2");
    let text = "a: Pl4nted-secret-x9Qv7Zk2;";
    assert!(planted.is_in(text.as_bytes()) && !planted.is_in(b"a: Pl4nted-secret-x9Qv7Zk3;"));
    for from in 0..3 {
        assert!(planted.is_in(STANDARD_NO_PAD.encode(&text[from..]).as_bytes()), "{from}");
    }
    assert!(planted.is_in(hex::encode(text).as_bytes()) && planted.is_in(hex::encode_upper(text).as_bytes()));
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    let server = Arc::new(if arguments.list { None } else { TemporaryPostgres::start() });
    let (postgres, missing) = (Arc::clone(&server), server.is_none());
    let trials = vec![
        Trial::test("a_secret_is_found_however_it_is_written", || {
            a_secret_is_found_however_it_is_written();
            Ok(())
        }),
        Trial::test("sqlite::planted_secrets_appear_nowhere", || {
            planted_secrets_appear_nowhere(None);
            Ok(())
        }),
        Trial::test("postgresql::planted_secrets_appear_nowhere", move || {
            let server = postgres.as_ref().as_ref().ok_or("there is no PostgreSQL")?;
            let url = server.database("secrets").ok_or("the database cannot be made")?;
            planted_secrets_appear_nowhere(Some((server, &url)));
            Ok::<(), Failed>(())
        })
        .with_ignored_flag(missing),
    ];
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(server);
    conclusion.exit_code()
}

/// All that is in a database, as text.
fn dump(server: &TemporaryPostgres, url: &str) -> Vec<u8> {
    let dumped = Command::new(server.binaries().join("pg_dump")).arg(url).output().unwrap();
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    dumped.stdout
}

fn planted_secrets_appear_nowhere(database: Option<(&TemporaryPostgres, &str)>) {
    let directory = tempfile::tempdir().unwrap();
    let (data, log) = (directory.path().join("data"), directory.path().join("log"));
    let mut desk = Desk::default();

    // What the configuration holds.
    let roles = ["admin", "operator", "viewer", "auditor", "admin", "operator"];
    let keys: Vec<String> = (1..).zip(roles).map(|(n, _)| desk.plant(&format!("named-key-{n}"))).collect();
    let named: Vec<String> =
        (1..).zip(keys.iter().zip(roles)).map(|(n, (key, role))| format!("k{n}:{key}:{role}")).collect();
    let administrators = [desk.plant("auth-secret-1"), desk.plant("auth-secret-2")];
    let passphrase = desk.plant("encryption-passphrase");
    let hook = format!("http://127.0.0.1:1/{}?token={}", desk.plant("hook-path"), desk.plant("hook-query"));
    let config = directory.path().join("certctl.toml");
    let notifier = format!(
        "[[notifier]]\nname = \"hook\"\nkind = \"Webhook\"\nconfig = {{ url = \"{hook}\", secret = \"{}\", headers = {{ X-Token = \"{}\" }} }}\n",
        desk.plant("hook-secret"),
        desk.plant("hook-header"),
    );
    let machines = desk.plant("est-password");
    let est = format!("[[est]]\nenrollment_password = \"{machines}\"\n");
    std::fs::write(&config, notifier + &est).unwrap();
    let mut command = serve_command(&data);
    command.arg("--config").arg(&config).env("CERTCTL_INSECURE_HTTP", "true").env("CERTCTL_LOG_LEVEL", "trace");
    command.env("CERTCTL_API_KEYS_NAMED", named.join(",")).env("CERTCTL_AUTH_SECRET", administrators.join(","));
    command.env("CERTCTL_CONFIG_ENCRYPTION_KEY", passphrase).env("CERTCTL_RATE_LIMIT_ENABLED", "false");
    if let Some((_, url)) = database {
        command.env("CERTCTL_DATABASE_URL", url);
    }
    command.env("CERTCTL_EGRESS_ALLOW", "127.0.0.0/8").stderr(File::create(&log).unwrap());
    let mut server = Process(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said = || std::fs::read_to_string(&log).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{}", said())).to_owned();
    url.strip_prefix("http://").unwrap().clone_into(&mut desk.address);
    for key in keys.iter().chain(&administrators) {
        desk.done(key, "GET /api/v1/auth/check", None);
    }
    let admin = keys[0].as_str();

    // Machines that enrol, with the right password and a wrong one.
    for password in [machines, desk.plant("wrong-est-password")] {
        let credentials = base64::engine::general_purpose::STANDARD.encode(format!("machine:{password}"));
        let authorization = format!("Basic {credentials}");
        let (status, _) = desk.send("POST /.well-known/est/simpleenroll", &[("authorization", &authorization)], None);
        assert!(matches!(status, 400 | 401), "{status}");
    }

    // What requests hold: keys of CAs, keys that are no keys, secrets in the wrong place.
    for seed in 1..=4 {
        let (ca_cert_pem, ca_key_pem, number) = authority(seed);
        desk.planted.push(Planted::new(format!("CA key {seed}"), &number));
        // The number lies across two lines of the PEM.
        let line = ca_key_pem.lines().nth(2).unwrap().as_bytes();
        desk.planted.push(Planted { what: format!("a line of CA key {seed}"), forms: vec![line.to_vec()] });
        let config = json!({ "ca_cert_pem": &ca_cert_pem, "ca_key_pem": ca_key_pem });
        let issuer = json!({ "id": format!("iss-{seed}"), "name": format!("Corp {seed}"), "type": "GenericCA", "config": config });
        desk.done(admin, "POST /api/v1/issuers", Some(&issuer));
        let kept = json!({ "config": { "ca_cert_pem": ca_cert_pem, "ca_key_pem": "********" } });
        desk.done(admin, &format!("PUT /api/v1/issuers/iss-{seed}"), Some(&kept));
        desk.done(admin, &format!("GET /api/v1/issuers/iss-{seed}"), None);
    }
    for n in 1..=3 {
        let typo = desk.plant(&format!("mistyped-key-{n}"));
        assert_eq!(desk.ask(&typo, "GET /api/v1/certificates", None).0, 401);
    }
    let basic = STANDARD_NO_PAD.encode(format!("me:{}", desk.plant("basic-password")));
    let cookie = format!("session={}", desk.plant("cookie"));
    let header = desk.plant("api-key-header");
    let headers = [("authorization", &*format!("Basic {basic}")), ("cookie", &*cookie), ("x-api-key", &*header)];
    assert_eq!(desk.send("GET /api/v1/certificates", &headers, None).0, 401);
    let token = desk.plant("setup-token");
    desk.send("POST /api/v1/auth/bootstrap", &[], Some(&json!({ "token": token, "name": "me" })));
    let token = desk.plant("enrol-token");
    let agent = json!({ "id": "edge-x", "name": "edge-x", "hostname": "x", "enrol_token": token });
    desk.send("POST /api/v1/agents", &[("authorization", &*format!("Bearer {token}"))], Some(&agent));
    for (n, (request, body)) in [
        ("POST /api/v1/issuers", json!({ "name": "a", "type": "GenericCA", "config": { "password": "?" } })),
        (
            "POST /api/v1/issuers",
            json!({ "name": "b", "type": "GenericCA", "config": { "ca_key_pem": "?", "ca_cert_pem": "none" } }),
        ),
        (
            "POST /api/v1/issuers",
            json!({ "name": "c", "type": "GenericCA", "config": { "ca_key_pem": { "secret": "?" } } }),
        ),
        ("POST /api/v1/certificates", json!({ "name": "d", "private_key": "?" })),
        ("POST /api/v1/auth/keys", json!({ "name": "e", "role": "admin", "key": "?", "expires_at": "never" })),
    ]
    .into_iter()
    .enumerate()
    {
        let misplaced = desk.plant(&format!("misplaced-{n}"));
        let body: Value = serde_json::from_str(&body.to_string().replace('?', &misplaced)).unwrap();
        assert!(desk.ask(admin, request, Some(&body)).0 < 500, "{request} {body}");
    }

    // What the server makes: keys, credentials, tokens.
    for n in 1..=4 {
        let request = json!({ "id": format!("key-{n}"), "name": format!("made-{n}"), "role": "viewer" });
        let key = desk.shown_once(admin, "POST /api/v1/auth/keys", &request, "key");
        desk.done(&key, "GET /api/v1/auth/me", None);
    }
    let rotated = desk.shown_once(admin, "POST /api/v1/auth/keys/key-1/rotate", &json!({}), "key");
    desk.done(&rotated, "GET /api/v1/auth/me", None);
    for n in 1..=4 {
        let request = json!({ "id": format!("agent-{n}"), "name": format!("agent-{n}"), "hostname": "host" });
        let credential = desk.shown_once(admin, "POST /api/v1/agents", &request, "credential");
        desk.done(&credential, &format!("GET /api/v1/agents/agent-{n}/work"), None);
    }
    let tokens: Vec<String> = ["edge-1", "edge-2", "edge-3"]
        .iter()
        .map(|id| desk.shown_once(admin, "POST /api/v1/agents/enrol-tokens", &json!({ "agent_id": id }), "token"))
        .collect();

    // Certificates are issued, to an agent with a key of its own and for a request, and the webhook is tried in vain.
    let keys_of_agent = directory.path().join("agent");
    let mut command = certctl();
    command.args(["agent", "--server", &url, "--agent-id", "edge-1", "--enrol-token", &tokens[0], "--key-dir"]);
    command.arg(&keys_of_agent).env("CERTCTL_LOG_LEVEL", "trace").stdout(Stdio::null());
    let mut agent = Process(command.stderr(File::create(directory.path().join("agent.log")).unwrap()).spawn().unwrap());
    desk.until(admin, "GET /api/v1/agents?status=Online", "edge-1");
    let certificate = json!({
        "id": MARKER, "name": MARKER, "common_name": "planted.example.com", "agent_id": "edge-1", "issuer_id": "iss-1",
        "owner_id": "o-default", "team_id": "team-default", "renewal_policy_id": "rp-default",
    });
    desk.done(admin, "POST /api/v1/certificates", Some(&certificate));
    desk.until(admin, &format!("GET /api/v1/certificates/{MARKER}"), "\"Active\"");
    for (path, pem) in files(&keys_of_agent.join("keys")) {
        let pem = String::from_utf8(pem).unwrap();
        let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = base64::engine::general_purpose::STANDARD.decode(der).unwrap();
        desk.planted.push(Planted::new(path, &scalar(&der)));
    }
    let credential = std::fs::read_to_string(keys_of_agent.join("credential")).unwrap();
    desk.planted.push(Planted::new("the credential of an agent that enrolled", credential.trim().as_bytes()));
    let key = block_on(TestKeys.generate(KeyAlgorithm::EcdsaP256, &SeededRng::new(9))).unwrap();
    let subject = SubjectNames::new("other.example.com", &[]).unwrap();
    let request = json!({ "csr_pem": block_on(csr::build(&subject, &*key.signer)).unwrap().to_pem() });
    let mut other = certificate;
    other["id"] = "mc-other".into();
    other["common_name"] = "other.example.com".into();
    other["name"] = "other".into();
    other.as_object_mut().unwrap().remove("agent_id");
    desk.done(admin, "POST /api/v1/certificates", Some(&other));
    desk.done(admin, "POST /api/v1/certificates/mc-other/csr", Some(&request));
    // A password of somebody's trust store.
    let password = json!({ "password": desk.plant("pkcs12-password") });
    let exported = desk.ask(admin, &format!("POST /api/v1/certificates/{MARKER}/export/pkcs12"), Some(&password));
    assert_eq!(exported.0, 200, "{}", exported.1);
    for _ in 0..LOOKS {
        if said().contains("notification") {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }

    // Everything that can be read is read.
    let document: Value = serde_json::from_str(certctl_http::openapi::COMMITTED).unwrap();
    let mut read = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let streams = item["get"]["responses"]["200"]["content"]["text/event-stream"].is_object();
        if item["get"].is_object() && !streams {
            desk.ask(admin, &format!("GET {}", path.replace("{id}", MARKER).replace("{cert_id}", MARKER)), None);
            read += 1;
        }
    }
    assert!(read > 20, "{read}");
    let trail = desk.ask(admin, "GET /api/v1/audit/export", None).1;
    assert!(trail.contains(MARKER) && trail.contains("create_issuer") && trail.contains("api_key_created"));

    assert!(desk.planted.len() >= 40, "{}", desk.planted.len());
    let look = |desk: &Desk| {
        let mut files = files(&data);
        let stored = match database {
            Some((server, url)) => {
                files.push(("the database".into(), dump(server, url)));
                "the database"
            }
            None => "certctl.db",
        };
        assert!(files.iter().any(|(path, octets)| path.contains(stored) && contains(octets, MARKER.as_bytes())));
        for (path, octets) in files {
            desk.search(&path, &octets);
        }
    };
    look(&desk);
    agent.terminate();
    server.terminate();
    look(&desk);
    for file in ["log", "agent.log"] {
        let text = std::fs::read(directory.path().join(file)).unwrap();
        assert!(contains(&text, b"TRACE") || contains(&text, b"DEBUG"), "{file}");
        desk.search(file, &text);
    }
    assert!(said().contains(MARKER));
    assert!(desk.answers.iter().any(|(answer, _)| answer.contains(MARKER)));
    for (answer, shows) in &desk.answers {
        for (n, planted) in desk.planted.iter().enumerate().filter(|(n, _)| Some(*n) != *shows) {
            assert!(!planted.is_in(answer.as_bytes()), "{} ({n}) is in an answer: {answer}", planted.what);
        }
    }
}
