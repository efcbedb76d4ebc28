//! Many certificates at once, on both databases: imported, renewed, given to others, looked at for their end, and revoked.

#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use certctl_core::Engine;
use certctl_core::domain::{
    AuditAction, AuditEvent, Certificate, Job, Principal, Revocation, RevocationReason, SCHEMAS, Version, pem,
};
use certctl_core::engine::SetupSecret;
use certctl_core::entity::Entity;
use certctl_core::ops::certificate::{
    BulkCriteria, BulkReassign, BulkRenew, BulkRevoke, Effect, Import, ImportTerms, Release,
};
use certctl_core::ops::{agent, profile, team};
use certctl_core::seal::SealingKey;
use certctl_core::storage::{Query, View};
use certctl_core::testing::{FakePorts, TestAuthority};
use certctl_storage::testing::TemporaryPostgres;
use certctl_storage::{DatabaseConfig, SeaStorage};
use libtest_mimic::{Arguments, Trial};

const MANY: usize = 1_200;
const MINUTE: Duration = Duration::from_secs(60);

fn main() -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    let server = Arc::new(if arguments.list { None } else { TemporaryPostgres::start() });
    let (missing, postgres) = (server.is_none(), Arc::clone(&server));
    let trials = vec![
        Trial::test("sqlite::many_are_imported_renewed_reassigned_and_revoked", || {
            let directory = tempfile::tempdir()?;
            run(&format!("sqlite:{}", directory.path().join("certctl.db").display()));
            Ok(())
        }),
        Trial::test("postgresql::many_are_imported_renewed_reassigned_and_revoked", move || {
            let server = postgres.as_ref().as_ref().ok_or("there is no PostgreSQL")?;
            run(&server.database("bulk").ok_or("the database cannot be made")?);
            Ok(())
        })
        .with_ignored_flag(missing),
    ];
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(server);
    conclusion.exit_code()
}

fn run(url: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(many(url));
}

fn me() -> Principal {
    Principal::embedder("test")
}

async fn total<E: Entity>(engine: &Engine, query: Query<E>) -> usize {
    usize::try_from(engine.storage().read(View::Latest).await.unwrap().total(&query).await.unwrap()).unwrap()
}

async fn told(engine: &Engine, action: AuditAction) -> usize {
    total(engine, Query::<AuditEvent>::all().filter(AuditEvent::FIELDS.action.equals(action))).await
}

async fn many(url: &str) {
    let ports = FakePorts::seeded(81).ports();
    let storage = SeaStorage::connect(&DatabaseConfig::new(url), SCHEMAS, ports.clock.clone()).await.unwrap();
    let secret = SetupSecret::Key(SealingKey::from_bytes(&[7; 32]).unwrap());
    let builder = Engine::builder(Arc::new(storage), ports, secret).connectors(certctl_connectors::registry());
    let engine = builder.build().await.unwrap();
    let registration = agent::Registration {
        id: Some("edge-1".parse().unwrap()),
        name: "edge-1".into(),
        hostname: "host".into(),
        ..agent::Registration::default()
    };
    engine.execute(&me(), agent::Register { registration, enrol_token: None }).await.unwrap();
    let create = team::Create { id: Some("t-2".parse().unwrap()), name: "two".into(), ..team::Create::default() };
    engine.execute(&me(), create).await.unwrap();
    let (bundle, short) = bundles(&engine).await;

    let import = |effect| Import::new(bundle.clone(), terms(None), effect);
    let preview = engine.execute(&me(), import(Effect::Preview)).await.unwrap();
    assert_eq!((preview.imported.len(), total(&engine, Query::<Certificate>::all()).await), (MANY, 0));
    let done = engine.execute(&me(), import(Effect::Real)).await.unwrap();
    assert_eq!((done.imported.len(), done.failed.len()), (MANY, 0), "{:?}", done.failed.first());
    assert_eq!((total(&engine, Query::<Version>::all()).await, done.imported[0].issuers), (MANY, 1));
    let again = engine.execute(&me(), import(Effect::Real)).await.unwrap();
    assert_eq!((again.imported.len(), again.skipped.len()), (0, MANY));
    assert_eq!(told(&engine, AuditAction::CertificateImported).await, MANY);

    let of = |criteria: BulkCriteria, effect| BulkRenew::new(criteria, effect);
    let default = BulkCriteria { profile_id: Some("prof-default".parse().unwrap()), ..BulkCriteria::default() };
    let by_agent = BulkCriteria { agent_id: Some("edge-1".parse().unwrap()), ..BulkCriteria::default() };
    let preview = engine.execute(&me(), of(default.clone(), Effect::Preview)).await.unwrap();
    assert_eq!((preview.done.len(), total(&engine, Query::<Job>::all()).await), (MANY, 0));
    let done = engine.execute(&me(), of(default.clone(), Effect::Real)).await.unwrap();
    assert_eq!(done, preview, "what was foretold is what was done");
    assert_eq!(
        (total(&engine, Query::<Job>::all()).await, told(&engine, AuditAction::RenewalTriggered).await),
        (MANY, MANY)
    );
    let again = engine.execute(&me(), of(by_agent.clone(), Effect::Real)).await.unwrap();
    assert_eq!((again.done.len(), again.skipped.len()), (0, MANY));

    let to = || (None, Some("t-2".parse().unwrap()));
    let given = engine.execute(&me(), BulkReassign::new(by_agent.clone(), to(), Effect::Real)).await.unwrap();
    assert_eq!((given.done.len(), given.failed.len()), (MANY, 0), "{:?}", given.failed.first());
    let in_team = Certificate::FIELDS.team_id.equals("t-2".parse().unwrap());
    assert_eq!(total(&engine, Query::<Certificate>::all().filter(in_team)).await, MANY);
    let again = engine.execute(&me(), BulkReassign::new(default, to(), Effect::Real)).await.unwrap();
    assert_eq!((again.done.len(), again.skipped.len()), (0, MANY));

    // The question for those of short-lived profiles is understood, also where certificates name no profile.
    let short = Import::new(short, terms(Some("prof-short")), Effect::Real);
    engine.execute(&me(), short_lived()).await.unwrap();
    let done = engine.execute(&me(), short).await.unwrap();
    assert_eq!((done.imported.len(), done.failed.len()), (3, 0), "{:?}", done.failed.first());
    assert_eq!(engine.step().await.unwrap().short_lived_ended, 0);
    let due = engine.next_due().await.unwrap().unwrap();
    assert!(due <= 20 * MINUTE, "{due:?}");
    revoked(&engine).await;
}

/// All of them put on hold with their open renewals called off, one released, and all revoked for good.
async fn revoked(engine: &Engine) {
    let of = |reason, effect| {
        let issuer_id = Some("iss-local".parse().unwrap());
        BulkRevoke::new(BulkCriteria { issuer_id, ..BulkCriteria::default() }, reason, effect)
    };
    let rows = async || total(engine, Query::<Revocation>::all()).await;
    let hold = RevocationReason::CertificateHold;
    let preview = engine.execute(&me(), of(hold, Effect::Preview)).await.unwrap();
    assert_eq!((preview.done.len(), rows().await), (MANY + 3, 0));
    let done = engine.execute(&me(), of(hold, Effect::Real)).await.unwrap();
    assert_eq!(done, preview, "what was foretold is what was done: {:?}", done.failed.first());
    let open = Query::<Job>::all().filter(Job::FIELDS.open_slot.is_set());
    assert_eq!((rows().await, total(engine, open).await), (MANY + 3, 0));
    assert_eq!(told(engine, AuditAction::CertificateRevoked).await, MANY + 3);
    let short = Query::<Revocation>::all().filter(Revocation::FIELDS.short_lived.equals(true));
    assert_eq!(total(engine, short).await, 3);
    let again = engine.execute(&me(), of(hold, Effect::Real)).await.unwrap();
    assert_eq!((again.done.len(), again.skipped.len()), (0, MANY + 3));
    engine.execute(&me(), Release { id: done.done[0].clone() }).await.unwrap();
    assert_eq!(rows().await, MANY + 2);
    let last = engine.execute(&me(), of(RevocationReason::CaCompromise, Effect::Real)).await.unwrap();
    assert_eq!((last.done.len(), rows().await), (MANY + 3, MANY + 3), "{:?}", last.failed.first());
    let left = Query::<Revocation>::all().filter(Revocation::FIELDS.reason.equals(hold));
    assert_eq!(total(engine, left).await, 0);
}

/// Certificates of ninety days, and three of ten minutes, each with its chain, by the store's clock.
async fn bundles(engine: &Engine) -> (String, String) {
    let now = engine.storage().read(View::Latest).await.unwrap().now();
    let authority = TestAuthority::new(9, now).await;
    let (mut bundle, mut short) = (String::new(), String::new());
    for number in 0..MANY + 3 {
        let (text, end) = if number < MANY { (&mut bundle, 90 * 24 * 60 * MINUTE) } else { (&mut short, 10 * MINUTE) };
        let made = authority.issue(&[&format!("host-{number}.example.com")], now - MINUTE, now + end).await;
        if text.is_empty() {
            text.push_str(&made.chain.issuers_pem());
        }
        text.push_str(&pem::encode("CERTIFICATE", made.chain.leaf()));
    }
    (bundle, short)
}

fn terms(profile: Option<&str>) -> ImportTerms {
    ImportTerms {
        owner_id: "o-default".parse().unwrap(),
        team_id: "team-default".parse().unwrap(),
        issuer_id: "iss-local".parse().unwrap(),
        renewal_policy_id: "rp-default".parse().unwrap(),
        certificate_profile_id: profile.map(|id| id.parse().unwrap()),
        agent_id: Some("edge-1".parse().unwrap()),
        environment: String::new(),
        name_template: "{cn}".into(),
        tags: BTreeMap::new(),
    }
}

fn short_lived() -> profile::Create {
    profile::Create {
        id: Some("prof-short".parse().unwrap()),
        name: "short".into(),
        description: String::new(),
        allowed_key_algorithms: None,
        max_ttl_seconds: 600,
        allowed_ekus: None,
        required_san_patterns: vec![],
        spiffe_uri_pattern: String::new(),
        allow_short_lived: true,
        must_staple: false,
        requires_approval: false,
        enabled: true,
    }
}
