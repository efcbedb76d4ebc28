//! Who is told that a certificate nears its end: nobody while all goes well, and else once for each version and threshold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use certctl_core::Engine;
use certctl_core::connector::Registry;
use certctl_core::domain::{
    AuditAction, AuditEvent, Certificate, CertificateStatus, Notification, NotificationType, Severity,
};
use certctl_core::engine::{NotifierConfig, SetupSecret};
use certctl_core::entity::Record;
use certctl_core::ops::{certificate, renewal_policy};
use certctl_core::seal::SealingKey;
use certctl_core::storage::{Query, View};
use certctl_core::testing::{RecordingNotifier, ScriptedIssuer, block_on};
use serde_json::json;

use crate::{World, me, world_that_tells};

const DAY: Duration = Duration::from_secs(86_400);
const BOARDS: [&str; 2] = ["one", "two"];

async fn world(seed: u64) -> World {
    world_that_tells(seed, &BOARDS.map(|name| (name, json!({}))), &[]).await
}

fn policy() -> renewal_policy::Update {
    renewal_policy::Update {
        id: "rp-default".parse().unwrap(),
        name: None,
        renewal_window_days: None,
        auto_renew: None,
        max_retries: None,
        retry_interval_seconds: None,
        alert_thresholds_days: None,
        alert_severity_map: None,
        alert_channels: None,
        freeze_windows: None,
        fallback_issuer_ids: None,
        deployment_waves: None,
    }
}

impl World {
    /// The same store under an engine that has just been started.
    async fn restarted(self) -> Self {
        let Self { fakes, engine, ca, board } = self;
        let storage = Arc::clone(engine.storage());
        drop(engine);
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
        let registry = Registry::new().issuer::<ScriptedIssuer>().notifier::<RecordingNotifier>();
        let builder = Engine::builder(storage, fakes.ports(), secret).connectors(registry);
        let builder = BOARDS.iter().fold(builder, |builder, name| {
            builder.notifier(NotifierConfig { name: (*name).into(), kind: "Recording".into(), config: json!({}) })
        });
        Self { fakes, engine: builder.build().await.unwrap(), ca, board }
    }

    async fn stored(&self, id: &str) -> Record<Certificate> {
        self.engine.storage().read(View::Latest).await.unwrap().get(id).await.unwrap().unwrap()
    }

    /// All alerts, in the order of their times.
    async fn alerts(&self) -> Vec<Record<Notification>> {
        let fields = Notification::FIELDS;
        let query = Query::sorted(fields.created_at.ascending())
            .filter(fields.kind.equals(NotificationType::ExpirationWarning))
            .limit(10_000);
        self.engine.storage().read(View::Latest).await.unwrap().list(query).await.unwrap().records
    }

    /// The severities of what each board was told, by version and threshold; fails where one was told twice.
    async fn told(&self, board: &str) -> Vec<Severity> {
        let alerts = self.alerts().await;
        let alerts: Vec<_> = alerts.iter().filter(|alert| alert.notifier == board).collect();
        let keys: BTreeSet<&str> = alerts.iter().map(|alert| alert.dedup_key.as_str()).collect();
        assert_eq!(keys.len(), alerts.len());
        alerts.iter().map(|alert| alert.severity).collect()
    }

    async fn audited(&self) -> u64 {
        let of = Query::<AuditEvent>::all().filter(AuditEvent::FIELDS.action.equals(AuditAction::ExpirationAlertSent));
        self.engine.storage().read(View::Latest).await.unwrap().total(&of).await.unwrap()
    }

    /// Issues it, by a policy that was changed first.
    async fn issued(&self, id: &str, change: renewal_policy::Update) {
        self.engine.execute(&me(), change).await.unwrap();
        self.order(id).await;
        self.pass(Duration::from_secs(120)).await;
        assert_eq!(self.stored(id).await.lifecycle.name(), "Issued");
    }

    /// Until so many days before the end.
    async fn pass_until(&self, id: &str, days: u32) {
        let end = self.stored(id).await.expires_at;
        let now = self.engine.storage().read(View::Latest).await.unwrap().now();
        self.pass(end.since(now).saturating_sub(DAY * days)).await;
    }
}

/// The tiers of 30, 14, 7 and 0 days.
const TIERS: [Severity; 4] = [Severity::Informational, Severity::Warning, Severity::Warning, Severity::Critical];

#[test]
fn nobody_is_told_of_what_renews_in_time() {
    block_on(async {
        let world = world(31).await;
        world.issued("mc-a", policy()).await;
        for _ in 0..3 {
            let before = world.newest("mc-a").await.id.clone();
            let due = world.stored("mc-a").await.renew_at;
            let now = world.engine.storage().read(View::Latest).await.unwrap().now();
            world.pass(due.since(now) + Duration::from_secs(1)).await;
            assert_eq!(world.status("mc-a").await, CertificateStatus::RenewalInProgress);
            world.submit("mc-a").await;
            world.pass(Duration::from_secs(120)).await;
            assert_ne!(world.newest("mc-a").await.id, before);
        }
        assert_eq!(world.alerts().await.len(), 0);
    });
}

#[test]
fn what_nothing_renews_is_told_once_at_each_threshold_also_across_restarts() {
    block_on(async {
        let mut world = world(32).await;
        world.issued("mc-a", renewal_policy::Update { auto_renew: Some(false), ..policy() }).await;
        let end = world.stored("mc-a").await.expires_at;
        for days in [29, 14, 13, 3] {
            world.pass_until("mc-a", days).await;
            world = world.restarted().await;
        }
        world.pass_until("mc-a", 0).await;
        world.pass(DAY * 40).await;
        let alerts = world.alerts().await;
        for board in BOARDS {
            assert_eq!(world.told(board).await, TIERS);
            let of = alerts.iter().filter(|alert| alert.notifier == board);
            for (alert, days) in of.zip([30, 14, 7, 0]) {
                assert!(alert.created_at.since(end - DAY * days) <= Duration::from_secs(1), "{}", alert.created_at);
                assert!(alert.created_at >= end - DAY * days, "{}", alert.created_at);
            }
        }
        assert_eq!(world.audited().await, 4);
        let board: Vec<String> = world.board.notices().into_iter().map(|notice| notice.subject).collect();
        assert!(
            board.contains(&"mc-a ends in 30 days".to_owned()) && board.contains(&"mc-a has ended".to_owned()),
            "{board:?}"
        );
    });
}

#[test]
fn a_renewal_that_fails_is_told_and_the_next_version_begins_anew() {
    block_on(async {
        let world = world(33).await;
        world.issued("mc-a", policy()).await;
        // Nobody sends a request, so each renewal fails after a day.
        world.pass_until("mc-a", 5).await;
        for board in BOARDS {
            assert_eq!(world.told(board).await, TIERS[..3]);
        }
        let late = world.stored("mc-a").await;
        assert!(late.failed_renewals > 1 && world.audited().await == 3, "{}", late.failed_renewals);
        // It succeeds in the end, and fails again a lifetime later: other alerts of another version.
        world.submit("mc-a").await;
        world.pass(Duration::from_secs(120)).await;
        assert!(world.stored("mc-a").await.expires_at > late.expires_at);
        world.pass(DAY * 10).await;
        assert_eq!(world.audited().await, 3, "all is well");
        world.pass_until("mc-a", 0).await;
        world.pass(DAY * 2).await;
        for board in BOARDS {
            assert_eq!(world.told(board).await.len(), 3 + 4);
        }
        assert_eq!(world.audited().await, 7);
    });
}

#[test]
fn the_policy_says_which_channels_are_told_of_a_tier() {
    block_on(async {
        let world = world(34).await;
        let channels = BTreeMap::from([
            (Severity::Informational, vec![]),
            (Severity::Warning, vec!["Slack".to_owned()]),
            (Severity::Critical, vec!["recording".to_owned()]),
        ]);
        let tiers = BTreeMap::from([(7, Severity::Critical)]);
        let change = renewal_policy::Update {
            auto_renew: Some(false),
            alert_channels: Some(channels),
            alert_severity_map: Some(tiers),
            ..policy()
        };
        world.issued("mc-a", change).await;
        world.pass_until("mc-a", 0).await;
        world.pass(DAY).await;
        for board in BOARDS {
            assert_eq!(world.told(board).await, [Severity::Critical; 2], "those of 7 days and of the end");
        }
        assert_eq!(world.audited().await, 2, "what nobody was told is not said to have been");
    });
}

#[test]
fn a_threshold_that_is_added_late_is_told_at_once() {
    block_on(async {
        let world = world(35).await;
        let few = renewal_policy::Update { auto_renew: Some(false), alert_thresholds_days: Some(vec![7]), ..policy() };
        world.issued("mc-a", few).await;
        world.pass_until("mc-a", 20).await;
        assert!(world.alerts().await.is_empty());
        let more = renewal_policy::Update { alert_thresholds_days: Some(vec![30, 7]), ..policy() };
        world.engine.execute(&me(), more).await.unwrap();
        world.pass(Duration::from_secs(60)).await;
        assert_eq!(world.told("one").await, [Severity::Informational]);
        world.pass_until("mc-a", 1).await;
        assert_eq!(world.told("one").await, TIERS[..2]);
    });
}

#[test]
fn two_thousand_four_hundred_fresh_records_raise_none() {
    block_on(async {
        let world = world(36).await;
        for number in 0..2_400 {
            let create = certificate::Create {
                id: None,
                name: format!("fresh-{number}"),
                common_name: format!("fresh-{number}.example.com"),
                sans: vec![],
                environment: String::new(),
                owner_id: "o-default".parse().unwrap(),
                team_id: "team-default".parse().unwrap(),
                issuer_id: "iss-far".parse().unwrap(),
                renewal_policy_id: "rp-default".parse().unwrap(),
                certificate_profile_id: Some("prof-server".parse().unwrap()),
                target_ids: vec![],
                agent_id: None,
                tags: BTreeMap::new(),
                issue: number % 2 == 0,
            };
            world.engine.execute(&me(), create).await.unwrap();
        }
        world.pass(DAY / 2).await;
        assert_eq!((world.alerts().await.len(), world.board.notices().len()), (0, 0));
    });
}
