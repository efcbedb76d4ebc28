//! Many certificates at once (W14): a bundle is imported, renewals of many are begun, and what one issuer made is revoked, until
//! its list says so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use certctl_connectors::host::{HostConfig, ports};
use certctl_core::Engine;
use certctl_core::domain::{
    AgentId, Certificate, Crl, CrlScope, IssuerId, KeyId, Lifecycle, OwnerId, Principal, RenewalPolicyId,
    RevocationReason, SCHEMAS, TeamId, Timestamp, Version, VersionId, pem,
};
use certctl_core::engine::{CrlAnswer, PublicUrl, SetupSecret};
use certctl_core::ops::agent::{Register, Registration};
use certctl_core::ops::certificate::{BulkCriteria, BulkRenew, BulkRevoke, Effect, Import, ImportTerms};
use certctl_core::ops::issuer::Create;
use certctl_core::pki;
use certctl_core::seal::SealingKey;
use certctl_core::storage::{Changes, Storage, View};
use certctl_core::testing::TestAuthority;
use certctl_storage::testing::TemporaryPostgres;
use certctl_storage::{DatabaseConfig, SeaStorage};
use serde_json::json;
use tokio::sync::oneshot;

use crate::process::Peak;
use crate::{Failure, Scale, lists, process};

/// Certificates of all bundles.
const IMPORTED: u32 = 100_000;
/// Certificates of a bundle, which may have 16 MiB.
const BUNDLE: usize = 10_000;
/// Certificates that are renewed at once, and that are revoked at once.
const AT_ONCE: u32 = 10_000;
const ISSUER: &str = "iss-bench";
const DAY: Duration = Duration::from_secs(86_400);
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(scale: Scale) -> Result<(), Failure> {
    let (imported, at_once) = (scale.of(IMPORTED), scale.of(AT_ONCE));
    let authority = TestAuthority::new(14, now()?).await;
    let bundles = bundles(&authority, imported).await?;
    println!(
        "\n| Many at once | certificates | seconds | per second | memory above before, MiB |\n|---|---|---|---|---|"
    );
    parse(&bundles)?;
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite:{}", directory.path().join("bulk.db").display());
    measure("SQLite, FULL", &url, &bundles, at_once).await?;
    if let Some(server) = TemporaryPostgres::start_with(&[]) {
        let url = server.database("bulk").ok_or("no database")?;
        measure("PostgreSQL", &url, &bundles, at_once).await?;
    }
    Ok(())
}

fn now() -> Result<Timestamp, Failure> {
    Ok(ports(&HostConfig::default())?.clock.now())
}

/// Bundles of certificates of ninety days, each with the chain of all.
async fn bundles(authority: &TestAuthority, count: usize) -> Result<Vec<String>, Failure> {
    let now = now()?;
    let mut bundles = Vec::new();
    let numbers: Vec<usize> = (0..count).collect();
    for chunk in numbers.chunks(BUNDLE) {
        let mut bundle = String::new();
        for number in chunk {
            let made = authority.issue(&[&format!("host-{number}.example.com")], now - DAY, now + DAY * 89).await;
            if bundle.is_empty() {
                bundle.push_str(&made.chain.issuers_pem());
            }
            bundle.push_str(&pem::encode("CERTIFICATE", made.chain.leaf()));
        }
        bundles.push(bundle);
    }
    Ok(bundles)
}

/// Reading alone, on one core.
fn parse(bundles: &[String]) -> Result<(), Failure> {
    let (begun, mut read) = (Instant::now(), 0);
    for bundle in bundles {
        for block in pem::parse(bundle, bundle.len())? {
            pki::certificate::parse(&block.der)?;
            read += 1;
        }
    }
    print("", ("read, on one core", read), begun.elapsed(), None)
}

fn print(name: &str, (what, count): (&str, usize), took: Duration, memory: Option<u64>) -> Result<(), Failure> {
    let seconds = took.as_secs_f64();
    let memory = match memory {
        Some(kibibytes) => format!("{:.1}", f64::from(u32::try_from(kibibytes)?) / 1_024.0),
        None => String::new(),
    };
    println!(
        "| {name} {what} | {count} | {seconds:.2} | {:.0} | {memory} |",
        f64::from(u32::try_from(count)?) / seconds
    );
    Ok(())
}

async fn measure(name: &str, url: &str, bundles: &[String], at_once: usize) -> Result<(), Failure> {
    let ports = ports(&HostConfig::default())?;
    let store = SeaStorage::connect(&DatabaseConfig::new(url), SCHEMAS, Arc::clone(&ports.clock)).await?;
    let store: Arc<dyn Storage> = Arc::new(store);
    let secret = SetupSecret::Key(SealingKey::generate(&*ports.rng));
    let engine = Engine::builder(Arc::clone(&store), ports, secret)
        .connectors(certctl_connectors::registry())
        .public_url(PublicUrl::parse("http://pki.example.com")?)
        .build()
        .await?;
    let registration = Registration {
        id: Some(AgentId::parse(lists::AGENT)?),
        name: lists::AGENT.into(),
        hostname: lists::AGENT.into(),
        ..Registration::default()
    };
    engine.execute(&Principal::embedder("bench"), Register { registration, enrol_token: None }).await?;
    let key = list_of(&engine).await?;
    fill(&store, &key, at_once).await?;
    // Everything that a server does beside.
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn({
        let engine = engine.clone();
        async move {
            engine
                .run_until(async {
                    let _ = stopped.await;
                })
                .await;
        }
    });
    let done = all(name, &engine, bundles, (&key, at_once)).await;
    let _ = stop.send(());
    running.await?;
    done
}

async fn all(name: &str, engine: &Engine, bundles: &[String], (key, at_once): (&KeyId, usize)) -> Result<(), Failure> {
    let me = Principal::embedder("bench");
    let (before, peak, begun) = (process::resident(std::process::id())?, Peak::watch(), Instant::now());
    let mut imported = 0;
    for (bundle, agent) in bundles.iter().zip([Some(lists::AGENT)].into_iter().chain(std::iter::repeat(None))) {
        let result = engine.execute(&me, Import::new(bundle.clone(), terms(agent)?, Effect::Real)).await?;
        if let Some(failure) = result.failed.first() {
            return Err(format!("{} were not imported: {}", result.failed.len(), failure.error).into());
        }
        imported += result.imported.len();
    }
    print(
        name,
        ("imported, in bundles of 10,000", imported),
        begun.elapsed(),
        Some(peak.end().saturating_sub(before)),
    )?;

    let (before, peak, begun) = (process::resident(std::process::id())?, Peak::watch(), Instant::now());
    let criteria = BulkCriteria { agent_id: Some(AgentId::parse(lists::AGENT)?), ..BulkCriteria::default() };
    let renewed = engine.execute(&me, BulkRenew::new(criteria, Effect::Real)).await?;
    let all_of = bundles.first().map_or(0, |bundle| bundle.matches("BEGIN CERTIFICATE").count());
    if !renewed.failed.is_empty() || renewed.done.len() + 2 < all_of {
        return Err(format!("{} of {all_of} renewals were begun", renewed.done.len()).into());
    }
    let took = begun.elapsed();
    print(name, ("renewals begun", renewed.done.len()), took, Some(peak.end().saturating_sub(before)))?;

    let (before, peak, begun) = (process::resident(std::process::id())?, Peak::watch(), Instant::now());
    let criteria = BulkCriteria { issuer_id: Some(IssuerId::parse(ISSUER)?), ..BulkCriteria::default() };
    let listed = tokio::spawn(listed(Arc::clone(engine.storage()), key.clone(), i64::try_from(at_once)?));
    let operation = BulkRevoke::new(criteria, RevocationReason::CaCompromise, Effect::Real);
    let revoked = engine.execute(&me, operation).await?;
    let answered = begun.elapsed();
    if revoked.done.len() != at_once {
        return Err(format!("{} of {at_once} were revoked", revoked.done.len()).into());
    }
    let made = listed.await??;
    let (took, memory) = (begun.elapsed(), peak.end().saturating_sub(before));
    print(name, ("revoked", at_once), answered, None)?;
    print(name, (&format!("revoked and listed; lists made: {made}"), at_once), took, Some(memory))
}

/// Waits until the list of everything has so many; gives how often it was made until then.
async fn listed(store: Arc<dyn Storage>, key: KeyId, revoked: i64) -> Result<usize, Failure> {
    let id = Crl::id_of(&key, CrlScope::Complete)?;
    let (begun, mut makings) = (Instant::now(), Vec::new());
    while begun.elapsed() < PATIENCE {
        let list = store.read(View::Latest).await?.get::<Crl>(id.as_str()).await?.ok_or("no list")?;
        if makings.last() != Some(&list.making) {
            makings.push(list.making.clone());
        }
        if list.revoked == revoked {
            return Ok(makings.len() - 1);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err("they were not listed".into())
}

fn terms(agent: Option<&str>) -> Result<ImportTerms, Failure> {
    Ok(ImportTerms {
        owner_id: OwnerId::default(),
        team_id: TeamId::default(),
        issuer_id: IssuerId::default(),
        renewal_policy_id: RenewalPolicyId::default(),
        certificate_profile_id: None,
        agent_id: agent.map(AgentId::parse).transpose()?,
        environment: "production".into(),
        name_template: "{cn}".into(),
        tags: BTreeMap::new(),
    })
}

/// Makes the issuer and its first list; gives the key that signs it.
async fn list_of(engine: &Engine) -> Result<KeyId, Failure> {
    let create = Create {
        id: Some(IssuerId::parse(ISSUER)?),
        name: ISSUER.into(),
        kind: "GenericCA".into(),
        config: json!({}),
        enabled: true,
    };
    let me = Principal::embedder("bench");
    engine.execute(&me, create).await?;
    if !matches!(engine.crl(ISSUER, CrlScope::Complete).await?, CrlAnswer::Found { .. }) {
        return Err("no list".into());
    }
    let lists = engine.execute(&me, certctl_core::ops::crl::Cache::default()).await?;
    Ok(lists.records.first().ok_or("no list was made")?.issuer_key_id.clone())
}

/// Certificates of the issuer with a version each, as issuing leaves them.
async fn fill(store: &Arc<dyn Storage>, key: &KeyId, count: usize) -> Result<(), Failure> {
    let now = store.read(View::Latest).await?.now();
    let numbers: Vec<usize> = (0..count).collect();
    for chunk in numbers.chunks(150) {
        let mut changes = Changes::bookkeeping();
        for number in chunk {
            let id = VersionId::parse(format!("cv-{number:08}"))?;
            let certificate = certificate(*number, now, &id)?;
            changes.insert(Version { issuer_key_id: Some(key.clone()), ..lists::of(*number, id, &certificate)? });
            changes.insert(certificate);
        }
        store.apply(changes).await?;
    }
    Ok(())
}

fn certificate(number: usize, now: Timestamp, version: &VersionId) -> Result<Certificate, Failure> {
    Ok(Certificate {
        issuer_id: IssuerId::parse(ISSUER)?,
        lifecycle: Lifecycle::Issued,
        expires_at: now + DAY * 80,
        expiring_at: now + DAY * 50,
        renew_at: now + DAY * 50,
        newest_version_id: Some(version.clone()),
        last_renewal_at: Some(now),
        revoked_at: None,
        ..lists::certificate(number, now, version)?
    })
}
