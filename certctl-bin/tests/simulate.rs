//! `certctl simulate`: what it foretells of a store, that it leaves the store alone, and that it says the same again.

#![expect(clippy::disallowed_methods, reason = "the test runs the program over files")]
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

#[expect(dead_code, reason = "other tests need more of it")]
mod program;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use certctl_connectors::host::{self, HostConfig};
use certctl_core::agent::{AgentConfig, AgentRuntime, InProcess};
use certctl_core::domain::{FreezeWindow, JobState, Principal, SCHEMAS, Severity, Timestamp};
use certctl_core::engine::{Engine, SetupSecret};
use certctl_core::ops::{agent, certificate, job, profile, renewal_policy, target};
use certctl_core::ports::{Clock, Ports};
use certctl_core::seal::SealingKey;
use certctl_core::testing::FakePorts;
use certctl_storage::{DatabaseConfig, SeaStorage};
use program::certctl;
use serde_json::{Value, json};

const DAY: Duration = Duration::from_hours(24);

fn me() -> Principal {
    Principal::embedder("test")
}

fn simulate(arguments: &[&str]) -> Output {
    certctl().arg("simulate").args(arguments).output().unwrap()
}

fn text(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(arguments: &[&str], code: i32, says: &str) {
    let output = simulate(arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(code), true), "{arguments:?}: {error}");
    assert!(error.contains(says), "{arguments:?}: {error}");
}

/// Every file of a directory with its bytes.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

/// A store that lived for a while: an agent that is there, one that went away, and certificates of each kind of trouble.
struct Lived {
    storage: Arc<SeaStorage>,
    engine: Engine,
}

async fn policy(engine: &Engine, id: &str, auto_renew: bool, freeze: &[(Timestamp, Timestamp)]) {
    let windows =
        freeze.iter().map(|(from, to)| FreezeWindow { starts_at: *from, ends_at: *to, reason: "peak".into() });
    let create = renewal_policy::Create {
        id: Some(id.parse().unwrap()),
        name: id.into(),
        renewal_window_days: 0,
        auto_renew,
        max_retries: 3,
        retry_interval_seconds: 300,
        alert_thresholds_days: vec![30, 7, 0],
        alert_severity_map: BTreeMap::new(),
        alert_channels: [(Severity::Critical, vec!["Slack".to_owned()])].into(),
        freeze_windows: windows.collect(),
        fallback_issuer_ids: vec![],
        deployment_waves: None,
    };
    engine.execute(&me(), create).await.unwrap();
}

async fn approved_profile(engine: &Engine) {
    let create = profile::Create {
        id: Some("prof-four-eyes".parse().unwrap()),
        name: "four eyes".into(),
        description: String::new(),
        allowed_key_algorithms: None,
        max_ttl_seconds: 90 * 86_400,
        allowed_ekus: None,
        required_san_patterns: vec![],
        spiffe_uri_pattern: String::new(),
        allow_short_lived: false,
        must_staple: false,
        requires_approval: true,
        enabled: true,
    };
    engine.execute(&me(), create).await.unwrap();
}

async fn live(directory: &Path) -> Lived {
    let world = FakePorts::seeded(7);
    world.clock.set(Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").unwrap());
    world.commands.succeed(&["nginx", "-t"]);
    world.commands.succeed(&["nginx", "-s", "reload"]);
    // The store's answers come from threads of its own, which wake tasks of a runtime.
    let spawner = host::ports(&HostConfig::default()).unwrap().spawner;
    let ports = Ports { spawner, ..world.ports() };
    let database = DatabaseConfig::new(format!("sqlite:{}", directory.join("certctl.db").display()));
    let storage = Arc::new(SeaStorage::connect(&database, SCHEMAS, Arc::new(world.clock.clone())).await.unwrap());
    let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
    let builder = Engine::builder(storage.clone(), ports.clone(), secret);
    let engine = builder.connectors(certctl_connectors::registry()).build().await.unwrap();
    let now = world.clock.now();
    policy(&engine, "rp-manual", false, &[]).await;
    policy(&engine, "rp-frozen", true, &[(now + DAY * 50, now + DAY * 200)]).await;
    approved_profile(&engine).await;
    let mut agents = Vec::new();
    for id in ["edge", "gone"] {
        let registration = agent::Registration {
            id: Some(id.parse().unwrap()),
            name: id.into(),
            hostname: id.into(),
            ..agent::Registration::default()
        };
        engine.execute(&me(), agent::Register { registration, enrol_token: None }).await.unwrap();
        let control = Arc::new(InProcess::new(engine.clone(), id.parse().unwrap()));
        let config = AgentConfig::new(id.parse().unwrap(), format!("/var/lib/{id}"));
        let registry = certctl_connectors::registry();
        agents.push(AgentRuntime::start(control, ports.clone(), registry, config).await.unwrap());
    }
    let site = json!({"cert_path": "/etc/nginx/tls/shop.pem", "key_path": "/etc/nginx/tls/shop.key"});
    let create = target::Create {
        id: Some("t-shop".parse().unwrap()),
        name: "shop".into(),
        kind: "nginx".into(),
        agent_id: "edge".parse().unwrap(),
        config: site,
        enabled: true,
        client_auth: false,
    };
    engine.execute(&me(), create).await.unwrap();
    for (id, policy, agent) in [
        ("shop", "rp-default", "edge"),
        ("by-hand", "rp-manual", "edge"),
        ("frozen", "rp-frozen", "edge"),
        ("four-eyes", "rp-default", "edge"),
        ("lost", "rp-default", "gone"),
    ] {
        let create = certificate::Create {
            id: Some(format!("mc-{id}").parse().unwrap()),
            renewal_policy_id: policy.parse().unwrap(),
            certificate_profile_id: (id == "four-eyes").then(|| "prof-four-eyes".parse().unwrap()),
            target_ids: if id == "shop" { vec!["t-shop".parse().unwrap()] } else { vec![] },
            agent_id: (id != "shop").then(|| agent.parse().unwrap()),
            ..certificate::Create::new(id, format!("{id}.example.com"))
        };
        engine.execute(&me(), create).await.unwrap();
    }
    let waiting = job::ListFilter { status: Some(JobState::AwaitingApproval), ..job::ListFilter::default() };
    let list = job::List { filter: waiting, ..job::List::default() };
    for waiting in engine.execute(&me(), list).await.unwrap().records {
        engine.execute(&Principal::embedder("boss"), job::Approve { id: waiting.id.clone() }).await.unwrap();
    }
    for round in 0..6 {
        engine.step().await.unwrap();
        // The second one does its work, and is not heard of again.
        for agent in agents.iter().take(if round < 3 { 2 } else { 1 }) {
            agent.heartbeat().await.unwrap();
            while agent.step(Duration::ZERO).await.unwrap() > 0 {}
        }
        world.clock.advance(Duration::from_mins(5));
    }
    agents[0].heartbeat().await.unwrap();
    drop(agents);
    Lived { storage, engine }
}

#[tokio::test]
async fn what_would_expire_is_told_with_its_reason_and_the_store_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let Lived { storage, engine } = live(directory.path()).await;
    let from = directory.path().to_str().unwrap();
    let asked = ["--from", from, "--days", "120", "--json"];
    // Beside a process that has the store open.
    let beside = text(simulate(&asked));
    drop(engine);
    Arc::into_inner(storage).unwrap().close().await;
    let before = files(directory.path());
    let said = text(simulate(&asked));
    assert_eq!(said, text(simulate(&asked)), "the same seed, another report");
    assert_eq!(said, beside);
    assert_eq!(before, files(directory.path()), "the store was changed");

    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["certificates"]["total"], 5);
    assert_eq!(report["certificates"]["renew_by_themselves"], 4);
    assert_eq!(
        (&report["certificates"]["agents_online"], &report["certificates"]["agents_silent"]),
        (&json!(1), &json!(1))
    );
    let expiring = report["expiring"].as_array().unwrap();
    let mut ids: Vec<&str> = expiring.iter().map(|one| one["certificate_id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["mc-by-hand", "mc-four-eyes", "mc-lost"], "{said}");
    let why = |id: &str| {
        let one = expiring.iter().find(|one| one["certificate_id"] == id).unwrap();
        assert!(one["expires_at"].as_str().unwrap().starts_with("2026-03-31T"), "{one}");
        one["reasons"].as_array().unwrap().clone()
    };
    let says = |id: &str, gate: &str, words: &str| {
        let reasons = why(id);
        let found = reasons.iter().find(|reason| reason["gate"] == gate).unwrap_or_else(|| panic!("{id}: {reasons:?}"));
        assert!(found["reason"].as_str().unwrap().contains(words), "{id}: {reasons:?}");
    };
    assert_eq!(why("mc-by-hand")[0]["gate"], "auto_renew");
    says("mc-by-hand", "auto_renew", "renews nothing by itself");
    says("mc-lost", "agent", "was not heard of since 2026-01-01T00:");
    says("mc-four-eyes", "failure", "it waited too long for an approval");

    // Two are renewed: one twice on its day, one before its freeze window begins, and perhaps once more at the last call.
    let issued: Vec<&Value> =
        report["timeline"].as_array().unwrap().iter().filter(|moment| moment["what"] == "issued").collect();
    let of = |id: &str| issued.iter().filter(|moment| moment["certificate_id"] == id).count();
    let (shop, frozen) = (of("mc-shop"), of("mc-frozen"));
    assert!(shop == 2 && (1..=2).contains(&frozen) && issued.len() == shop + frozen, "{issued:?}");
    let first = issued.iter().find(|moment| moment["certificate_id"] == "mc-frozen").unwrap();
    assert!(first["at"].as_str().unwrap() < "2026-02-20", "{first}");
    assert_eq!(report["renewals"]["issued"], issued.len());
    assert_eq!(report["renewals"]["deployed"], 2);
    let per_day = report["renewals"]["per_day"].as_array().unwrap();
    let days: u64 = per_day.iter().map(|day| day["issued"].as_u64().unwrap()).sum();
    assert_eq!(days, issued.len() as u64);
    // Only the tiers of the one policy name somebody who can be told.
    assert!(report["notifications"]["by"].as_array().unwrap().iter().any(|by| by["event"] == "ExpirationWarning"));

    let other = text(simulate(&["--from", from, "--days", "120", "--json", "--seed", "2"]));
    assert_ne!(said, other);
    let shown = text(simulate(&["--from", &format!("{from}/certctl.db"), "--days", "120"]));
    for words in ["3 would expire:", "auto_renew: policy `rp-manual` renews nothing by itself", "Taken for granted:"] {
        assert!(shown.contains(words), "{shown}");
    }
    assert_eq!(before, files(directory.path()), "the store was changed");

    what_ifs(from);
}

fn what_ifs(from: &str) {
    let report = |more: &[&str]| -> Value {
        let asked = [&["--from", from, "--days", "120", "--json"], more].concat();
        serde_json::from_str(&text(simulate(&asked))).unwrap()
    };
    let short = report(&["--lifetime-days", "20"]);
    assert!(short["renewals"]["issued"].as_u64().unwrap() >= 10, "{short}");
    let down = report(&["--down", "iss-local"]);
    let shop = down["expiring"].as_array().unwrap().iter().find(|one| one["certificate_id"] == "mc-shop").unwrap();
    let reasons = shop["reasons"].to_string();
    assert!(reasons.contains("this issuer is down"), "{shop}");
    let late = report(&["--at", "2026-05-01T00:00:00Z"]);
    assert_eq!((&late["from"], &late["certificates"]["expired_already"]), (&json!("2026-05-01T00:00:00Z"), &json!(5)));
    assert_eq!(late["expiring"], json!([]));
    refused(&["--from", from, "--days", "9", "--down", "nobody"], 2, "no issuer and no agent `nobody`");
    refused(&["--from", from, "--days", "9", "--at", "tomorrow"], 2, "--at");
    refused(
        &["--from", from, "--days", "9", "--lifetime-days", "0"],
        2,
        "--lifetime-days: certificates cannot live for 0 days",
    );
}

#[test]
fn an_empty_store_has_nothing_to_foretell() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_str().unwrap();
    let made = certctl().args(["migrate", "--data-dir", place]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let report: Value = serde_json::from_str(&text(simulate(&["--from", place, "--days", "30", "--json"]))).unwrap();
    assert_eq!((&report["certificates"]["total"], &report["renewals"]["issued"]), (&json!(0), &json!(0)));
    assert_eq!(report["expiring"], json!([]));
    assert!(text(simulate(&["--from", place, "--days", "30"])).contains("No certificate would expire."));
}

#[test]
fn what_cannot_be_simulated_is_refused_with_the_way_out() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_str().unwrap();
    refused(&["--from", place, "--days", "0"], 2, "--days: 0 days cannot be simulated; choose 1 to 3650");
    refused(&["--from", place, "--days", "4000000000"], 2, "choose 1 to 3650");
    refused(&["--from", place, "--days", "-1"], 2, "--days");
    refused(&["--from", place, "--days", "30"], 1, "cannot open the database file");
    refused(&["--from", &format!("{place}/none"), "--days", "30"], 2, "--from: there is no directory");
    assert!(files(directory.path()).is_empty(), "something was made");
    std::fs::write(directory.path().join("certctl.db"), b"no database at all").unwrap();
    refused(&["--from", place, "--days", "30"], 1, "error");
    std::fs::write(directory.path().join("certctl.db"), b"").unwrap();
    refused(&["--from", place, "--days", "30"], 1, "certctl migrate");
}
