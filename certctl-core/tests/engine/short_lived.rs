//! Certificates of short-lived profiles: their end is their revocation, and is recorded once.

use std::sync::Arc;
use std::time::Duration;

use certctl_core::Engine;
use certctl_core::connector::Registry;
use certctl_core::domain::{AuditAction, AuditEvent, CertificateStatus, pem};
use certctl_core::engine::SetupSecret;
use certctl_core::ops::certificate::{Effect, Import, ImportTerms};
use certctl_core::ops::{certificate, profile};
use certctl_core::ports::Clock;
use certctl_core::seal::SealingKey;
use certctl_core::storage::{Query, View};
use certctl_core::testing::{CaStep, RecordingNotifier, ScriptedIssuer, TestAuthority, block_on};

use crate::{World, me, world};

const MINUTE: Duration = Duration::from_secs(60);

impl World {
    async fn short_lived(&self) {
        let create = profile::Create {
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
        };
        self.engine.execute(&me(), create).await.unwrap();
    }

    async fn order_short(&self, id: &str) {
        let mut create = certificate::Create::new(id, format!("{id}.example.com"));
        create.id = Some(id.parse().unwrap());
        create.issuer_id = "iss-far".parse().unwrap();
        create.certificate_profile_id = Some("prof-short".parse().unwrap());
        self.ca.then([CaStep::Issue]);
        self.engine.execute(&me(), create).await.unwrap();
        self.submit(id).await;
        self.pass(Duration::from_secs(5)).await;
        assert_eq!(self.status(id).await, CertificateStatus::Active);
    }

    /// Whose end was recorded, in the order of their ids.
    async fn ends(&self) -> Vec<String> {
        let query = Query::<AuditEvent>::all().filter(AuditEvent::FIELDS.action.equals(AuditAction::ShortLivedExpired));
        let view = self.engine.storage().read(View::Latest).await.unwrap();
        let events = view.list(query.limit(10_000)).await.unwrap().records;
        let mut ends: Vec<String> = events.iter().map(|event| event.resource_id.clone()).collect();
        ends.sort();
        ends
    }
}

#[test]
fn an_end_is_recorded_when_it_comes_and_once_for_each_version() {
    block_on(async {
        let world = world(41).await;
        world.short_lived().await;
        world.order_short("mc-a").await;
        world.order_short("mc-archived").await;
        world.ca.then([CaStep::Issue]);
        world.order("mc-long").await;
        let archive = certificate::Archive { id: "mc-archived".parse().unwrap() };
        world.engine.execute(&me(), archive).await.unwrap();
        let ends = world.newest("mc-a").await.not_after;
        let left = ends.since(world.fakes.clock.now());
        assert!(left > MINUTE && left <= 10 * MINUTE, "{left:?}");
        world.pass(left.saturating_sub(Duration::from_secs(1))).await;
        assert_eq!(world.ends().await, [""; 0], "not before its end");
        // Within the second in which it comes, not with the next look.
        world.pass(Duration::from_secs(2)).await;
        assert_eq!(world.ends().await, ["mc-a"]);
        world.pass(120 * MINUTE).await;
        assert_eq!(world.ends().await, ["mc-a"], "once, however often the loop looks");

        // A new version is renewed or ends; this one ends.
        world.ca.then([CaStep::Issue]);
        world.submit("mc-a").await;
        world.pass(Duration::from_secs(5)).await;
        assert_eq!(world.ends().await, ["mc-a"]);
        world.pass(20 * MINUTE).await;
        assert_eq!(world.ends().await, ["mc-a", "mc-a"]);

        // Another server over the same store knows of it.
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
        let registry = Registry::new().issuer::<ScriptedIssuer>().notifier::<RecordingNotifier>();
        let storage = Arc::clone(world.engine.storage());
        let other = Engine::builder(storage, world.fakes.ports(), secret).connectors(registry).build().await.unwrap();
        let progress = other.step().await.unwrap();
        assert_eq!((progress.short_lived_ended, world.ends().await.len()), (0, 2));
    });
}

#[test]
fn hundreds_that_end_in_one_moment_are_recorded_each() {
    block_on(async {
        let world = world(42).await;
        world.short_lived().await;
        let now = world.fakes.clock.now();
        let authority = TestAuthority::new(7, now).await;
        let mut bundle = String::new();
        for number in 0..450 {
            let name = format!("host-{number}.example.com");
            let made = authority.issue(&[&name], now - MINUTE, now + 10 * MINUTE).await;
            bundle += &pem::encode("CERTIFICATE", made.chain.leaf());
        }
        let terms = ImportTerms {
            owner_id: "o-default".parse().unwrap(),
            team_id: "team-default".parse().unwrap(),
            issuer_id: "iss-far".parse().unwrap(),
            renewal_policy_id: "rp-default".parse().unwrap(),
            certificate_profile_id: Some("prof-short".parse().unwrap()),
            agent_id: None,
            environment: String::new(),
            name_template: "{cn}".into(),
            tags: std::collections::BTreeMap::new(),
        };
        let result = world.engine.execute(&me(), Import::new(bundle, terms, Effect::Real)).await.unwrap();
        assert_eq!(result.imported.len(), 450, "{:?}", result.failed.first());
        world.pass(9 * MINUTE).await;
        assert_eq!(world.ends().await.len(), 0);
        world.pass(2 * MINUTE).await;
        let mut ends = world.ends().await;
        assert_eq!(ends.len(), 450);
        ends.dedup();
        assert_eq!(ends.len(), 450, "each once");
    });
}

#[test]
fn nothing_is_looked_for_where_no_profile_is_short_lived() {
    block_on(async {
        let world = world(43).await;
        world.ca.then([CaStep::Issue]);
        world.order("mc-long").await;
        world.pass(400 * 24 * 60 * MINUTE).await;
        assert_eq!(world.status("mc-long").await, CertificateStatus::RenewalInProgress);
        assert_eq!(world.ends().await, [""; 0]);
    });
}
