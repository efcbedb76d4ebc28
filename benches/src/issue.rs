//! From a request to a certificate that is signed, stored and audited, over HTTP (W1 on SQLite, W2 on PostgreSQL).

use std::collections::BTreeSet;
use std::time::Duration;

use certctl_connectors::host::{HostConfig, ports};
use certctl_core::domain::{Chain, KeyAlgorithm, SubjectNames};
use certctl_core::pki::chain::{Expected, check};
use certctl_core::pki::csr;
use certctl_storage::testing::TemporaryPostgres;
use serde_json::{Value, json};

use crate::calibrate::{PostgresLimit, SqliteLimit, signatures};
use crate::closed_loop::{self, Request};
use crate::connection::Connection;
use crate::server::Server;
use crate::{Failure, Scale, process};

/// A certificate that waits for its request.
pub(crate) struct Waiting {
    id: String,
    name: String,
    csr_pem: String,
}

impl Waiting {
    pub(crate) fn request(&self) -> Request {
        Request {
            path: format!("/api/v1/certificates/{}/csr", self.id),
            json: Some(json!({ "csr_pem": self.csr_pem }).to_string()),
            status: 202,
        }
    }
}

/// Rounds of a row, each with the limit measured right before and right after: machines change their pace within minutes,
/// so rates are compared with what was possible at the same moment.
const ROUNDS: usize = 5;

pub(crate) async fn run(scale: Scale) -> Result<(), Failure> {
    println!("\nMedians of {ROUNDS} rounds, with the lowest and the highest.\n");
    println!(
        "| Issuance, P-256 | clients | per second | limit | of the limit | p50 / p99 ms | CPU-µs of the server | of PostgreSQL |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let directory = tempfile::tempdir()?;
    let mut commits = SqliteLimit::open(&directory.path().join("limit.db")).await?;
    let mut bench = Bench::start("SQLite, FULL", None).await?;
    for (clients, count) in [(1, 2500), (8, 8000), (32, 16_000)] {
        let rows = scale.of(400);
        bench.row(clients, scale.of(count), async || sqlite_limit(&mut commits, clients, rows).await).await?;
    }
    bench.end().await?;
    let Some(server) = TemporaryPostgres::start_with(&[]) else { return Ok(()) };
    let inserts = PostgresLimit::prepare(&server, directory.path())?;
    let url = server.database("issue").ok_or("no database")?;
    let mut bench = Bench::start("PostgreSQL", Some(url)).await?;
    for (clients, count) in [(1, 2500), (32, 12_000)] {
        bench.row(clients, scale.of(count), async || inserts.rate(clients, scale.of(2))).await?;
    }
    bench.end().await
}

/// One client waits for the disk, and for one signature made and one verified; more share commits, and what is left is the
/// cores.
async fn sqlite_limit(commits: &mut SqliteLimit, clients: usize, rows: usize) -> Result<f64, Failure> {
    let (sign, verify) = signatures(Duration::from_millis(150))?;
    let cores = 1.0 / (1.0 / sign + 1.0 / verify);
    Ok(if clients == 1 { 1.0 / (1.0 / commits.rate(rows).await? + 1.0 / cores + 0.0001) } else { cores })
}

/// A server under measurement.
struct Bench {
    name: &'static str,
    database: Option<String>,
    directory: tempfile::TempDir,
    server: Server,
    postgres: Option<u32>,
    issued: Vec<Waiting>,
}

/// The middle one, the lowest and the highest.
pub(crate) fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    (at(values.len() / 2), at(0), at(values.len().saturating_sub(1)))
}

impl Bench {
    async fn start(name: &'static str, database: Option<String>) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        let server = Server::start(directory.path(), database.as_deref())?;
        server.ready().await?;
        let port = database.as_deref().and_then(|url| url.rsplit(':').next()?.split('/').next()?.parse().ok());
        Ok(Self { name, database, directory, server, postgres: port.and_then(process::postmaster), issued: Vec::new() })
    }

    /// Prints one row.
    async fn row(
        &mut self,
        clients: usize,
        count: usize,
        mut limit: impl AsyncFnMut() -> Result<f64, Failure>,
    ) -> Result<(), Failure> {
        let (mut rates, mut limits, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        let (mut cpu, mut theirs, mut latencies) = (Vec::new(), Vec::new(), (Vec::new(), Vec::new()));
        for round in 0..ROUNDS {
            let waiting = prepare(&self.server.address, &format!("c{clients}-{round}"), count / ROUNDS).await?;
            let requests = waiting.iter().map(Waiting::request).collect();
            let before = limit().await?;
            let used = self.cpu();
            let measured = closed_loop::run(&self.server.address, clients, requests).await?;
            let now = self.cpu();
            // The mean of the two, as a share of time.
            let possible = 2.0 / (1.0 / before + 1.0 / limit().await?);
            rates.push(measured.rate());
            limits.push(possible);
            shares.push(100.0 * measured.rate() / possible);
            cpu.push(process::per_operation(used.0, now.0, measured.operations));
            theirs.push(process::per_operation(used.1, now.1, measured.operations));
            latencies.0.push(measured.percentile(50));
            latencies.1.push(measured.percentile(99));
            self.issued.extend(waiting);
        }
        let ((rate, slowest, fastest), (share, least, most)) = (spread(rates), spread(shares));
        let (p50, p99) = (spread(latencies.0).0, spread(latencies.1).0);
        println!(
            "| {} | {clients} | {rate:.0} ({slowest:.0}–{fastest:.0}) | {:.0} | {share:.0} % ({least:.0}–{most:.0}) | \
             {p50:.2} / {p99:.2} | {:.0} | {:.0} |",
            self.name,
            spread(limits).0,
            spread(cpu).0,
            spread(theirs).0,
        );
        Ok(())
    }

    /// CPU time of the server and of PostgreSQL so far.
    fn cpu(&self) -> (Duration, Duration) {
        (process::cpu(self.server.pid()), self.postgres.map_or(Duration::ZERO, process::cpu_of_family))
    }

    /// Kills the server and looks whether what was answered is there all the same.
    async fn end(self) -> Result<(), Failure> {
        let Self { name, database, directory, server, issued, .. } = self;
        // Killed, not ended.
        drop(server);
        let server = Server::start(directory.path(), database.as_deref())?;
        let looked = verify(&server.address, &issued).await?;
        println!("| {name} | | | | | | {looked} of {} checked after kill -9 | |", issued.len());
        Ok(())
    }
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

/// Makes certificates that nobody has sent a request for, and a request with a key of its own for each.
pub(crate) async fn prepare(address: &str, prefix: &str, count: usize) -> Result<Vec<Waiting>, Failure> {
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
