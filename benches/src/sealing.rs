//! What sealing the audit trail costs issuance (W1): two servers that differ in it alone, in turns.

use std::sync::Arc;
use std::time::Duration;

use certctl_connectors::host::{HostConfig, ports};
use certctl_core::Engine;
use certctl_core::domain::{AuditEvent, SCHEMAS};
use certctl_core::engine::{Cadence, SetupSecret};
use certctl_core::seal::SealingKey;
use certctl_core::storage::{Query, Storage, View};
use certctl_http::{Authentication, Options, router};
use certctl_storage::testing::TemporaryPostgres;
use certctl_storage::{DatabaseConfig, SeaStorage};

use crate::{Failure, Scale, closed_loop, issue};

const ROUNDS: usize = 9;
const CLIENTS: usize = 32;
/// Issuances in a round: longer than the time between two looks of the sealer.
const COUNT: u32 = 4_000;
const NEVER: Duration = Duration::from_secs(365 * 86_400);

pub(crate) async fn run(scale: Scale) -> Result<(), Failure> {
    println!("\n| Issuance at {CLIENTS} clients | sealed per second | not sealed | sealing costs (lowest, highest) |");
    println!("|---|---|---|---|");
    let directory = tempfile::tempdir()?;
    let file = |name: &str| format!("sqlite:{}", directory.path().join(name).display());
    compare("SQLite, FULL", [file("sealed.db"), file("unsealed.db")], scale).await?;
    let Some(server) = TemporaryPostgres::start_with(&[]) else { return Ok(()) };
    let database = |name: &str| server.database(name).ok_or("no database");
    compare("PostgreSQL", [database("sealed")?, database("unsealed")?], scale).await
}

async fn compare(name: &str, urls: [String; 2], scale: Scale) -> Result<(), Failure> {
    let [sealed, unsealed] = urls;
    let sealed = Side::start(&sealed, Cadence::default()).await?;
    let never = Cadence { seal: NEVER, checkpoint: NEVER, ..Cadence::default() };
    let unsealed = Side::start(&unsealed, never).await?;
    let (mut with, mut without, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Neither is always the first.
        let (first, second) = if round % 2 == 0 { (&sealed, &unsealed) } else { (&unsealed, &sealed) };
        let (one, two) = (first.rate(round, scale).await?, second.rate(round, scale).await?);
        let (on, off) = if round % 2 == 0 { (one, two) } else { (two, one) };
        with.push(on);
        without.push(off);
        costs.push(100.0 * (1.0 - on / off));
    }
    sealed.expect_sealed(true).await?;
    unsealed.expect_sealed(false).await?;
    let ((with, ..), (without, ..), (cost, least, most)) =
        (issue::spread(with), issue::spread(without), issue::spread(costs));
    println!("| {name} | {with:.0} | {without:.0} | {cost:.0} % ({least:.0}, {most:.0}) |");
    Ok(())
}

/// A server in this process.
struct Side {
    store: Arc<dyn Storage>,
    address: String,
    tasks: [tokio::task::JoinHandle<()>; 2],
}

impl Side {
    async fn start(url: &str, cadence: Cadence) -> Result<Self, Failure> {
        let ports = ports(&HostConfig::default())?;
        let store = SeaStorage::connect(&DatabaseConfig::new(url), SCHEMAS, Arc::clone(&ports.clock)).await?;
        let store: Arc<dyn Storage> = Arc::new(store);
        let secret = SetupSecret::Key(SealingKey::generate(&*ports.rng));
        let engine = Engine::builder(Arc::clone(&store), ports, secret)
            .connectors(certctl_connectors::registry())
            .cadence(cadence)
            .build()
            .await?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let options = Options { authentication: Authentication::Off, ..Options::default() };
        let serve = axum::serve(listener, router(engine.clone(), options)).into_future();
        let tasks = [
            tokio::spawn(async move {
                let _ = serve.await;
            }),
            tokio::spawn(async move { engine.run_until(std::future::pending()).await }),
        ];
        Ok(Self { store, address, tasks })
    }

    async fn rate(&self, round: usize, scale: Scale) -> Result<f64, Failure> {
        let waiting = issue::prepare(&self.address, &format!("round-{round}"), scale.of(COUNT)).await?;
        let requests = waiting.iter().map(issue::Waiting::request).collect();
        Ok(closed_loop::run(&self.address, CLIENTS, requests).await?.rate())
    }

    /// That the two differ as they say.
    async fn expect_sealed(&self, sealed: bool) -> Result<(), Failure> {
        let below = AuditEvent::FIELDS.seq.below(i64::MAX);
        let count = self.store.read(View::Latest).await?.total(&Query::<AuditEvent>::all().filter(below)).await?;
        // What the engine wrote at its start is sealed in any case.
        if (count > 100) == sealed { Ok(()) } else { Err(format!("{count} rows are sealed").into()) }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
