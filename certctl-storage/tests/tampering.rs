//! Whoever changes the audit trail below the engine, past its triggers, is found by the verification.

use std::sync::Arc;
use std::time::Duration;

use certctl_core::Engine;
use certctl_core::audit::{FindingKind, Verification};
use certctl_core::domain::{Principal, SCHEMAS};
use certctl_core::engine::SetupSecret;
use certctl_core::ops::{audit, team};
use certctl_core::seal::SealingKey;
use certctl_core::storage::Storage;
use certctl_core::testing::{FakePorts, ManualClock};
use certctl_storage::{DatabaseConfig, SeaStorage};
use libtest_mimic::Trial;
use sea_orm::{ConnectionTrait, Database};

use crate::{Server, on_postgres, on_sqlite};

/// What is done to the trail, and the first finding: its kind and its place.
struct Deed {
    name: &'static str,
    sql: &'static [&'static str],
    found: Option<(FindingKind, Option<i64>)>,
}

const COLUMNS: &str = "actor, actor_type, action, resource_type, resource_id, details, timestamp, digest";

/// The trail has 8 sealed rows or more, a checkpoint over the last of them, and an unsealed row.
const DEEDS: &[Deed] = &[
    Deed { name: "an_untouched_trail_is_clean", sql: &[], found: None },
    Deed {
        name: "an_edit_is_found",
        sql: &["UPDATE audit_events SET actor = 'nobody' WHERE seq = 3"],
        found: Some((FindingKind::Edited, Some(3))),
    },
    Deed {
        name: "an_edit_of_details_is_found",
        sql: &["UPDATE audit_events SET details = '{}' WHERE seq = 3"],
        found: Some((FindingKind::Edited, Some(3))),
    },
    Deed {
        name: "an_edit_of_an_unsealed_row_is_found",
        sql: &["UPDATE audit_events SET actor = 'nobody' WHERE seq = 9223372036854775807"],
        found: Some((FindingKind::Edited, None)),
    },
    Deed {
        name: "a_deletion_is_found",
        sql: &["DELETE FROM audit_events WHERE seq = 3"],
        found: Some((FindingKind::Missing, Some(3))),
    },
    Deed {
        name: "a_deletion_that_closes_the_gap_is_found",
        sql: &[
            "DELETE FROM audit_events WHERE seq = 3",
            "UPDATE audit_events SET seq = seq - 1 WHERE seq > 3 AND seq < 9223372036854775807",
        ],
        found: Some((FindingKind::BrokenLink, Some(3))),
    },
    Deed {
        name: "a_reordering_is_found",
        sql: &[
            "UPDATE audit_events SET seq = 1000 WHERE seq = 3",
            "UPDATE audit_events SET seq = 3 WHERE seq = 4",
            "UPDATE audit_events SET seq = 4 WHERE seq = 1000",
        ],
        found: Some((FindingKind::BrokenLink, Some(3))),
    },
    Deed {
        name: "a_cut_tail_is_found",
        sql: &["DELETE FROM audit_events WHERE seq > 4"],
        found: Some((FindingKind::Cut, Some(5))),
    },
    Deed {
        name: "a_cut_tail_is_found_by_what_is_outside_of_the_database",
        sql: &["DELETE FROM audit_events WHERE seq > 4", "DELETE FROM audit_checkpoints WHERE seq > 4"],
        found: Some((FindingKind::Cut, Some(5))),
    },
    Deed {
        name: "a_checkpoint_of_somebody_elses_is_found",
        sql: &["UPDATE audit_checkpoints SET key_id = 'other'"],
        found: Some((FindingKind::BadSignature, None)),
    },
];

const FORK: &str = "a_second_row_with_one_number_is_found";

pub(crate) fn trials(server: &Server) -> Vec<Trial> {
    let mut trials = Vec::new();
    for deed in DEEDS {
        trials.push(on_sqlite(deed.name, async move |path| {
            tamper(DatabaseConfig::new(format!("sqlite:{}", path.display())), deed).await;
        }));
        trials.push(on_postgres(server, deed.name, async move |url| tamper(DatabaseConfig::new(url), deed).await));
    }
    trials.push(on_sqlite(FORK, async |path| fork(DatabaseConfig::new(format!("sqlite:{}", path.display()))).await));
    trials.push(on_postgres(server, FORK, async |url| fork(DatabaseConfig::new(url)).await));
    trials
}

struct World {
    config: DatabaseConfig,
    fakes: FakePorts,
    store: Arc<SeaStorage>,
    engine: Engine,
}

impl World {
    async fn open(config: DatabaseConfig, fakes: FakePorts) -> Self {
        let clock: Arc<ManualClock> = Arc::new(fakes.clock.clone());
        let store = Arc::new(SeaStorage::connect(&config, SCHEMAS, clock).await.unwrap());
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
        let builder = Engine::builder(Arc::clone(&store) as Arc<dyn Storage>, fakes.ports(), secret);
        let engine = builder.audit_checkpoints("/checkpoints").build().await.unwrap();
        Self { config, fakes, store, engine }
    }

    async fn team(&self, name: &str) {
        let create = team::Create { name: name.into(), ..team::Create::default() };
        self.engine.execute(&Principal::embedder("test"), create).await.unwrap();
    }

    /// A minute later, everything is sealed and signed.
    async fn seal(&self) {
        for _ in 0..2 {
            self.fakes.clock.advance(Duration::from_secs(61));
            self.engine.step().await.unwrap();
        }
    }

    async fn verify(&self) -> Verification {
        self.engine.execute(&Principal::embedder("auditor"), audit::Verify).await.unwrap()
    }

    /// Stops the engine, does something to its database, and starts it again.
    async fn meanwhile(self, sql: &[&str]) -> Self {
        let Self { config, fakes, store, engine } = self;
        drop(engine);
        Arc::into_inner(store).unwrap().close().await;
        let raw = Database::connect(&config.url).await.unwrap();
        let lets_go: &[&str] = if config.url.starts_with("sqlite") {
            &[
                "DROP TRIGGER audit_events_no_update",
                "DROP TRIGGER audit_events_no_delete",
                "DROP TRIGGER audit_checkpoints_no_update",
                "DROP TRIGGER audit_checkpoints_no_delete",
            ]
        } else {
            &["ALTER TABLE audit_events DISABLE TRIGGER ALL", "ALTER TABLE audit_checkpoints DISABLE TRIGGER ALL"]
        };
        for sql in lets_go.iter().chain(sql) {
            raw.execute_unprepared(sql).await.unwrap();
        }
        raw.close().await.unwrap();
        Self::open(config, fakes).await
    }
}

async fn grown(config: DatabaseConfig) -> World {
    let world = World::open(config, FakePorts::seeded(1)).await;
    for part in 0..2 {
        for n in 0..4 {
            world.team(&format!("team {part} {n}")).await;
        }
        world.seal().await;
    }
    world.team("last").await;
    let outcome = world.verify().await;
    assert!(outcome.is_clean() && outcome.sealed >= 8 && outcome.unsealed == 1, "{outcome:?}");
    assert_eq!(outcome.vouched.map(|(seq, _)| seq), Some(outcome.last_seq));
    world
}

async fn tamper(config: DatabaseConfig, deed: &Deed) {
    let world = grown(config).await.meanwhile(deed.sql).await;
    let outcome = world.verify().await;
    let first = outcome.findings.first().map(|finding| (finding.kind, finding.seq));
    match deed.found {
        Some((kind, Some(seq))) => assert_eq!(first, Some((kind, Some(seq))), "{outcome:?}"),
        Some((kind, None)) => assert_eq!(first.map(|(kind, _)| kind), Some(kind), "{outcome:?}"),
        None => assert!(outcome.is_clean(), "{outcome:?}"),
    }
}

async fn fork(config: DatabaseConfig) {
    let copy = format!(
        "INSERT INTO audit_events (id, {COLUMNS}, seq, hash) \
         SELECT 'aud-copy', {COLUMNS}, seq, hash FROM audit_events WHERE seq = 3"
    );
    let world = grown(config).await.meanwhile(&[&copy]).await;
    let outcome = world.verify().await;
    let kinds: Vec<_> = outcome.findings.iter().map(|finding| (finding.kind, finding.seq)).collect();
    assert!(kinds.contains(&(FindingKind::Duplicate, Some(3))), "{outcome:?}");
}
