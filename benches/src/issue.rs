//! From a request to a certificate that is signed, stored and audited, over HTTP (W1 on SQLite, W2 on PostgreSQL).

use std::collections::BTreeSet;
use std::time::Duration;

use certctl_connectors::host::{HostConfig, ports};
use certctl_core::domain::{Chain, KeyAlgorithm, SubjectNames};
use certctl_core::pki::chain::{Expected, check};
use certctl_core::pki::csr;
use certctl_storage::testing::TemporaryPostgres;
use serde_json::{Value, json};

use crate::calibrate::Limits;
use crate::closed_loop::{self, Request};
use crate::connection::Connection;
use crate::server::Server;
use crate::{Failure, Scale, process};

/// A certificate that waits for its request.
struct Waiting {
    id: String,
    name: String,
    csr_pem: String,
}

impl Waiting {
    fn request(&self) -> Request {
        Request {
            path: format!("/api/v1/certificates/{}/csr", self.id),
            json: Some(json!({ "csr_pem": self.csr_pem }).to_string()),
            status: 202,
        }
    }
}

pub(crate) async fn run(scale: Scale, limits: &Limits) -> Result<(), Failure> {
    println!(
        "\n| Issuance, P-256 | clients | per second | of the limit | p50 / p99 ms | CPU-µs of the server | of PostgreSQL |"
    );
    println!("|---|---|---|---|---|---|---|");
    let one = 1.0 / (1.0 / limits.sqlite + 1.0 / limits.sign + 1.0 / limits.verify + 0.0001);
    let cores = 1.0 / (1.0 / limits.sign + 1.0 / limits.verify);
    let name = "SQLite, FULL";
    measure(name, None, &[(1, scale.of(2000), one), (8, scale.of(6000), cores), (32, scale.of(12_000), cores)]).await?;
    let (Some(p1), Some(p32)) = (limits.postgres(1), limits.postgres(32)) else { return Ok(()) };
    let Some(server) = TemporaryPostgres::start_with(&[]) else { return Ok(()) };
    let url = server.database("issue").ok_or("no database")?;
    measure("PostgreSQL", Some(&url), &[(1, scale.of(1000), p1), (32, scale.of(8000), p32)]).await
}

/// Issues from a server that is there already.
pub(crate) async fn drive(address: &str, clients: usize, count: usize) -> Result<(), Failure> {
    let waiting = prepare(address, &format!("drive-{}", std::process::id()), count).await?;
    println!("prepared");
    let measured = closed_loop::run(address, clients, waiting.iter().map(Waiting::request).collect()).await?;
    let (p50, p99) = (measured.percentile(50), measured.percentile(99));
    println!("{clients} clients: {:.0} per second, p50 / p99 {p50:.2} / {p99:.2} ms", measured.rate());
    Ok(())
}

async fn measure(name: &str, database: Option<&str>, runs: &[(usize, usize, f64)]) -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let server = Server::start(directory.path(), database)?;
    server.ready().await?;
    let port = database.and_then(|url| url.rsplit(':').next()?.split('/').next()?.parse().ok());
    let postgres = port.and_then(process::postmaster);
    let backend = || postgres.map_or(Duration::ZERO, process::cpu_of_family);
    let mut issued = Vec::new();
    for (clients, count, limit) in runs {
        let waiting = prepare(&server.address, &format!("c{clients}"), *count).await?;
        let requests = waiting.iter().map(Waiting::request);
        let before = (process::cpu(server.pid()), backend());
        let measured = closed_loop::run(&server.address, *clients, requests.collect()).await?;
        let cpu = process::per_operation(before.0, process::cpu(server.pid()), *count);
        let theirs = process::per_operation(before.1, backend(), *count);
        println!(
            "| {name} | {clients} | {:.0} | {:.0} % of {limit:.0} | {:.2} / {:.2} | {cpu:.0} | {theirs:.0} |",
            measured.rate(),
            100.0 * measured.rate() / limit,
            measured.percentile(50),
            measured.percentile(99),
        );
        issued.extend(waiting);
    }
    // Killed, not ended: what was answered must be there all the same.
    drop(server);
    let server = Server::start(directory.path(), database)?;
    let looked = verify(&server.address, &issued).await?;
    println!("| {name} | | | | | {looked} of {} checked after kill -9 | |", issued.len());
    Ok(())
}

/// Makes certificates that nobody has sent a request for, and a request with a key of its own for each.
async fn prepare(address: &str, prefix: &str, count: usize) -> Result<Vec<Waiting>, Failure> {
    let ports = ports(&HostConfig::default())?;
    let mut waiting = Vec::new();
    for number in 0..count {
        let (id, name) = (format!("mc-{prefix}-{number}"), format!("{prefix}-{number}.example.com"));
        let key = ports.keys.generate(KeyAlgorithm::EcdsaP256, &*ports.rng).await?;
        let csr_pem = csr::build(&SubjectNames::new(&name, &[])?, &*key.signer).await?.to_pem();
        waiting.push(Waiting { id, name, csr_pem });
    }
    let create = |waiting: &Waiting| Request {
        path: "/api/v1/certificates".into(),
        json: Some(
            json!({
                "id": waiting.id, "name": waiting.id, "common_name": waiting.name, "issue": false,
                "owner_id": "o-default", "team_id": "team-default", "issuer_id": "iss-local",
                "renewal_policy_id": "rp-default",
            })
            .to_string(),
        ),
        status: 201,
    };
    closed_loop::run(address, 32, waiting.iter().map(create).collect()).await?;
    Ok(waiting)
}

/// Reads one certificate of a hundred and checks its chain; serial numbers must differ.
async fn verify(address: &str, issued: &[Waiting]) -> Result<usize, Failure> {
    let clock = ports(&HostConfig::default())?.clock;
    let (mut connection, mut serials) = (Connection::open(address).await?, BTreeSet::new());
    let sample: Vec<&Waiting> = issued.iter().step_by(100).collect();
    for waiting in &sample {
        let path = format!("/api/v1/certificates/{}/versions", waiting.id);
        let page: Value = serde_json::from_slice(&connection.get(&path).await?.expect(200)?.body)?;
        let version = page.pointer("/data/0").ok_or("an acknowledged certificate is gone")?;
        let text = |field: &str| version.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let csr = csr::parse_pem(&waiting.csr_pem)?;
        let expected = Expected { spki: csr.spki(), names: csr.names(), now: clock.now() };
        check(&Chain::from_pem(&text("pem_chain"))?, &expected)?;
        serials.insert(text("serial_number"));
    }
    if serials.len() == sample.len() { Ok(sample.len()) } else { Err("a serial number was given twice".into()) }
}
