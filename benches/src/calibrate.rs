//! What this machine can do at most, now: every figure is judged by these.

use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use axum::Router;
use axum::routing::get;
use certctl_storage::testing::TemporaryPostgres;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};

use crate::closed_loop::{self, Request};
use crate::server::Server;
use crate::{Failure, Scale};

/// Prints all limits.
pub(crate) async fn run(scale: Scale) -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let load = std::fs::read_to_string("/proc/loadavg")?;
    println!("\n| Limit (load average {}) | per second |\n|---|---|", load.get(..4).unwrap_or_default());
    let (sign, verify) = signatures(Duration::from_secs(2).mul_f64(scale.0))?;
    println!("| P-256 sign / verify, one core | {sign:.0} / {verify:.0} |");
    let sync = fdatasync(&directory.path().join("sync"), scale.of(400))?;
    println!("| write 4 KiB + fdatasync | {sync:.0} |");
    let sqlite = SqliteLimit::open(&directory.path().join("limit.db")).await?.rate(scale.of(400)).await?;
    println!("| SQLite WAL+FULL, one row of 900 B and 3 indexes per commit | {sqlite:.0} |");
    // A server of its own with all settings as installed: it waits for the disk.
    if let Some(server) = TemporaryPostgres::start_with(&[]) {
        let limit = PostgresLimit::prepare(&server, directory.path())?;
        for clients in [1, 8, 32] {
            let rate = limit.rate(clients, scale.of(3))?;
            println!("| PostgreSQL, one row per commit, {clients} clients (pgbench) | {rate:.0} |");
        }
    } else {
        println!("| PostgreSQL | not installed |");
    }
    let http = static_http(scale).await?;
    println!("| static HTTP over the same listener, 1,500 B, 32 clients | {http:.0} |");
    Ok(())
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

/// P-256 signatures made and verified per second on one core, each for so long.
pub(crate) fn signatures(span: Duration) -> Result<(f64, f64), Failure> {
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

/// A SQLite file of its own, to commit single rows to.
pub(crate) struct SqliteLimit {
    database: DatabaseConnection,
    rows: usize,
}

impl SqliteLimit {
    pub(crate) async fn open(path: &Path) -> Result<Self, Failure> {
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
        Ok(Self { database, rows: 0 })
    }

    /// Commits per second, each of one row.
    pub(crate) async fn rate(&mut self, count: usize) -> Result<f64, Failure> {
        let begun = Instant::now();
        for turn in self.rows..self.rows + count {
            let insert =
                format!("INSERT INTO rows VALUES ('id-{turn:08}', 'name-{turn}', {}, randomblob(900))", turn * 7919);
            self.database.execute_unprepared(&insert).await?;
        }
        self.rows += count;
        Ok(rate_of(count, begun))
    }
}

/// A database of its own on a server, for pgbench to insert single rows into.
pub(crate) struct PostgresLimit {
    pgbench: PathBuf,
    url: String,
    script: PathBuf,
}

impl PostgresLimit {
    pub(crate) fn prepare(server: &TemporaryPostgres, directory: &Path) -> Result<Self, Failure> {
        let url = server.database("limit").ok_or("no database")?;
        let table = "CREATE TABLE rows (id bigserial PRIMARY KEY, a text, b int, body bytea); \
                     CREATE INDEX ON rows (a); CREATE INDEX ON rows (b)";
        Command::new(server.binaries().join("psql")).args([&url, "-q", "-c", table]).status()?;
        let script = directory.join("insert.sql");
        std::fs::write(
            &script,
            "\\set n random(1, 1000000000)\n\
             INSERT INTO rows (a, b, body) VALUES ('name-' || :n, :n, decode(repeat('ab', 900), 'hex'));\n",
        )?;
        Ok(Self { pgbench: server.binaries().join("pgbench"), url, script })
    }

    /// Inserts per second, each a commit.
    pub(crate) fn rate(&self, clients: usize, seconds: usize) -> Result<f64, Failure> {
        let (clients, seconds, script) = (clients.to_string(), seconds.to_string(), self.script.display().to_string());
        let arguments = ["-n", "-M", "prepared", "-c", &clients, "-j", "2", "-T", &seconds, "-f", &script, &self.url];
        let output = Command::new(&self.pgbench).args(arguments).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        rate.ok_or_else(|| format!("pgbench: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
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
