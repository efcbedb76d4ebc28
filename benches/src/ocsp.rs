//! Answers to OCSP requests over many certificates: given again, signed for the request, and about what is not known (W3).

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certctl_connectors::host::{HostConfig, ports};
use certctl_core::domain::{KeyId, SCHEMAS, Serial, VersionId, pem};
use certctl_core::pki::certificate::Authority;
use certctl_core::pki::ocsp::{IssuerHashes, Written};
use certctl_core::storage::{Changes, Storage, View};
use certctl_storage::{DatabaseConfig, SeaStorage};
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use crate::calibrate::signatures;
use crate::connection::Connection;
use crate::issue::spread;
use crate::lists;
use crate::server::Server;
use crate::{Failure, Scale, process};

/// Certificates that are asked about.
const CERTIFICATES: u32 = 100_000;
const CLIENTS: usize = 32;
/// Rounds of what can be repeated, each with the limits of the same minute.
const ROUNDS: usize = 3;

/// What is sent, and what its answer begins with.
#[derive(Clone)]
struct Asked {
    path: String,
    /// `None` for a GET.
    body: Option<Vec<u8>>,
    /// The OCSPResponseStatus.
    status: u8,
}

pub(crate) async fn run(scale: Scale) -> Result<(), Failure> {
    let count = scale.of(CERTIFICATES);
    let directory = tempfile::tempdir()?;
    let hashes = prepare(directory.path(), count).await?;
    let server = Server::start(directory.path(), None)?;
    server.ready().await?;
    println!(
        "\n| OCSP over {count} certificates, {CLIENTS} clients | per second | per second of the server's CPU | static HTTP, per second of CPU | P-256 signatures | p50 / p99 ms |"
    );
    println!("|---|---|---|---|---|---|");
    let known: Vec<Vec<u8>> = (0..count).map(|number| id(&hashes, number)).collect::<Result<_, _>>()?;
    let by_url = |id: &[u8]| Asked { path: url(&request(id, None)), body: None, status: 0 };
    let by_post = |id: &[u8], nonce| Asked { path: PATH.into(), body: Some(request(id, nonce)), status: 0 };
    let resident = process::resident(server.pid())?;
    // Each is asked about for the first time.
    row("GET, looked up and signed", &server, vec![known.iter().map(|id| by_url(id)).collect()]).await?;
    let grown = process::resident(server.pid())?.saturating_sub(resident);
    let again = vec![known.iter().map(|id| by_url(id)).collect(); ROUNDS];
    row("GET, given again", &server, again).await?;
    row("POST, given again", &server, vec![known.iter().map(|id| by_post(id, None)).collect(); ROUNDS]).await?;
    let signed: Vec<Asked> = known.iter().take(count / 4).map(|id| by_post(id, Some(*b"0123456789abcdef"))).collect();
    row("POST with a nonce, signed", &server, vec![signed; ROUNDS]).await?;
    // Of ten one is about nobody's certificate, or somebody else's.
    let mixed: Vec<Asked> = known
        .iter()
        .enumerate()
        .map(|(number, id)| match number % 20 {
            0 => Asked { status: 6, ..by_post(&foreign(id), None) },
            10 => by_post(&unknown(&hashes, number), None),
            _ => by_url(id),
        })
        .collect();
    row("one of ten unknown or somebody else's", &server, vec![mixed; ROUNDS]).await?;
    println!("\nThe server grew by {} bytes for each answer that it keeps.", grown * 1024 / u64::try_from(count)?);
    server.terminate().map(drop)
}

const PATH: &str = "/.well-known/pki/ocsp/iss-local";

fn url(request: &[u8]) -> String {
    format!("{PATH}/{}", STANDARD.encode(request).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"))
}

/// A store with so many certificates of its CA, which has issued one of them.
async fn prepare(directory: &Path, count: usize) -> Result<IssuerHashes, Failure> {
    let server = Server::start(directory, None)?;
    server.ready().await?;
    let mut connection = Connection::open(&server.address).await?;
    let order = json!({
        "id": "mc-00000003", "name": "first", "common_name": "first.example.com", "owner_id": "o-default",
        "team_id": "team-default", "issuer_id": "iss-local", "renewal_policy_id": "rp-default",
    });
    connection.post("/api/v1/certificates", &order.to_string()).await?.expect(201)?;
    let csr = csr().await?;
    let path = "/api/v1/certificates/mc-00000003";
    connection.post(&format!("{path}/csr"), &json!({ "csr_pem": csr }).to_string()).await?.expect(202)?;
    let exported = connection.get(&format!("{path}/export/pem")).await?.expect(200)?;
    let exported: Value = serde_json::from_slice(&exported.body)?;
    let chain = exported["chain_pem"].as_str().ok_or("no CA certificate")?;
    let ca = pem::parse(chain, 1 << 20)?.into_iter().next().ok_or("no CA certificate")?.der;
    drop(connection);
    server.terminate()?;
    let authority = Authority::from_certificate(&ca)?;
    let database = DatabaseConfig::new(format!("sqlite:{}", directory.join("certctl.db").display()));
    let clock = ports(&HostConfig::default())?.clock;
    let store = SeaStorage::connect(&database, SCHEMAS, clock).await?;
    let (now, key_id) = (store.read(View::Latest).await?.now(), KeyId::of(authority.spki()));
    let numbers: Vec<usize> = (0..count).collect();
    for chunk in numbers.chunks(200) {
        let mut changes = Changes::bookkeeping();
        for number in chunk {
            let id = VersionId::parse(format!("cv-{number:08}"))?;
            let certificate = lists::certificate(3, now, &id)?;
            let mut version = lists::of(*number, id, &certificate)?;
            (version.issuer_key_id, version.serial_number) = (Some(key_id.clone()), serial(*number)?);
            changes.insert(version);
        }
        store.apply(changes).await?;
    }
    store.close().await;
    Ok(IssuerHashes::of(&authority)?)
}

async fn csr() -> Result<String, Failure> {
    use certctl_core::domain::{KeyAlgorithm, SubjectNames};
    let ports = ports(&HostConfig::default())?;
    let key = ports.keys.generate(KeyAlgorithm::EcdsaP256, &*ports.rng).await?;
    let names = SubjectNames::new("first.example.com", &[])?;
    Ok(certctl_core::pki::csr::build(&names, &*key.signer).await?.to_pem())
}

/// As long as real ones are, and as little in order.
fn serial(number: usize) -> Result<Serial, Failure> {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &number.to_be_bytes());
    let mut octets = digest.as_ref().get(..20).ok_or("a short hash")?.to_vec();
    if let Some(first) = octets.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    Ok(Serial::from_magnitude(&octets)?)
}

fn id(hashes: &IssuerHashes, number: usize) -> Result<Vec<u8>, Failure> {
    Ok(hashes.cert_id(Written::USUAL, &serial(number)?.to_integer()))
}

fn unknown(hashes: &IssuerHashes, number: usize) -> Vec<u8> {
    hashes.cert_id(Written::USUAL, &[&[1], &number.to_be_bytes()[..]].concat())
}

/// Of an issuer with another name: the first octet of the hash of it stands behind the headers.
fn foreign(id: &[u8]) -> Vec<u8> {
    let mut id = id.to_vec();
    if let Some(octet) = id.get_mut(2 + 11 + 2) {
        *octet ^= 1;
    }
    id
}

fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let header = match u8::try_from(length) {
        Ok(short) if short < 0x80 => vec![tag, short],
        Ok(long) => vec![tag, 0x81, long],
        Err(_) => vec![tag, 0x82, u8::try_from(length >> 8).unwrap_or(0), u8::try_from(length & 0xff).unwrap_or(0)],
    };
    [header, contents.to_vec()].concat()
}

fn request(id: &[u8], nonce: Option<[u8; 16]>) -> Vec<u8> {
    let nonce = nonce.map_or_else(Vec::new, |nonce| {
        let oid = [6, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2];
        let extension = tlv(0x30, &[&oid[..], &tlv(4, &tlv(4, &nonce))].concat());
        tlv(0xa2, &tlv(0x30, &extension))
    });
    tlv(0x30, &tlv(0x30, &[tlv(0x30, &tlv(0x30, id)), nonce].concat()))
}

/// Prints the medians of the rounds, each beside the limits of the same minute.
async fn row(what: &str, server: &Server, rounds: Vec<Vec<Asked>>) -> Result<(), Failure> {
    let (mut rates, mut by_cpu, mut statics, mut signs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut p50, mut p99) = (Vec::new(), Vec::new());
    for asked in rounds {
        let (plain, sign) = (static_per_cpu(asked.len().min(30_000)).await?, signatures(Duration::from_millis(300))?.0);
        let before = process::cpu(server.pid());
        let told = drive(&server.address, asked).await?;
        let used = process::cpu(server.pid()).saturating_sub(before);
        rates.push(told.rate());
        by_cpu.push(per_second(told.latencies.len(), used));
        p50.push(told.percentile(50));
        p99.push(told.percentile(99));
        statics.push(plain);
        signs.push(sign);
    }
    let median = |values: Vec<f64>| spread(values).0;
    println!(
        "| {what} | {:.0} | {:.0} | {:.0} | {:.0} | {:.2} / {:.2} |",
        median(rates),
        median(by_cpu),
        median(statics),
        median(signs),
        median(p50),
        median(p99)
    );
    Ok(())
}

fn per_second(count: usize, time: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / time.as_secs_f64().max(1e-9)
}

/// What the same listener serves for a second of its CPU when there is nothing to find out.
async fn static_per_cpu(count: usize) -> Result<f64, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("static");
    let server = Server::spawn(command)?;
    let before = process::cpu(server.pid());
    let asked = vec![Asked { path: "/".into(), body: None, status: b'x' }; count];
    let told = drive(&server.address, asked).await?;
    Ok(per_second(told.latencies.len(), process::cpu(server.pid()).saturating_sub(before)))
}

struct Told {
    elapsed: Duration,
    /// Sorted.
    latencies: Vec<Duration>,
}

impl Told {
    fn rate(&self) -> f64 {
        per_second(self.latencies.len(), self.elapsed)
    }

    /// In milliseconds.
    fn percentile(&self, percent: usize) -> f64 {
        let place = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(place).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    }
}

/// Asks everything once, over kept connections.
async fn drive(address: &str, asked: Vec<Asked>) -> Result<Told, Failure> {
    let (asked, next) = (Arc::new(asked), Arc::new(AtomicUsize::new(0)));
    let mut connections = Vec::new();
    for _ in 0..CLIENTS {
        connections.push(Connection::open(address).await?);
    }
    let begun = Instant::now();
    let tasks = connections.into_iter().map(|connection| {
        let task = tokio::spawn(client(connection, Arc::clone(&asked), Arc::clone(&next)));
        async { task.await? }
    });
    let mut latencies: Vec<Duration> = try_join_all(tasks).await?.into_iter().flatten().collect();
    let elapsed = begun.elapsed();
    latencies.sort_unstable();
    Ok(Told { elapsed, latencies })
}

async fn client(
    mut connection: Connection,
    asked: Arc<Vec<Asked>>,
    next: Arc<AtomicUsize>,
) -> Result<Vec<Duration>, Failure> {
    let mut latencies = Vec::new();
    while let Some(one) = asked.get(next.fetch_add(1, Ordering::Relaxed)) {
        let begun = Instant::now();
        let answer = match &one.body {
            Some(body) => connection.post_octets(&one.path, "application/ocsp-request", body).await?,
            None => connection.get(&one.path).await?,
        };
        let answer = answer.expect(200)?;
        latencies.push(begun.elapsed());
        // The status of a response stands behind the headers of two values, the second of which is the status itself.
        let long = answer.body.get(1).map_or(0, |octet| usize::from(octet & 0x7f) * usize::from(octet >> 7));
        let status = if one.status == b'x' { Some(&b'x') } else { answer.body.get(2 + long + 2) };
        if status != Some(&one.status) {
            return Err(format!("{} was answered {status:?} instead of {}", one.path, one.status).into());
        }
    }
    Ok(latencies)
}
