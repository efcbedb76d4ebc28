//! The child: an engine and an agent in one process, renewing until they are killed.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use certctl_connectors::host::{self, HostConfig};
use certctl_core::Engine;
use certctl_core::agent::{AgentConfig, AgentRuntime, InProcess};
use certctl_core::domain::{AgentId, Principal, SCHEMAS, Version};
use certctl_core::engine::SetupSecret;
use certctl_core::error::ErrorKind;
use certctl_core::ops::{PageRequest, agent, certificate, job, renewal_policy, target};
use certctl_core::ports::Ports;
use certctl_core::seal::SealingKey;
use certctl_core::storage::Storage;
use certctl_storage::{DatabaseConfig, SeaStorage};
use serde_json::json;

use super::Order;
use super::points::{PointedFiles, PointedKeys, PointedStorage, Points};

/// Certificates, each with one target.
pub(crate) const SITES: usize = 2;
const AGENT: &str = "edge-1";

pub(crate) fn run(order: &Order) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(live(order));
}

async fn live(order: &Order) {
    let points = Points::armed(order.die_at.clone());
    let ports = host::ports(&HostConfig::default()).unwrap();
    let ports = Ports {
        keys: Arc::new(PointedKeys { inner: ports.keys.clone(), points: points.clone() }),
        files: Arc::new(PointedFiles { inner: ports.files.clone(), points: points.clone() }),
        ..ports
    };
    let store = SeaStorage::connect(&DatabaseConfig::new(&order.url), SCHEMAS, ports.clock.clone()).await.unwrap();
    let storage: Arc<dyn Storage> = Arc::new(PointedStorage { inner: Arc::new(store), points: points.clone() });
    let secret = SetupSecret::Key(SealingKey::from_bytes(&[7; 32]).unwrap());
    let registry = certctl_connectors::registry();
    let engine = Engine::builder(storage, ports.clone(), secret).connectors(registry.clone()).build().await.unwrap();
    prepare(&engine, order).await;
    let id = AgentId::parse(AGENT).unwrap();
    let control = Arc::new(InProcess::new(engine.clone(), id.clone()));
    let mut config = AgentConfig::new(id, order.dir.join("agent"));
    config.allowed_commands = vec![vec!["true".into()]];
    config.allowed_paths = (0..SITES).map(|site| order.dir.join(format!("site-{site}"))).collect();
    let agent = AgentRuntime::start(control, ports, registry, config).await.unwrap();
    work(&engine, &agent).await;
    for _ in 0..order.renewals {
        for site in 0..SITES {
            let renew = certificate::Renew { id: format!("mc-{site}").parse().unwrap() };
            match engine.execute(&me(), renew).await {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => panic!("renew: {error}"),
            }
        }
        work(&engine, &agent).await;
    }
    if order.renewals == 0 {
        settle(&engine, &agent).await;
        tell_jobs(&engine).await;
    }
    points.tell();
}

fn me() -> Principal {
    Principal::embedder("test")
}

/// Does what there is to do, and tells the parent which versions are acknowledged.
async fn work(engine: &Engine, agent: &AgentRuntime) {
    for _ in 0..50 {
        let done = agent.step(Duration::ZERO).await.unwrap();
        for site in 0..SITES {
            let get = certificate::Get { id: format!("mc-{site}").parse().unwrap() };
            if let Some(version) = engine.execute(&me(), get).await.unwrap().newest {
                println!("VERSION {} {}", version.fingerprint_sha256, version.serial_number);
            }
        }
        std::io::stdout().flush().unwrap();
        if done == 0 {
            return;
        }
    }
    panic!("there is work without end");
}

/// Three deaths in one deployment are a failed attempt, which is made again a moment later.
async fn settle(engine: &Engine, agent: &AgentRuntime) {
    for _ in 0..60 {
        let list = job::List { page: PageRequest::Number { page: 1, per_page: 500 }, ..job::List::default() };
        if !engine.execute(&me(), list).await.unwrap().records.iter().any(|job| job.is_open()) {
            return;
        }
        agent.step(Duration::from_secs(1)).await.unwrap();
    }
}

/// What an earlier run made is there already.
async fn prepare(engine: &Engine, order: &Order) {
    fn fine<T>(result: Result<T, certctl_core::Error>) {
        match result {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => panic!("{error}"),
        }
    }
    let registration = agent::Registration {
        id: Some(AGENT.parse().unwrap()),
        name: AGENT.into(),
        hostname: "host".into(),
        ..agent::Registration::default()
    };
    fine(engine.execute(&me(), agent::Register { registration, enrol_token: None }).await);
    let policy = renewal_policy::Create {
        id: Some("rp-crash".parse().unwrap()),
        name: "crash".into(),
        renewal_window_days: 0,
        auto_renew: true,
        max_retries: 10,
        retry_interval_seconds: 1,
        alert_thresholds_days: Vec::new(),
    };
    fine(engine.execute(&me(), policy).await);
    for site in 0..SITES {
        let dir = order.dir.join(format!("site-{site}"));
        std::fs::create_dir_all(&dir).unwrap();
        let config = json!({
            "cert_path": dir.join("fullchain.pem"), "key_path": dir.join("key.pem"),
            "validate_command": ["true"], "reload_command": ["true"],
        });
        let create = target::Create {
            id: Some(format!("tgt-{site}").parse().unwrap()),
            name: format!("site-{site}"),
            kind: "NGINX".into(),
            agent_id: AGENT.parse().unwrap(),
            config,
            enabled: true,
        };
        fine(engine.execute(&me(), create).await);
        let create = certificate::Create {
            id: Some(format!("mc-{site}").parse().unwrap()),
            name: format!("site-{site}"),
            common_name: format!("site-{site}.example.com"),
            sans: vec![],
            environment: String::new(),
            owner_id: "o-default".parse().unwrap(),
            team_id: "team-default".parse().unwrap(),
            issuer_id: "iss-local".parse().unwrap(),
            renewal_policy_id: "rp-crash".parse().unwrap(),
            certificate_profile_id: None,
            target_ids: vec![format!("tgt-{site}").parse().unwrap()],
            agent_id: None,
            tags: BTreeMap::new(),
            issue: true,
        };
        fine(engine.execute(&me(), create).await);
    }
}

/// Everything that the store holds, for the parent's verdict.
async fn tell_jobs(engine: &Engine) {
    let mut page = 1;
    loop {
        let request = PageRequest::Number { page, per_page: 500 };
        let list = job::List { filter: job::ListFilter::default(), page: request };
        let listed = engine.execute(&me(), list).await.unwrap();
        for job in &listed.records {
            println!("JOB {} {} {}", job.kind, job.state, job.id);
        }
        if listed.next.is_none() {
            break;
        }
        page += 1;
    }
    for site in 0..SITES {
        let mut page = 1;
        loop {
            let request = PageRequest::Number { page, per_page: 500 };
            let versions = certificate::Versions { id: format!("mc-{site}").parse().unwrap(), page: request };
            let listed = engine.execute(&me(), versions).await.unwrap();
            for version in &listed.records {
                let version: &Version = version;
                println!("STORED {} {}", version.fingerprint_sha256, version.serial_number);
            }
            if listed.next.is_none() {
                break;
            }
            page += 1;
        }
    }
}
