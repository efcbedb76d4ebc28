//! The digest, sent when it is due: once, however many servers there are.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::sync::Arc;
use std::time::Duration;

use certctl_core::Engine;
use certctl_core::connector::Registry;
use certctl_core::domain::{
    AuditAction, AuditEvent, Notification, NotificationState, NotificationType, Principal, SCHEMAS,
};
use certctl_core::engine::{DigestConfig, NotifierConfig, SetupSecret};
use certctl_core::entity::Record;
use certctl_core::error::{Error, ErrorKind};
use certctl_core::ops::{digest, owner};
use certctl_core::seal::SealingKey;
use certctl_core::storage::{MemoryStorage, Query, Storage, View};
use certctl_core::testing::{FakePorts, NoticeBoard, RecordingNotifier, block_on};
use serde_json::{Value, json};

const DAY: Duration = Duration::from_secs(86_400);

/// One store, one clock, and the board that everything is pinned to.
struct World {
    fakes: FakePorts,
    storage: Arc<dyn Storage>,
    board: NoticeBoard,
}

fn me() -> Principal {
    Principal::embedder("test")
}

impl World {
    fn new(seed: u64) -> Self {
        let fakes = FakePorts::seeded(seed);
        let board = NoticeBoard::new();
        board.attach(&fakes.http);
        let storage = Arc::new(MemoryStorage::new(SCHEMAS, Arc::new(fakes.clock.clone())));
        Self { fakes, storage, board }
    }

    /// A server over the store.
    async fn server(&self, notifier: Value, digest: Option<DigestConfig>) -> Result<Engine, Error> {
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
        let registry = Registry::new().notifier::<RecordingNotifier>();
        let notifier = NotifierConfig { name: "mail".into(), kind: "Recording".into(), config: notifier };
        let builder = Engine::builder(Arc::clone(&self.storage), self.fakes.ports(), secret);
        let builder = builder.connectors(registry).notifier(notifier);
        match digest {
            Some(digest) => builder.digest(digest).build().await,
            None => builder.build().await,
        }
    }

    async fn owners(&self, engine: &Engine, emails: &[&str]) {
        let [first, rest @ ..] = emails else { return };
        let change = owner::Update {
            id: "o-default".parse().unwrap(),
            name: None,
            email: Some((*first).to_owned()),
            team_id: None,
        };
        engine.execute(&me(), change).await.unwrap();
        for (number, email) in rest.iter().enumerate() {
            let create = owner::Create {
                id: None,
                name: format!("owner {number}"),
                email: (*email).to_owned(),
                team_id: "team-default".parse().unwrap(),
            };
            engine.execute(&me(), create).await.unwrap();
        }
    }

    /// Lets all servers step at each of their moments, for this long.
    async fn pass(&self, engines: &[&Engine], time: Duration) {
        let clock = &self.fakes.clock;
        let end = certctl_core::ports::Clock::monotonic(clock) + time;
        loop {
            let mut due = DAY;
            for engine in engines {
                engine.step().await.unwrap();
                due = due.min(engine.next_due().await.unwrap().unwrap_or(DAY));
            }
            let left = certctl_core::ports::Clock::monotonic(clock).until(end);
            if left.is_zero() {
                return;
            }
            clock.advance(due.clamp(Duration::from_secs(1), left.max(Duration::from_secs(1))).min(left));
        }
    }

    async fn sent(&self) -> Vec<Record<Notification>> {
        self.storage.read(View::Latest).await.unwrap().list(Query::all().limit(1_000)).await.unwrap().records
    }

    async fn recipients(&self) -> Vec<String> {
        let mut recipients: Vec<_> = self.sent().await.iter().map(|one| one.recipient.clone()).collect();
        recipients.sort();
        recipients
    }

    async fn recorded(&self) -> usize {
        let view = self.storage.read(View::Latest).await.unwrap();
        let query = Query::<AuditEvent>::all().filter(AuditEvent::FIELDS.action.equals(AuditAction::DigestSent));
        view.list(query).await.unwrap().records.len()
    }
}

fn daily(recipients: &[&str]) -> DigestConfig {
    let recipients = recipients.iter().map(|one| (*one).to_owned()).collect();
    DigestConfig { recipients, ..DigestConfig::default() }
}

#[test]
fn it_comes_once_a_day_and_not_at_the_start() {
    block_on(async {
        let world = World::new(1);
        let engine = world
            .server(json!({ "owner": true }), Some(daily(&["a@example.com", "b@example.com", "a@example.com"])))
            .await;
        let engine = engine.unwrap();
        world.pass(&[&engine], Duration::from_secs(86_400 - 60)).await;
        assert!(world.sent().await.is_empty());
        world.pass(&[&engine], Duration::from_secs(120)).await;
        assert_eq!(world.recipients().await, ["a@example.com", "b@example.com"]);
        assert_eq!((world.recorded().await, world.board.notices().len()), (1, 2));
        for one in world.sent().await {
            assert_eq!(
                (one.kind, one.state, one.certificate_id.clone()),
                (NotificationType::Digest, NotificationState::Sent, None)
            );
            assert!(one.subject.starts_with("certctl Certificate Digest — 2030-01-0"), "{}", one.subject);
            assert!(
                one.html.as_ref().unwrap().starts_with("<!DOCTYPE html>") && one.message.contains("Certificates: 0")
            );
        }
        world.pass(&[&engine], DAY * 3).await;
        assert_eq!((world.recorded().await, world.board.notices().len()), (4, 8));
    });
}

#[test]
fn three_servers_send_one_and_a_restart_neither_repeats_nor_skips() {
    block_on(async {
        let world = World::new(2);
        let server = || world.server(json!({ "owner": true }), Some(daily(&["a@example.com"])));
        let (one, two, three) = (server().await.unwrap(), server().await.unwrap(), server().await.unwrap());
        world.pass(&[&one, &two, &three], DAY * 5 + Duration::from_secs(60)).await;
        assert_eq!((world.recorded().await, world.board.notices().len()), (5, 5));
        drop((one, two, three));
        let again = server().await.unwrap();
        world.pass(&[&again], Duration::from_secs(86_400 - 300)).await;
        assert_eq!(world.recorded().await, 5, "it is not sent because somebody started");
        world.pass(&[&again], Duration::from_secs(300)).await;
        assert_eq!(world.recorded().await, 6);
        drop(again);
        // Nobody runs for three days and a half: what was missed is sent once, and the hour stays.
        world.fakes.clock.advance(DAY * 3 + DAY / 2);
        let late = server().await.unwrap();
        world.pass(&[&late], Duration::from_secs(60)).await;
        assert_eq!(world.recorded().await, 7);
        world.pass(&[&late], DAY / 2).await;
        assert_eq!((world.recorded().await, world.board.notices().len()), (8, 8));
    });
}

#[test]
fn a_shorter_interval_takes_effect_at_once() {
    block_on(async {
        let world = World::new(3);
        let slow = world.server(json!({ "owner": true }), Some(daily(&["a@example.com"]))).await.unwrap();
        world.pass(&[&slow], Duration::from_secs(60)).await;
        drop(slow);
        let hourly = DigestConfig { interval: Duration::from_secs(3_600), ..daily(&["a@example.com"]) };
        let fast = world.server(json!({ "owner": true }), Some(hourly)).await.unwrap();
        world.pass(&[&fast], Duration::from_secs(3_700)).await;
        assert_eq!(world.recorded().await, 1);
    });
}

#[test]
fn without_recipients_every_owner_gets_it_once() {
    block_on(async {
        let world = World::new(4);
        let engine = world.server(json!({ "owner": true }), Some(DigestConfig::default())).await.unwrap();
        world.owners(&engine, &["anna@example.com", "bob@example.com", "Anna@Example.com"]).await;
        assert_eq!(engine.execute(&me(), digest::Send).await.unwrap(), 2);
        assert_eq!(world.recipients().await, ["anna@example.com", "bob@example.com"]);
        // Asking for it changes nothing about when the next one comes.
        world.pass(&[&engine], DAY + Duration::from_secs(60)).await;
        assert_eq!(world.recorded().await, 2);
    });
}

#[test]
fn where_none_is_configured_it_is_unavailable_and_none_is_sent() {
    block_on(async {
        let world = World::new(5);
        let engine = world.server(json!({ "owner": true }), None).await.unwrap();
        for error in [
            engine.execute(&me(), digest::Preview).await.map(drop).unwrap_err(),
            engine.execute(&me(), digest::Send).await.map(drop).unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "digest_not_configured"));
        }
        world.pass(&[&engine], DAY * 2).await;
        assert!(world.sent().await.is_empty());
    });
}

#[test]
fn with_nobody_to_send_it_to_it_says_so_and_goes_on() {
    block_on(async {
        let world = World::new(6);
        let engine = world.server(json!({ "owner": true }), Some(DigestConfig::default())).await.unwrap();
        world.owners(&engine, &[""]).await;
        let error = engine.execute(&me(), digest::Send).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "digest_without_recipients"));
        world.pass(&[&engine], DAY + Duration::from_secs(60)).await;
        assert_eq!(world.recorded().await, 0);
        world.owners(&engine, &["anna@example.com"]).await;
        world.pass(&[&engine], DAY).await;
        assert_eq!(world.recipients().await, ["anna@example.com"]);
    });
}

#[test]
fn a_digest_that_nobody_can_send_is_refused_when_the_engine_is_built() {
    block_on(async {
        let world = World::new(7);
        let refused = async |notifier: Value, digest: DigestConfig| {
            world.server(notifier, Some(digest)).await.map(drop).unwrap_err().to_string()
        };
        assert!(refused(json!({}), DigestConfig::default()).await.contains("notifier of kind Email"));
        let owner = || json!({ "owner": true });
        let other = DigestConfig { notifier: Some("post".into()), ..DigestConfig::default() };
        assert!(refused(owner(), other).await.contains("no notifier `post`"));
        assert!(
            refused(owner(), daily(&["a@example.com\r\nBcc: b@example.com"])).await.contains("cannot be written to")
        );
        let often = DigestConfig { interval: Duration::from_secs(59), ..DigestConfig::default() };
        assert!(refused(owner(), often).await.contains("shorter"));
        let named = DigestConfig { notifier: Some("mail".into()), ..DigestConfig::default() };
        world.server(json!({ "to": ["ops@example.com"] }), Some(named)).await.unwrap();
    });
}
