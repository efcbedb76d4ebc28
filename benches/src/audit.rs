//! Sealing the audit trail and verifying it, where it is and as an export (W12).

use std::sync::Arc;
use std::time::{Duration, Instant};

use certctl_connectors::host::{HostConfig, ports};
use certctl_core::Engine;
use certctl_core::audit::ExportReader;
use certctl_core::domain::{ActorType, AuditAction, AuditEvent, AuditEventId, Principal, Recorded, SCHEMAS, Timestamp};
use certctl_core::engine::SetupSecret;
use certctl_core::entity::Entity;
use certctl_core::ops::audit::{Export, ExportFormat, ListFilter, Verify};
use certctl_core::seal::SealingKey;
use certctl_core::storage::{Changes, SealAudit, Storage};
use certctl_storage::testing::TemporaryPostgres;
use certctl_storage::{DatabaseConfig, SeaStorage};
use serde_json::json;

use crate::process::Peak;
use crate::{Failure, Scale, process};

/// Entries.
const COUNT: u32 = 1_000_000;
/// How often the trail is verified; the median is printed.
const TURNS: usize = 5;

pub(crate) async fn run(scale: Scale) -> Result<(), Failure> {
    println!(
        "\n| Audit trail | entries | sealed per second | verified in s | memory above before, MiB | exported in s | export verified in s |"
    );
    println!("|---|---|---|---|---|---|---|");
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("audit.db");
    measure("SQLite, FULL", &format!("sqlite:{}", path.display()), scale.of(COUNT)).await?;
    let Some(server) = TemporaryPostgres::start_with(&[]) else { return Ok(()) };
    measure("PostgreSQL", &server.database("audit").ok_or("no database")?, scale.of(COUNT)).await
}

async fn measure(name: &str, url: &str, count: usize) -> Result<(), Failure> {
    let ports = ports(&HostConfig::default())?;
    let store = SeaStorage::connect(&DatabaseConfig::new(url), SCHEMAS, Arc::clone(&ports.clock)).await?;
    let store: Arc<dyn Storage> = Arc::new(store);
    let secret = SetupSecret::Key(SealingKey::generate(&*ports.rng));
    let engine = Engine::builder(Arc::clone(&store), ports, secret).build().await?;
    fill(&store, count).await?;
    let begun = Instant::now();
    while store.seal_audit(SealAudit { events: AuditEvent::SCHEMA, limit: 1_000 }).await?.rows > 0 {}
    let sealing = rate(count, begun.elapsed());
    engine.step().await?;

    let auditor = Principal::embedder("bench");
    let before = process::resident(std::process::id())?;
    let peak = Peak::watch();
    let mut verified = Vec::new();
    for _ in 0..TURNS {
        let begun = Instant::now();
        let outcome = engine.execute(&auditor, Verify).await?;
        verified.push(begun.elapsed());
        if !outcome.is_clean() || outcome.sealed < u64::try_from(count)? {
            return Err(format!("{outcome:?}").into());
        }
    }
    verified.sort();
    let verified = verified.get(TURNS / 2).copied().unwrap_or_default();
    let memory = peak.end().saturating_sub(before) / 1024;

    let begun = Instant::now();
    let whole = Export { format: ExportFormat::Ndjson, filter: ListFilter::default(), after: 0, part: None };
    let mut export = engine.execute(&auditor, whole).await?;
    let mut text = Vec::new();
    while let Some(piece) = export.next().await? {
        text.extend(piece);
    }
    let exported = begun.elapsed();
    let begun = Instant::now();
    let mut reader = ExportReader::default();
    for line in std::str::from_utf8(&text)?.lines() {
        reader.line(line)?;
    }
    let outcome = reader.finish()?;
    if !outcome.is_clean() {
        return Err(format!("{outcome:?}").into());
    }
    println!(
        "| {name} | {count} | {sealing:.0} | {:.2} | {memory} | {:.2} | {:.2} |",
        verified.as_secs_f64(),
        exported.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

fn rate(count: usize, elapsed: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / elapsed.as_secs_f64()
}

/// Entries as issuing leaves them.
async fn fill(store: &Arc<dyn Storage>, count: usize) -> Result<(), Failure> {
    let numbers: Vec<usize> = (0..count).collect();
    for chunk in numbers.chunks(499) {
        let mut changes = Changes::default();
        for number in chunk {
            changes.append(AuditEvent::new(Recorded {
                id: AuditEventId::parse(format!("aud-01980000-0000-7000-8000-{number:012}"))?,
                actor: "agent-edge-1".into(),
                actor_type: ActorType::Agent,
                action: AuditAction::CertificateIssued,
                resource_type: "certificate".into(),
                resource_id: format!("mc-{number}"),
                details: json!({
                    "version_id": format!("cv-01980000-0000-7000-8000-{number:012}"),
                    "serial": "5f0c2b7a91d34e6688a1b2c3d4e5f607", "issuer_id": "iss-local",
                }),
                timestamp: Timestamp(i64::try_from(*number)?),
            }));
        }
        store.apply(changes).await?;
    }
    Ok(())
}
