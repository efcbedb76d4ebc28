//! Pages of a long list of certificates, and the counts over it (W5).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use certctl_connectors::host::{HostConfig, ports};
use certctl_core::Engine;
use certctl_core::domain::{
    Agent, AgentId, Certificate, CertificateId, CertificateTarget, CertificateTargetId, Chain, ConfigSource,
    Fingerprint, IssuerId, IssuerRecord, KeyId, Lifecycle, OwnerId, RenewalPolicyId, SCHEMAS, Serial, ShapeState,
    TargetId, TargetRecord, TeamId, TestStatus, Timestamp, Version, VersionId,
};
use certctl_core::engine::SetupSecret;
use certctl_core::entity::Json;
use certctl_core::seal::SealingKey;
use certctl_core::storage::{Changes, Storage, View};
use certctl_http::{Authentication, Options, router};
use certctl_storage::testing::TemporaryPostgres;
use certctl_storage::{DatabaseConfig, SeaStorage};
use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};

use crate::closed_loop::{self, Request};
use crate::connection::Connection;
use crate::{Failure, Scale};

/// Certificates.
const COUNTS: [u32; 3] = [10_000, 100_000, 1_000_000];
/// How often each page is asked for.
const TURNS: u32 = 100;
const DAY: Duration = Duration::from_secs(86_400);

/// Milliseconds of each thing that was measured, at one size.
type Times = BTreeMap<String, f64>;

pub(crate) async fn run(scale: Scale) -> Result<(), Failure> {
    let (counts, turns) = (COUNTS.map(|count| scale.of(count)), scale.of(TURNS));
    let directory = tempfile::tempdir()?;
    let mut all = Vec::new();
    for count in counts {
        let path = directory.path().join(format!("{count}.db"));
        all.push(measure(&format!("sqlite:{}", path.display()), (count, turns)).await?);
        std::fs::remove_file(path)?;
    }
    print("SQLite", counts, &all);
    let Some(server) = TemporaryPostgres::start_with(&[]) else { return Ok(()) };
    let mut all = Vec::new();
    for count in counts {
        let url = server.database(&format!("lists{count}")).ok_or("no database")?;
        all.push(measure(&url, (count, turns)).await?);
    }
    print("PostgreSQL", counts, &all);
    Ok(())
}

/// The growth exponent is that of the time between the smallest and the largest store: 0 where it does not grow, 1 where it
/// grows as the store does.
fn print(name: &str, counts: [usize; 3], all: &[Times]) {
    let [small, medium, large] = counts;
    println!("\n| {name}, p50 in ms | {small} | {medium} | {large} | growth exponent |\n|---|---|---|---|---|");
    let [first, second, third] = all else { return };
    let ratio = |of: usize| f64::from(u32::try_from(of).unwrap_or(u32::MAX));
    for (what, small_time) in first {
        let (Some(medium_time), Some(large_time)) = (second.get(what), third.get(what)) else { continue };
        let growth = (large_time / small_time).ln() / (ratio(large) / ratio(small)).ln();
        println!("| {what} | {small_time:.2} | {medium_time:.2} | {large_time:.2} | {growth:.2} |");
    }
}

async fn measure(url: &str, (count, turns): (usize, usize)) -> Result<Times, Failure> {
    let ports = ports(&HostConfig::default())?;
    let store = SeaStorage::connect(&DatabaseConfig::new(url), SCHEMAS, Arc::clone(&ports.clock)).await?;
    let store: Arc<dyn Storage> = Arc::new(store);
    let secret = SetupSecret::Key(SealingKey::generate(&*ports.rng));
    let engine = Engine::builder(Arc::clone(&store), ports, secret).build().await?;
    fill(&store, count).await?;
    if url.starts_with("postgres") {
        // What autovacuum does by itself some time after so many rows.
        Database::connect(url).await?.execute_unprepared("VACUUM ANALYZE").await?;
    }
    let now = store.read(View::Latest).await?.now();
    let options = Options { authentication: Authentication::Off, ..Options::default() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let server = tokio::spawn(axum::serve(listener, router(engine, options)).into_future());
    let times = ask(&address, now, turns).await;
    server.abort();
    times
}

async fn ask(address: &str, now: Timestamp, turns: usize) -> Result<Times, Failure> {
    let mut times = Times::new();
    let mut connection = Connection::open(address).await?;
    for path in ["/api/v1/stats/summary", "/api/v1/metrics"] {
        let begun = Instant::now();
        connection.get(path).await?.expect(200)?;
        times.insert(format!("{path}, first"), begun.elapsed().as_secs_f64() * 1e3);
        times.insert(format!("{path}, later"), median(address, path, turns).await?);
        // Until what was counted is too old, and so that nothing counts beside what is measured next.
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
    for (what, query) in [
        ("all", String::new()),
        ("all by end", "sort=expiresAt".to_owned()),
        ("active", "status=Active".to_owned()),
        ("expiring", "status=Expiring".to_owned()),
        ("failed", "status=Failed".to_owned()),
        ("one issuer of ten", format!("issuer_id={RARE}")),
        ("ending in 60 days", format!("sort=expiresAt&expires_before={}", (now + DAY * 60).to_rfc3339())),
        ("ending in 60 days, newest first", format!("expires_before={}", (now + DAY * 60).to_rfc3339())),
    ] {
        let list = "/api/v1/certificates";
        let page = read(&mut connection, &format!("{list}?per_page=100&{query}")).await?;
        let total = page["total"].as_u64().ok_or("no total")?;
        times.insert(
            format!("{what}: first page"),
            median(address, &format!("{list}?page_size=100&{query}"), turns).await?,
        );
        for (place, before) in [("middle", total / 200), ("last", (total / 100).saturating_sub(1))] {
            // The page before it, by number, says where it begins.
            let page = read(&mut connection, &format!("{list}?page={}&per_page=100&{query}", before.max(1))).await?;
            let Some(cursor) = page["next_cursor"].as_str() else { continue };
            let path = format!("{list}?page_size=100&cursor={cursor}&{query}");
            times.insert(format!("{what}: {place} page"), median(address, &path, turns).await?);
        }
    }
    let sparse = "/api/v1/certificates?page_size=500&fields=id,name";
    let page = read(&mut connection, sparse).await?;
    let rows = page["data"].as_array().ok_or("no rows")?;
    if let Some(row) = rows.iter().find(|row| row.as_object().is_none_or(|members| members.len() != 2)) {
        return Err(format!("asked for two members: {row}").into());
    }
    times.insert("500 rows of id and name".to_owned(), median(address, sparse, turns).await?);
    Ok(times)
}

async fn read(connection: &mut Connection, path: &str) -> Result<Value, Failure> {
    Ok(serde_json::from_slice(&connection.get(path).await?.expect(200)?.body)?)
}

async fn median(address: &str, path: &str, turns: usize) -> Result<f64, Failure> {
    let request = Request { path: path.to_owned(), json: None, status: 200 };
    Ok(closed_loop::run(address, 1, vec![request; turns]).await?.percentile(50))
}

/// The issuer of every tenth certificate.
const RARE: &str = "iss-rare";
const TARGETS: usize = 10;

/// Certificates with a version and a target each. Of a hundred 94 are active.
async fn fill(store: &Arc<dyn Storage>, count: usize) -> Result<(), Failure> {
    let now = store.read(View::Latest).await?.now();
    store.apply(surroundings(now)?).await?;
    let numbers: Vec<usize> = (0..count).collect();
    for chunk in numbers.chunks(150) {
        let mut changes = Changes::bookkeeping();
        for number in chunk {
            let version = VersionId::parse(format!("cv-{number:08}"))?;
            let certificate = certificate(*number, now, &version)?;
            if certificate.newest_version_id.is_some() {
                changes.insert(of(*number, version, &certificate)?);
            }
            changes.insert(CertificateTarget {
                id: CertificateTargetId::parse(format!("ct-{number:08}"))?,
                certificate_id: certificate.id.clone(),
                target_id: TargetId::parse(format!("tgt-{}", number % TARGETS))?,
                agent_id: AgentId::parse(AGENT)?,
            });
            changes.insert(certificate);
        }
        store.apply(changes).await?;
    }
    Ok(())
}

pub(crate) const AGENT: &str = "edge-1";

pub(crate) fn surroundings(now: Timestamp) -> Result<Changes, Failure> {
    let mut changes = Changes::bookkeeping();
    for id in [IssuerId::default(), IssuerId::parse(RARE)?] {
        changes.insert(IssuerRecord {
            name: format!("{id} of the bench"),
            kind: "GenericCA".into(),
            shown_config: Json(json!({})),
            sealed_config: Vec::new(),
            enabled: true,
            test_status: TestStatus::Untested,
            last_tested_at: None,
            source: ConfigSource::Database,
            created_at: now,
            updated_at: now,
            id,
        });
    }
    changes.insert(Agent {
        id: AgentId::parse(AGENT)?,
        name: AGENT.into(),
        hostname: AGENT.into(),
        os: "linux".into(),
        architecture: "x86_64".into(),
        ip_address: String::new(),
        version: String::new(),
        target_kinds: Json(Vec::new()),
        credential_hash: None,
        sentinel: false,
        last_heartbeat_at: now,
        registered_at: now,
        offline_since: None,
        retired_at: None,
        retired_reason: None,
        retiring_until: None,
        updated_at: now,
    });
    for number in 0..TARGETS {
        changes.insert(TargetRecord {
            id: TargetId::parse(format!("tgt-{number}"))?,
            name: format!("web {number}"),
            kind: "NGINX".into(),
            agent_id: AgentId::parse(AGENT)?,
            shown_config: Json(json!({})),
            sealed_config: Vec::new(),
            enabled: true,
            client_auth: false,
            test_status: TestStatus::Untested,
            last_tested_at: None,
            source: ConfigSource::Database,
            retired_at: None,
            retired_reason: None,
            created_at: now,
            updated_at: now,
        });
    }
    Ok(changes)
}

pub(crate) fn certificate(number: usize, now: Timestamp, version: &VersionId) -> Result<Certificate, Failure> {
    let lifecycle = match number % 100 {
        0 => Lifecycle::Pending,
        1 => Lifecycle::Failed,
        2 => Lifecycle::Revoked,
        _ => Lifecycle::Issued,
    };
    let ends = match number % 100 {
        3 => now - DAY,
        4 | 5 => now + DAY * 20,
        _ => now + DAY * 40 + DAY * u32::try_from(number % 50)?,
    };
    let issued = !matches!(lifecycle, Lifecycle::Pending | Lifecycle::Failed);
    let ends = if issued { ends } else { Timestamp::NEVER };
    // Made one after the other, the last of them now.
    let made = Timestamp(now.0 - 1_000_000_000 + i64::try_from(number)?);
    Ok(Certificate {
        id: CertificateId::parse(format!("mc-{number:08}"))?,
        name: format!("service {number:08}"),
        common_name: format!("s{number}.example.com"),
        sans: Json(vec![format!("s{number}.example.com")]),
        environment: "production".into(),
        owner_id: OwnerId::default(),
        team_id: TeamId::default(),
        issuer_id: if number % 10 == 7 { IssuerId::parse(RARE)? } else { IssuerId::default() },
        renewal_policy_id: RenewalPolicyId::default(),
        certificate_profile_id: None,
        agent_id: None,
        tags: Json(BTreeMap::new()),
        source: String::new(),
        lifecycle,
        renewing: false,
        expires_at: ends,
        expiring_at: if issued { ends - DAY * 30 } else { Timestamp::NEVER },
        renew_at: if issued { ends - DAY * 30 } else { Timestamp::NEVER },
        newest_version_id: issued.then(|| version.clone()),
        alert_at: Timestamp::NEVER,
        failed_renewals: 0,
        last_renewal_at: issued.then_some(made),
        last_deployment_at: None,
        revoked_at: (lifecycle == Lifecycle::Revoked).then_some(made),
        revocation_reason: None,
        created_at: made,
        updated_at: made,
    })
}

/// As large as a version is with a P-256 key below one CA.
pub(crate) fn of(number: usize, id: VersionId, certificate: &Certificate) -> Result<Version, Failure> {
    let octets = u64::try_from(number)?.to_be_bytes();
    // A SEQUENCE of 600 octets (X.690, 8.9), of which nobody reads more.
    let mut der = vec![0x30, 0x82, 0x02, 0x58];
    der.resize(604, 0);
    der.splice(4..12, octets);
    let chain = Chain::from_der(vec![der.clone(), der])?;
    let fingerprint_sha256: Fingerprint = chain.fingerprint();
    Ok(Version {
        id,
        certificate_id: certificate.id.clone(),
        issuer_id: certificate.issuer_id.clone(),
        issuer_key_id: Some(KeyId::of(b"an authority")),
        crl_shard: None,
        key_holder: AGENT.into(),
        serial_number: Serial::from_magnitude(&[&[0x4f], &octets[..]].concat())?,
        not_before: certificate.created_at,
        not_after: certificate.expires_at,
        fingerprint_sha256,
        chain,
        csr: vec![0x30; 300],
        key_id: KeyId::of(&octets),
        key_algorithm: "ECDSA".into(),
        key_size: 256,
        directory: None,
        account: None,
        lineage_break: None,
        shape: ShapeState::Fits,
        shape_findings: Json(Vec::new()),
        created_at: certificate.created_at,
    })
}
