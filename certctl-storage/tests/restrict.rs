//! What is referred to is not deleted, whoever asks the database for it: agents are retired, and targets keep theirs.

use std::sync::Arc;

use certctl_core::domain::{self, Agent, AgentId, ConfigSource, TargetRecord, TestStatus, Timestamp};
use certctl_core::entity::Json;
use certctl_core::storage::{Changes, Query, Storage, View};
use certctl_storage::{DatabaseConfig, SeaStorage};
use libtest_mimic::Trial;
use sea_orm::{ConnectionTrait, Database};

use crate::clock::SystemClock;
use crate::{Server, on_postgres, on_sqlite};

pub(crate) fn trials(server: &Server) -> Vec<Trial> {
    let name = "an_agent_with_targets_is_not_deleted";
    vec![
        // As another program would, which does not ask for foreign keys.
        on_sqlite(name, async |path| {
            refused(&format!("sqlite:{}", path.display()), "PRAGMA foreign_keys = OFF;").await;
        }),
        on_sqlite("an_agent_with_targets_is_not_deleted_by_the_store", async |path| {
            refused(&format!("sqlite:{}", path.display()), "PRAGMA foreign_keys = ON;").await;
        }),
        on_postgres(server, name, async |url| refused(&url, "").await),
    ]
}

fn agent() -> Agent {
    Agent {
        id: "edge-1".parse().unwrap(),
        name: "edge-1".into(),
        hostname: "host".into(),
        os: String::new(),
        architecture: String::new(),
        ip_address: String::new(),
        version: String::new(),
        target_kinds: Json(Vec::new()),
        credential_hash: None,
        sentinel: false,
        last_heartbeat_at: Timestamp::default(),
        registered_at: Timestamp::default(),
        offline_since: None,
        retired_at: None,
        retired_reason: None,
        retiring_until: None,
        updated_at: Timestamp::default(),
    }
}

fn target(agent_id: AgentId) -> TargetRecord {
    TargetRecord {
        id: "t-1".parse().unwrap(),
        name: "t-1".into(),
        kind: "NGINX".into(),
        agent_id,
        shown_config: Json(serde_json::json!({})),
        sealed_config: Vec::new(),
        enabled: true,
        client_auth: false,
        test_status: TestStatus::Untested,
        last_tested_at: None,
        source: ConfigSource::Database,
        retired_at: None,
        retired_reason: None,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}

async fn open(url: &str) -> SeaStorage {
    SeaStorage::connect(&DatabaseConfig::new(url), domain::SCHEMAS, Arc::new(SystemClock)).await.unwrap()
}

async fn refused(url: &str, first: &str) {
    let store = open(url).await;
    let mut changes = Changes::bookkeeping();
    let agent = agent();
    changes.insert(target(agent.id.clone()));
    changes.insert(agent);
    store.apply(changes).await.unwrap();
    store.close().await;

    let raw = Database::connect(url).await.unwrap();
    let run = async |sql: &str| raw.execute_unprepared(&format!("{first} {sql}")).await.map(drop);
    for delete in ["DELETE FROM agents", "DELETE FROM agents WHERE id = 'edge-1'"] {
        let error = run(delete).await.unwrap_err().to_string().to_lowercase();
        assert!(error.contains("foreign key constraint"), "{error}");
    }
    // It is the target that holds the agent, and nothing else.
    let count = async || {
        let store = open(url).await;
        let agents = store.read(View::Latest).await.unwrap().total(&Query::<Agent>::all()).await.unwrap();
        store.close().await;
        agents
    };
    assert_eq!(count().await, 1);
    run("DELETE FROM deployment_targets").await.unwrap();
    run("DELETE FROM agents").await.unwrap();
    assert_eq!(count().await, 0);
    raw.close().await.unwrap();
}
