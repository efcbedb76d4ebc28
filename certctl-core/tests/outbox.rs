//! The outbox: what fails is tried again at its time, what is dead can be put back, and a receiver that hangs is nobody else's
//! trouble.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use certctl_core::Engine;
use certctl_core::connector::{
    ConfigError, ConnectorContext, ConnectorError, Notice, Notifier, NotifierPlugin, Registry,
};
use certctl_core::domain::{
    AuditAction, AuditEvent, Notification, NotificationId, NotificationState, NotificationStatus, NotificationType,
    Principal, SCHEMAS, Severity,
};
use certctl_core::engine::{NotifierConfig, SetupSecret};
use certctl_core::entity::Record;
use certctl_core::ops::notification::{Get, List, ListFilter, MarkRead, Requeue};
use certctl_core::ops::stats::Summary;
use certctl_core::ports::{Clock, HttpClient, HttpOptions, HttpRequest, Method, Monotonic};
use certctl_core::seal::SealingKey;
use certctl_core::storage::{Changes, MemoryStorage, Query, Storage, View};
use certctl_core::testing::{FakePorts, ScriptedHttp, block_on};
use futures_util::FutureExt;
use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

const MINUTE: Duration = Duration::from_secs(60);

/// A notifier that posts to a URL of its own.
struct Sink {
    url: Url,
    http: Arc<dyn HttpClient>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("url", &self.url).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct SinkConfig {}

impl NotifierPlugin for Sink {
    const KIND: &'static str = "Sink";
    const DOCS: &'static str = "# Sink\n";
    type Config = SinkConfig;
    type Valid = ();

    fn validate(_: SinkConfig) -> Result<(), ConfigError> {
        Ok(())
    }
    fn build((): (), cx: &ConnectorContext) -> Result<Arc<dyn Notifier>, ConnectorError> {
        let url = Url::parse(&format!("https://{}.test/", cx.id)).unwrap();
        Ok(Arc::new(Self { url, http: Arc::clone(&cx.ports.http), clock: Arc::clone(&cx.ports.clock) }))
    }
}

#[async_trait]
impl Notifier for Sink {
    async fn send(&self, notice: &Notice) -> Result<(), ConnectorError> {
        let request = HttpRequest::new(Method::Post, self.url.clone()).body(notice.id.to_string().into_bytes());
        match self.http.send(request, &HttpOptions::default()).await?.status {
            204 => Ok(()),
            // It takes what it is sent and says nothing.
            504 => {
                self.clock.sleep_until(Monotonic(u64::MAX)).await;
                Ok(())
            }
            status => Err(ConnectorError::transient(format!("the sink answered {status}"))),
        }
    }
}

/// The status that each sink answers with, and who was called when.
#[derive(Clone, Default)]
struct Sinks {
    answers: Arc<Mutex<BTreeMap<String, u16>>>,
    calls: Arc<Mutex<Vec<(String, String, u64)>>>,
}

impl Sinks {
    fn answer(&self, sink: &str, status: u16) {
        self.answers.lock().unwrap().insert(sink.into(), status);
    }
    /// The minutes at which a sink was called, and by which notice.
    fn calls(&self, sink: &str) -> Vec<(String, u64)> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|(name, ..)| name == sink).map(|(_, id, at)| (id.clone(), *at)).collect()
    }
    fn attach(&self, fakes: &FakePorts) {
        let (sinks, clock) = (self.clone(), fakes.clock.clone());
        let start = clock.monotonic();
        fakes.http.handle(move |request, _| {
            let sink = request.url.host_str()?.strip_suffix(".test")?.to_owned();
            let status = sinks.answers.lock().unwrap().get(&sink).copied().unwrap_or(204);
            let (id, at) = (String::from_utf8_lossy(&request.body).into_owned(), start.until(clock.monotonic()));
            sinks.calls.lock().unwrap().push((sink, id, at.as_secs()));
            Some(Ok(ScriptedHttp::response(status, "")))
        });
    }
}

struct World {
    fakes: FakePorts,
    storage: Arc<dyn Storage>,
    sinks: Sinks,
}

impl World {
    fn new(seed: u64) -> Self {
        let fakes = FakePorts::seeded(seed);
        let storage = Arc::new(MemoryStorage::new(SCHEMAS, Arc::new(fakes.clock.clone())));
        let sinks = Sinks::default();
        sinks.attach(&fakes);
        Self { fakes, storage, sinks }
    }

    /// An engine whose configuration has these notifiers.
    async fn engine(&self, notifiers: &[&str]) -> Engine {
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
        let builder = Engine::builder(Arc::clone(&self.storage), self.fakes.ports(), secret)
            .connectors(Registry::new().notifier::<Sink>());
        let notifiers = notifiers.iter().map(|name| NotifierConfig {
            name: (*name).into(),
            kind: "Sink".into(),
            config: json!({}),
        });
        notifiers.fold(builder, certctl_core::engine::EngineBuilder::notifier).build().await.unwrap()
    }

    /// So many notifications for a notifier, due now; their ids.
    async fn tell(&self, notifier: &str, count: usize) -> Vec<NotificationId> {
        let now = self.storage.read(View::Latest).await.unwrap().now();
        let ids: Vec<NotificationId> =
            (0..count).map(|number| format!("ntf-{notifier}-{number:04}").parse().unwrap()).collect();
        let mut changes = Changes::bookkeeping();
        for id in &ids {
            changes.insert(Notification {
                id: id.clone(),
                kind: NotificationType::RenewalFailure,
                severity: Severity::Critical,
                certificate_id: None,
                channel: "Sink".into(),
                notifier: notifier.into(),
                recipient: String::new(),
                subject: "a renewal failed".into(),
                message: "a renewal failed".into(),
                dedup_key: id.to_string(),
                state: NotificationState::Pending,
                partition: format!("notifier:{notifier}"),
                due_at: now,
                attempt: 0,
                holder: None,
                retry_count: 0,
                sent_at: None,
                last_error: None,
                created_at: now,
            });
        }
        self.storage.apply(changes).await.unwrap();
        ids
    }

    async fn all(&self) -> Vec<Record<Notification>> {
        self.storage.read(View::Latest).await.unwrap().list(Query::all().limit(1_000)).await.unwrap().records
    }

    async fn one(&self, id: &NotificationId) -> Record<Notification> {
        self.storage.read(View::Latest).await.unwrap().get(id.as_str()).await.unwrap().unwrap()
    }

    /// Steps the engines whenever something is due, for this long.
    async fn pass(&self, engines: &[&Engine], time: Duration) {
        let clock = &self.fakes.clock;
        let end = clock.monotonic() + time;
        loop {
            let mut due = clock.monotonic().until(end);
            for engine in engines {
                while engine.step().await.unwrap().deliveries_started > 0 {}
                due = due.min(engine.next_due().await.unwrap().unwrap_or(due));
            }
            let left = clock.monotonic().until(end);
            if left.is_zero() {
                return;
            }
            let wake = clock.next_deadline().map_or(left, |deadline| clock.monotonic().until(deadline));
            clock.advance(due.min(wake).max(Duration::from_millis(10)).min(left));
        }
    }
}

fn me() -> Principal {
    Principal::embedder("test")
}

async fn counted(world: &World, action: AuditAction) -> u64 {
    let of = Query::<AuditEvent>::all().filter(AuditEvent::FIELDS.action.equals(action));
    world.storage.read(View::Latest).await.unwrap().total(&of).await.unwrap()
}

#[test]
fn attempts_follow_after_2_4_8_and_16_minutes_and_the_fifth_failure_is_the_last() {
    block_on(async {
        let world = World::new(1);
        let engine = world.engine(&["desk"]).await;
        world.sinks.answer("desk", 500);
        let id = world.tell("desk", 1).await.remove(0);
        let mut seen = Vec::new();
        for _ in 0..40 {
            let notification = world.one(&id).await;
            seen.push((notification.retry_count, notification.state));
            if let Some(next) = notification.next_retry_at() {
                assert!(next > world.fakes.clock.now(), "an attempt that was due was not made");
            }
            world.pass(&[&engine], MINUTE).await;
        }
        let minutes: Vec<u64> = world.sinks.calls("desk").iter().map(|(_, at)| at / 60).collect();
        assert_eq!(minutes, [0, 2, 6, 14, 30], "2, 4, 8 and 16 minutes apart");
        let failed = NotificationState::Failed;
        assert_eq!(seen.iter().filter(|(_, state)| *state == failed).map(|(count, _)| *count).max(), Some(4));
        let dead = world.one(&id).await;
        assert_eq!((dead.retry_count, dead.state, dead.next_retry_at()), (5, NotificationState::Dead, None));
        assert_eq!(dead.last_error.as_deref(), Some("the sink answered 500"));
        assert_eq!(counted(&world, AuditAction::NotificationFailed).await, 5, "one outcome for each attempt");
        assert_eq!(engine.execute(&me(), Summary).await.unwrap().dead_notifications, 1);
        let dead = ListFilter { status: Some(NotificationStatus::Dead), ..ListFilter::default() };
        let listed = engine.execute(&me(), List { filter: dead, ..List::default() }).await.unwrap();
        assert_eq!(listed.total, Some(1));
        world.pass(&[&engine], MINUTE * 60 * 24).await;
        assert_eq!(world.sinks.calls("desk").len(), 5, "nobody tries it any more");

        world.sinks.answer("desk", 204);
        engine.execute(&me(), Requeue { id: id.clone() }).await.unwrap();
        let requeued = world.one(&id).await;
        assert_eq!((requeued.state, requeued.retry_count), (NotificationState::Pending, 0));
        assert_eq!((&requeued.last_error, requeued.next_retry_at()), (&None, None));
        world.pass(&[&engine], MINUTE).await;
        assert_eq!(world.one(&id).await.state, NotificationState::Sent);
        assert_eq!(engine.execute(&me(), Summary).await.unwrap().dead_notifications, 0);
    });
}

#[test]
fn a_success_leaves_the_count_of_failures() {
    block_on(async {
        let world = World::new(2);
        let engine = world.engine(&["desk"]).await;
        world.sinks.answer("desk", 503);
        let id = world.tell("desk", 1).await.remove(0);
        world.pass(&[&engine], MINUTE * 3).await;
        world.sinks.answer("desk", 204);
        world.pass(&[&engine], MINUTE * 4).await;
        let sent = world.one(&id).await;
        assert_eq!((sent.state, sent.retry_count, &sent.last_error), (NotificationState::Sent, 2, &None));
        assert!(sent.sent_at.is_some());
    });
}

#[test]
fn what_was_for_a_notifier_that_is_gone_ends_and_says_so() {
    block_on(async {
        let world = World::new(3);
        // Names on either side of those that stay, and one that begins like one of them.
        let gone = ["aaa", "deskt", "zzz"];
        for notifier in gone {
            world.tell(notifier, 1).await;
        }
        let before = world.engine(&["aaa", "desk", "zzz"]).await;
        world.sinks.answer("aaa", 500);
        world.sinks.answer("desk", 500);
        world.tell("desk", 1).await;
        before.step().await.unwrap();
        assert_eq!(world.sinks.calls("aaa").len(), 1);
        // Restarted without two of them.
        let engine = world.engine(&["desk", "other"]).await;
        world.pass(&[&engine], MINUTE).await;
        let waits = |state| matches!(state, NotificationState::Pending | NotificationState::Failed);
        assert!(world.all().await.iter().filter(|one| one.notifier == "deskt").all(|one| waits(one.state)), "not yet");
        world.pass(&[&engine], MINUTE * 5).await;
        for one in world.all().await.iter().filter(|one| ["aaa", "deskt"].contains(&one.notifier.as_str())) {
            assert_eq!(one.state, NotificationState::Sent, "{}", one.notifier);
            let why = one.last_error.as_deref().unwrap();
            assert!(why.contains(&one.notifier) && why.contains("nothing was delivered"), "{why}");
        }
        // That of `zzz` was delivered by the first engine, in its step.
        assert_eq!(world.sinks.calls("zzz").len(), 1);
        assert_eq!((engine.undeliverable_notifications(), before.undeliverable_notifications()), (2, 0));
        assert_eq!(counted(&world, AuditAction::NotificationUndeliverable).await, 2);
        assert!(world.sinks.calls("deskt").is_empty() && world.sinks.calls("aaa").len() == 1);
        let desk = world.all().await.into_iter().find(|one| one.notifier == "desk").unwrap();
        assert!(waits(desk.state), "that of a notifier that is there is tried again");
        let mut audited = world.all().await;
        audited.retain(|one| one.state == NotificationState::Sent);
        assert_eq!(audited.len(), 3);
    });
}

#[test]
fn of_64_requeues_at_once_one_wins() {
    block_on(async {
        let world = World::new(4);
        let engine = world.engine(&["desk"]).await;
        world.sinks.answer("desk", 500);
        let id = world.tell("desk", 1).await.remove(0);
        let early = engine.execute(&me(), Requeue { id: id.clone() }).await.unwrap_err();
        assert_eq!(early.code(), "not_requeueable", "it has not failed yet");
        world.pass(&[&engine], MINUTE * 31).await;
        assert_eq!(world.one(&id).await.state, NotificationState::Dead);
        let who = me();
        let outcomes = join_all((0..64).map(|_| engine.execute(&who, Requeue { id: id.clone() }))).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert!(outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).all(|no| no.code() == "not_requeueable"));
        assert_eq!(counted(&world, AuditAction::NotificationRequeued).await, 1);
        let unknown = engine.execute(&me(), Requeue { id: "ntf-none".parse().unwrap() }).await.unwrap_err();
        assert_eq!(unknown.code(), "not_found");
    });
}

#[test]
fn a_sink_that_hangs_slows_no_other_and_everything_is_told_in_the_end() {
    block_on(async {
        let world = World::new(5);
        let engine = world.engine(&["hangs", "takes"]).await;
        world.sinks.answer("hangs", 504);
        world.tell("hangs", 400).await;
        world.tell("takes", 400).await;
        // Not even the time of one call passes.
        world.pass(&[&engine], Duration::from_secs(1)).await;
        assert_eq!(world.sinks.calls("takes").len(), 400);
        assert_eq!(world.sinks.calls("hangs").len(), 64, "as many as may be under way");
        // Five that waited for nothing are enough to know, and then one asks each half minute.
        world.pass(&[&engine], MINUTE * 2).await;
        assert!(world.sinks.calls("hangs").len() < 70, "{}", world.sinks.calls("hangs").len());
        let failed =
            world.all().await.into_iter().filter(|one| one.notifier == "hangs" && one.retry_count == 1).count();
        assert!(failed >= 336, "each has its outcome: {failed}");
        world.tell_more().await;
        world.pass(&[&engine], Duration::from_secs(1)).await;
        assert_eq!(world.sinks.calls("takes").len(), 401, "who can be told is told at once");
        // It is back: all is told by the schedule, nothing is dead.
        world.sinks.answer("hangs", 204);
        world.pass(&[&engine], MINUTE * 16).await;
        let told = world.all().await;
        assert!(told.iter().all(|one| one.state == NotificationState::Sent), "{:?}", told.iter().map(|one| one.state));
    });
}

impl World {
    /// One more for the sink that takes all.
    async fn tell_more(&self) {
        let mut one = self.all().await.into_iter().find(|one| one.notifier == "takes").unwrap().into_entity();
        let now = self.storage.read(View::Latest).await.unwrap().now();
        one.id = "ntf-takes-more".parse().unwrap();
        one.dedup_key = "more".into();
        (one.state, one.due_at, one.sent_at) = (NotificationState::Pending, now, None);
        let mut changes = Changes::bookkeeping();
        changes.insert(one);
        self.storage.apply(changes).await.unwrap();
    }
}

#[test]
fn two_engines_tell_each_notice_once() {
    block_on(async {
        let world = World::new(6);
        let engines = [world.engine(&["desk"]).await, world.engine(&["desk"]).await];
        world.sinks.answer("desk", 500);
        world.tell("desk", 200).await;
        world.pass(&[&engines[0], &engines[1]], MINUTE).await;
        world.sinks.answer("desk", 204);
        world.pass(&[&engines[0], &engines[1]], MINUTE * 3).await;
        let mut calls = BTreeMap::<String, usize>::new();
        for (id, _) in world.sinks.calls("desk") {
            *calls.entry(id).or_default() += 1;
        }
        assert_eq!(calls.len(), 200);
        assert!(calls.values().all(|calls| *calls == 2), "one failure and one success each");
    });
}

#[test]
fn who_has_read_it_need_not_be_told() {
    block_on(async {
        let world = World::new(7);
        let engine = world.engine(&["desk", "hangs"]).await;
        world.sinks.answer("desk", 500);
        world.sinks.answer("hangs", 504);
        let id = world.tell("desk", 1).await.remove(0);
        let under_way = world.tell("hangs", 1).await.remove(0);
        world.pass(&[&engine], MINUTE / 2).await;
        let who = me();
        let read = |id: &NotificationId| engine.execute(&who, MarkRead { id: id.clone() });
        read(&id).await.unwrap();
        read(&id).await.unwrap();
        assert_eq!(counted(&world, AuditAction::NotificationRead).await, 1, "the second time changes nothing");
        let pending = engine.execute(&me(), Get { id: under_way.clone() }).await.unwrap();
        assert_eq!(pending.state.status(), NotificationStatus::Pending);
        assert_eq!(read(&under_way).now_or_never().unwrap().unwrap_err().code(), "being_delivered");
        world.pass(&[&engine], MINUTE * 60).await;
        assert_eq!(world.sinks.calls("desk").len(), 1, "it is not tried again");
        assert_eq!(world.one(&id).await.state, NotificationState::Read);
        assert_eq!(engine.execute(&me(), Requeue { id }).await.unwrap_err().code(), "not_requeueable");
        read(&under_way).await.unwrap();
    });
}
