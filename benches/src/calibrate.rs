//! What this machine can do at most, now: every figure is judged by these.

use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use axum::Router;
use axum::routing::get;
use certctl_storage::testing::TemporaryPostgres;
use sea_orm::{ConnectionTrait, Database};

use crate::closed_loop::{self, Request};
use crate::server::Server;
use crate::{Failure, Scale};

/// Per second.
pub(crate) struct Limits {
    pub(crate) sign: f64,
    pub(crate) verify: f64,
    pub(crate) sqlite: f64,
    /// Clients and rate; empty without PostgreSQL.
    pub(crate) postgres: Vec<(u32, f64)>,
}

impl Limits {
    pub(crate) fn postgres(&self, clients: u32) -> Option<f64> {
        self.postgres.iter().find(|(at, _)| *at == clients).map(|(_, rate)| *rate)
    }
}

pub(crate) async fn run(scale: Scale) -> Result<Limits, Failure> {
    let directory = tempfile::tempdir()?;
    let load = std::fs::read_to_string("/proc/loadavg")?;
    println!("\n| Limit (load average {}) | per second |\n|---|---|", load.get(..4).unwrap_or_default());
    let (sign, verify) = signatures(scale)?;
    println!("| P-256 sign / verify, one core | {sign:.0} / {verify:.0} |");
    let sync = fdatasync(&directory.path().join("sync"), scale.of(400))?;
    println!("| write 4 KiB + fdatasync | {sync:.0} |");
    let sqlite = sqlite_commits(&directory.path().join("limit.db"), scale.of(400)).await?;
    println!("| SQLite WAL+FULL, one row of 900 B and 3 indexes per commit | {sqlite:.0} |");
    let postgres = postgres_inserts(directory.path(), scale)?;
    for (clients, rate) in &postgres {
        println!("| PostgreSQL, one row per commit, {clients} clients (pgbench) | {rate:.0} |");
    }
    let http = static_http(scale).await?;
    println!("| static HTTP over the same listener, 1,500 B, 32 clients | {http:.0} |");
    Ok(Limits { sign, verify, sqlite, postgres })
}

fn rate_within(span: Duration, mut work: impl FnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    let (begun, mut count) = (Instant::now(), 0_u32);
    while begun.elapsed() < span {
        work()?;
        count += 1;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}

fn rate_of(count: usize, begun: Instant) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / begun.elapsed().as_secs_f64()
}

fn signatures(scale: Scale) -> Result<(f64, f64), Failure> {
    let span = Duration::from_secs(2).mul_f64(scale.0);
    let (rng, key) = (SystemRandom::new(), EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?);
    let message = [7; 600];
    let sign = rate_within(span, || Ok(key.sign(&rng, &message).map(drop)?))?;
    let signature = key.sign(&rng, &message)?;
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_key().as_ref());
    Ok((sign, rate_within(span, || Ok(public.verify(&message, signature.as_ref())?))?))
}

fn fdatasync(path: &Path, count: usize) -> Result<f64, Failure> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(&[0; 4096])?;
    file.sync_all()?;
    let begun = Instant::now();
    for turn in 0..count {
        file.write_all_at(&[u8::try_from(turn % 251)?; 4096], 0)?;
        file.sync_data()?;
    }
    Ok(rate_of(count, begun))
}

async fn sqlite_commits(path: &Path, count: usize) -> Result<f64, Failure> {
    let database = Database::connect(format!("sqlite:{}?mode=rwc", path.display())).await?;
    for statement in [
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "CREATE TABLE rows (id TEXT PRIMARY KEY, a TEXT, b INTEGER, body BLOB)",
        "CREATE INDEX rows_a ON rows (a)",
        "CREATE INDEX rows_b ON rows (b)",
    ] {
        database.execute_unprepared(statement).await?;
    }
    let begun = Instant::now();
    for turn in 0..count {
        let insert =
            format!("INSERT INTO rows VALUES ('id-{turn:08}', 'name-{turn}', {}, randomblob(900))", turn * 7919);
        database.execute_unprepared(&insert).await?;
    }
    Ok(rate_of(count, begun))
}

/// A server of its own with all settings as installed: it waits for the disk.
fn postgres_inserts(directory: &Path, scale: Scale) -> Result<Vec<(u32, f64)>, Failure> {
    let Some(server) = TemporaryPostgres::start_with(&[]) else {
        println!("| PostgreSQL | not installed |");
        return Ok(Vec::new());
    };
    let url = server.database("limit").ok_or("no database")?;
    let psql = server.binaries().join("psql");
    let table = "CREATE TABLE rows (id bigserial PRIMARY KEY, a text, b int, body bytea); \
                 CREATE INDEX ON rows (a); CREATE INDEX ON rows (b)";
    Command::new(psql).args([&url, "-q", "-c", table]).status()?;
    let script = directory.join("insert.sql");
    std::fs::write(
        &script,
        "\\set n random(1, 1000000000)\n\
         INSERT INTO rows (a, b, body) VALUES ('name-' || :n, :n, decode(repeat('ab', 900), 'hex'));\n",
    )?;
    let seconds = scale.of(3).to_string();
    let mut rates = Vec::new();
    for clients in [1_u32, 8, 32] {
        let (count, script) = (clients.to_string(), script.display().to_string());
        let arguments = ["-n", "-M", "prepared", "-c", &count, "-j", "2", "-T", &seconds, "-f", &script, &url];
        let output = Command::new(server.binaries().join("pgbench")).args(arguments).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        rates.push((clients, rate.ok_or_else(|| format!("pgbench: {}", String::from_utf8_lossy(&output.stderr)))?));
    }
    Ok(rates)
}

async fn static_http(scale: Scale) -> Result<f64, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("static");
    let server = Server::spawn(command)?;
    let request = Request { path: "/".into(), json: None, status: 200 };
    let requests = vec![request; scale.of(60_000)];
    Ok(closed_loop::run(&server.address, 32, requests).await?.rate())
}

/// The same bytes for everybody, until it is killed.
pub(crate) async fn serve_static() -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let router = Router::new().route("/", get(|| async { "x".repeat(1500) }));
    Ok(certctl_http::serve_plain(listener, router, certctl_http::Limits::default(), std::future::pending()).await?)
}
