//! Failures that other tools kept to themselves, provoked here; the book has the whole table. What is on disk.

#![expect(clippy::disallowed_methods, reason = "the test copies the files of a store")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use certctl_connectors::host::TokioSpawner;
use certctl_core::Engine;
use certctl_core::domain::{CertificateStatus, JobState, JobType, KeyAlgorithm, Principal, SCHEMAS, SubjectNames};
use certctl_core::engine::SetupSecret;
use certctl_core::ops::{agent, certificate, job};
use certctl_core::pki;
use certctl_core::ports::Ports;
use certctl_core::seal::SealingKey;
use certctl_core::testing::FakePorts;
use certctl_storage::{DatabaseConfig, SeaStorage};

const ID: &str = "mc-shop";

fn me() -> Principal {
    Principal::embedder("test")
}

/// An engine over a SQLite file, with the CA that every store has.
async fn open(file: &Path, fakes: &FakePorts) -> (Engine, Arc<SeaStorage>) {
    // What is begun beside a step has to end for the file to be closed.
    let ports = Ports { spawner: Arc::new(TokioSpawner), ..fakes.ports() };
    let config = DatabaseConfig::new(format!("sqlite:{}", file.display()));
    let store = Arc::new(SeaStorage::connect(&config, SCHEMAS, ports.clock.clone()).await.unwrap());
    let secret = SetupSecret::Key(SealingKey::from_bytes(&[7; 32]).unwrap());
    let builder = Engine::builder(Arc::clone(&store) as _, ports, secret);
    (builder.connectors(certctl_connectors::registry()).build().await.unwrap(), store)
}

async fn close((engine, store): (Engine, Arc<SeaStorage>)) {
    drop(engine);
    while Arc::strong_count(&store) > 1 {
        tokio::task::yield_now().await;
    }
    Arc::into_inner(store).unwrap().close().await;
}

async fn issue(engine: &Engine) {
    let ports = engine.ports();
    let key = ports.keys.generate(KeyAlgorithm::EcdsaP256, &*ports.rng).await.unwrap();
    let csr = pki::csr::build(&SubjectNames::new("shop.example.com", &[]).unwrap(), &*key.signer).await.unwrap();
    let (agent_id, certificate_id) = ("edge-1".parse().unwrap(), ID.parse().unwrap());
    let submit = agent::SubmitCsr { agent_id, certificate_id, csr_pem: csr.to_pem() };
    engine.execute(&me(), submit).await.unwrap();
}

async fn status(engine: &Engine) -> CertificateStatus {
    engine.execute(&me(), certificate::Get { id: ID.parse().unwrap() }).await.unwrap().status
}

/// The copy of a store is all that a server needs to go on renewing: with the same CA, and the same plan.
#[test]
fn sf05_a_restored_backup_renews() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (dir, fakes) = (tempfile::tempdir().unwrap(), FakePorts::seeded(71));
        let (file, copy) = (dir.path().join("certctl.db"), dir.path().join("restored").join("certctl.db"));
        let (engine, store) = open(&file, &fakes).await;
        let registration = agent::Registration {
            id: Some("edge-1".parse().unwrap()),
            name: "edge-1".into(),
            hostname: "host".into(),
            ..agent::Registration::default()
        };
        let credential = engine.execute(&me(), agent::Register { registration, enrol_token: None }).await.unwrap();
        let mut create = certificate::Create::new("shop", "shop.example.com");
        (create.id, create.agent_id) = (Some(ID.parse().unwrap()), Some("edge-1".parse().unwrap()));
        engine.execute(&me(), create).await.unwrap();
        issue(&engine).await;
        assert_eq!(status(&engine).await, CertificateStatus::Active);
        let trust = engine.agent_trust().await.unwrap().fingerprint;
        close((engine, store)).await;

        std::fs::create_dir(dir.path().join("restored")).unwrap();
        std::fs::copy(&file, &copy).unwrap();
        std::fs::remove_file(&file).unwrap();
        let (engine, store) = open(&copy, &fakes).await;
        assert_eq!(engine.agent_trust().await.unwrap().fingerprint, trust, "agents know it again");
        assert!(engine.authenticate(credential.credential.expose()).await.is_ok(), "and it knows them");
        let before = engine.execute(&me(), certificate::Get { id: ID.parse().unwrap() }).await.unwrap();
        let due = before.certificate.renew_at.since(certctl_core::ports::Clock::now(&fakes.clock));
        fakes.clock.advance(due + Duration::from_secs(1));
        engine.step().await.unwrap();
        assert_eq!(status(&engine).await, CertificateStatus::RenewalInProgress, "it renews by itself");
        issue(&engine).await;
        let after = engine.execute(&me(), certificate::Get { id: ID.parse().unwrap() }).await.unwrap();
        assert_eq!(after.status, CertificateStatus::Active);
        assert_ne!(after.newest.as_ref().unwrap().id, before.newest.as_ref().unwrap().id);
        let (after, before) = (after.newest.unwrap().chain, before.newest.unwrap().chain);
        assert_eq!(after.issuers(), before.issuers(), "by the same CA");
        let jobs = engine.execute(&me(), job::List::default()).await.unwrap().records;
        assert!(jobs.iter().any(|job| job.kind == JobType::Renewal && job.state == JobState::Completed));
        close((engine, store)).await;
    });
}

/// The page of the book has a row for each, and names tests that there are, all of them.
#[test]
fn the_page_names_every_test_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/src/silent-failures.md")).unwrap();
    for number in 1..=22 {
        let row = page.lines().find(|line| line.starts_with(&format!("| SF{number} |")));
        let row = row.unwrap_or_else(|| panic!("SF{number} has no row"));
        assert!(row.contains(&format!("`sf{number:02}_")) || row.contains("none: "), "{row}");
    }
    let named: BTreeSet<&str> = page.split('`').filter(|word| word.starts_with("sf")).collect();
    let mut found = BTreeSet::new();
    let files = [
        "certctl-http/tests/api/silent_failures.rs",
        "certctl-bin/tests/silent_failures.rs",
        "certctl-core/tests/engine/silent_failures.rs",
        "certctl-core/tests/lost_attempts.rs",
        "certctl-core/tests/key_store.rs",
        "certctl-core/tests/audit.rs",
        "certctl-connectors/tests/lifecycle.rs",
        "certctl-connectors/src/deploy/tests.rs",
    ];
    for file in files {
        assert!(page.contains(file), "{file} is not on the page");
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let tests =
            text.lines().filter_map(|line| line.trim_start().strip_prefix("async ").or(Some(line.trim_start())));
        let tests =
            tests.filter_map(|line| line.strip_prefix("fn ")?.split_once("()")).map(|(name, _)| name.to_owned());
        found.extend(tests.filter(|name| name.starts_with("sf") && name.as_bytes()[2].is_ascii_digit()));
    }
    let named: BTreeSet<String> = named.into_iter().filter(|name| name.contains('_')).map(str::to_owned).collect();
    assert_eq!(named, found);
}
