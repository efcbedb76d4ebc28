//! Making revocation lists: of everything, of one shard, of what changed (W4).

use std::sync::Arc;
use std::time::{Duration, Instant};

use certctl_connectors::host::{HostConfig, ports};
use certctl_core::Engine;
use certctl_core::domain::{
    CertificateId, Crl, CrlScope, IssuerId, KeyId, Principal, Revocation, RevocationId, RevocationReason, SCHEMAS,
    Serial, Timestamp, VersionId,
};
use certctl_core::engine::{CrlAnswer, PublicUrl, SetupSecret};
use certctl_core::ops::issuer::Create;
use certctl_core::pki::crl::CrlEntry;
use certctl_core::ports::SecureRng;
use certctl_core::seal::SealingKey;
use certctl_core::storage::{Changes, Storage, View};
use certctl_storage::testing::TemporaryPostgres;
use certctl_storage::{DatabaseConfig, SeaStorage};
use sea_orm::{ConnectionTrait, Database};
use serde_json::json;

use crate::process::Peak;
use crate::{Failure, Scale, process};

/// Revoked certificates.
const COUNTS: [u32; 3] = [10_000, 100_000, 1_000_000];
const SHARDS: u16 = 128;
/// Of these so many were revoked lately.
const LATELY: usize = 100;
/// How often each list is made; the median is printed.
const TURNS: usize = 5;
const ISSUER: &str = "iss-bench";
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(scale: Scale) -> Result<(), Failure> {
    println!(
        "\n| Revocation lists | revoked | list of | read, built and signed in ms | published after ms | DER, MiB | memory above before, MiB |"
    );
    println!("|---|---|---|---|---|---|---|");
    let server = TemporaryPostgres::start_with(&[]);
    for count in COUNTS {
        let count = scale.of(count).max(LATELY);
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("crl.db");
        measure("SQLite, FULL", &format!("sqlite:{}", path.display()), count).await?;
        if let Some(server) = &server {
            let database = server.database(&format!("crl{count}")).ok_or("no database")?;
            measure("PostgreSQL", &database, count).await?;
        }
    }
    Ok(())
}

async fn measure(name: &str, url: &str, count: usize) -> Result<(), Failure> {
    let ports = ports(&HostConfig::default())?;
    let store = SeaStorage::connect(&DatabaseConfig::new(url), SCHEMAS, Arc::clone(&ports.clock)).await?;
    let store: Arc<dyn Storage> = Arc::new(store);
    let secret = SetupSecret::Key(SealingKey::generate(&*ports.rng));
    let engine = Engine::builder(Arc::clone(&store), ports.clone(), secret)
        .connectors(certctl_connectors::registry())
        .public_url(PublicUrl::parse("http://pki.example.com")?)
        .build()
        .await?;
    let config = json!({ "crl_shards": SHARDS, "crl_deltas": true });
    let create = Create {
        id: Some(IssuerId::parse(ISSUER)?),
        name: ISSUER.into(),
        kind: "GenericCA".into(),
        config,
        enabled: true,
    };
    engine.execute(&Principal::embedder("bench"), create).await?;
    if !matches!(engine.crl(ISSUER, CrlScope::Shard(0)).await?, CrlAnswer::Found { .. } | CrlAnswer::NoList) {
        return Err("no list".into());
    }
    for scope in [CrlScope::Complete, CrlScope::Shard(0)] {
        engine.crl(ISSUER, scope).await?;
    }
    let lists = engine.execute(&Principal::embedder("bench"), certctl_core::ops::crl::Cache::default()).await?;
    let key = lists.records.first().ok_or("no list was made")?.issuer_key_id.clone();
    fill(&store, &*ports.rng, &key, count).await?;
    if url.starts_with("postgres") {
        // What autovacuum does by itself some time after so many rows.
        Database::connect(url).await?.execute_unprepared("VACUUM ANALYZE").await?;
    }
    for (of, asked, told) in [
        ("everything", CrlScope::Complete, CrlScope::Complete),
        ("changes, made with it", CrlScope::Complete, CrlScope::Delta),
        ("one shard of 128", CrlScope::Shard(0), CrlScope::Shard(0)),
    ] {
        let (mut made, mut published, mut octets, mut memory) = (Vec::new(), Vec::new(), 0, 0);
        for _ in 0..TURNS {
            let before = process::resident(std::process::id())?;
            let peak = Peak::watch();
            let begun = Instant::now();
            let list = made_again(&engine, &store, (&key, asked, told)).await?;
            published.push(begun.elapsed().as_secs_f64() * 1_000.0);
            memory = memory.max(peak.end().saturating_sub(before));
            made.push(list.took_ms);
            octets = list.octets;
        }
        made.sort_unstable();
        published.sort_by(f64::total_cmp);
        let (made, published) = (made.get(TURNS / 2).copied(), published.get(TURNS / 2).copied());
        println!(
            "| {name} | {count} | {of} | {} | {:.0} | {:.2} | {:.1} |",
            made.unwrap_or_default(),
            published.unwrap_or_default(),
            f64::from(u32::try_from(octets)?) / f64::from(1 << 20),
            f64::from(u32::try_from(memory)?) / 1_024.0
        );
    }
    Ok(())
}

/// Has a list made because it is due; gives what is stored of it, or of another that is made with it.
async fn made_again(
    engine: &Engine,
    store: &Arc<dyn Storage>,
    (key, asked, told): (&KeyId, CrlScope, CrlScope),
) -> Result<Crl, Failure> {
    let read = async |scope| -> Result<_, Failure> {
        let id = Crl::id_of(key, scope)?;
        Ok(store.read(View::Latest).await?.get::<Crl>(id.as_str()).await?.ok_or("no list")?)
    };
    let before = read(told).await?.number;
    let mut list = read(asked).await?;
    list.due_at = Timestamp(0);
    let mut changes = Changes::bookkeeping();
    changes.update(list);
    store.apply(changes).await?;
    let begun = Instant::now();
    // What was known of the lists is half a second old at most.
    tokio::time::sleep(Duration::from_millis(500)).await;
    while begun.elapsed() < PATIENCE {
        engine.step().await?;
        tokio::time::sleep(Duration::from_millis(2)).await;
        let list = read(told).await?;
        if list.number > before {
            return Ok(list.into_entity());
        }
    }
    Err("no list was made".into())
}

/// Rows as revoking leaves them.
async fn fill(store: &Arc<dyn Storage>, rng: &dyn SecureRng, key: &KeyId, count: usize) -> Result<(), Failure> {
    let now = store.read(View::Latest).await?.now();
    let numbers: Vec<usize> = (0..count).collect();
    let month = Duration::from_secs(30 * 86_400);
    for chunk in numbers.chunks(499) {
        let mut changes = Changes::bookkeeping();
        for number in chunk {
            let shard = i64::try_from(number % usize::from(SHARDS))?;
            let reason = RevocationReason::ALL.get(number % RevocationReason::ALL.len()).copied();
            let age = Duration::from_secs(if *number < count - LATELY { 20 * 86_400 } else { 1 });
            let revoked_at = Timestamp(now.0 - i64::try_from(age.as_micros())?);
            let (serial, reason) = (Serial::random(rng), reason.unwrap_or(RevocationReason::Unspecified));
            changes.insert(Revocation {
                id: RevocationId::parse(format!("rev-01980000-0000-7000-8000-{number:012}"))?,
                issuer_id: IssuerId::parse(ISSUER)?,
                issuer_key_id: Some(key.clone()),
                crl_entry: CrlEntry { serial: &serial, revoked_at, reason }.to_der(),
                serial_number: serial,
                crl_list: Revocation::list(key, Some(shard)),
                certificate_id: CertificateId::parse(format!("mc-{number}"))?,
                version_id: VersionId::parse(format!("cv-{number}"))?,
                reason,
                revoked_at,
                revoked_by: "bench".into(),
                not_after: now + month,
                short_lived: false,
                changed_at: revoked_at,
            });
        }
        store.apply(changes).await?;
    }
    Ok(())
}
