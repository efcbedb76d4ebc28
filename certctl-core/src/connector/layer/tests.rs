//! Connectors in their layers: the suite, and each layer seen from outside.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::*;
use crate::connector::{
    ConfigError, ConnectorContext, ConnectorErrorKind, IssuePace, IssuerPlugin, Registry, Severity,
};
use crate::domain::{EnforcedTerms, KeyAlgorithm, NotificationId, SubjectNames};
use crate::pki;
use crate::testing::issuer::{CASES, Subject, Unusable, World};
use crate::testing::{
    CaStep, FakePorts, ManualClock, ScriptedCa, ScriptedIssuer, ScriptedIssuerConfig, ScriptedIssuerValid, block_on,
};

const SECOND: Duration = Duration::from_secs(1);

/// The scripted issuer in layers: a call that fails is repeated once, at once, and two calls are made at a time.
struct InLayers;

impl IssuerPlugin for InLayers {
    const KIND: &'static str = ScriptedIssuer::KIND;
    const DOCS: &'static str = ScriptedIssuer::DOCS;
    type Config = ScriptedIssuerConfig;
    type Valid = ScriptedIssuerValid;
    fn validate(config: ScriptedIssuerConfig) -> Result<ScriptedIssuerValid, ConfigError> {
        ScriptedIssuer::validate(config)
    }
    fn build(valid: ScriptedIssuerValid, cx: &ConnectorContext) -> Result<Arc<dyn Issuer>, ConnectorError> {
        let limits = Limits {
            concurrency: 2,
            rate: Some(Rate { calls: 10_000, per: SECOND }),
            retry: Retry { times: 1, pause: Duration::ZERO, within: Duration::ZERO },
            ..Limits::default()
        };
        let layers = Layers::new(limits, Arc::clone(&cx.ports.clock));
        Ok(layers.issuer(Self::KIND, &cx.id, ScriptedIssuer::build(valid, cx)?))
    }
}

struct Scripted {
    immediate: bool,
}

impl Subject for Scripted {
    fn config(&self) -> Value {
        json!({"immediate": self.immediate, "token": "the-token-of-the-suite"})
    }
    fn secrets(&self) -> Vec<String> {
        vec!["the-token-of-the-suite".to_owned()]
    }
    fn unusable(&self) -> Vec<Unusable> {
        vec![Unusable::at("/url", json!({"url": "http://ca.scripted.test", "token": "the-token-of-the-suite"}))]
    }
    fn prepare(&self, world: &World) {
        ScriptedCa::new(1, ManualClock::START).attach(&world.fakes.http);
    }
    /// Once is not enough to be seen through a retry.
    fn fail_once(&self, world: &World) {
        let ca = ScriptedCa::new(1, ManualClock::START);
        ca.then([CaStep::Fail(ConnectorErrorKind::Unreachable, None); 2]);
        world.fakes.http.clear();
        ca.attach(&world.fakes.http);
    }
}

#[test]
fn an_issuer_in_layers_passes_the_suite_at_either_pace() {
    let registry = Registry::new().issuer::<InLayers>();
    for immediate in [false, true] {
        for case in CASES {
            case.run(registry.find_issuer("Scripted").unwrap(), &Scripted { immediate });
        }
    }
}

/// A connector that takes its time and fails so many times, and what was seen of its calls.
#[derive(Debug)]
struct Slow {
    clock: ManualClock,
    takes: Duration,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    failures: u32,
    began_at: Vec<u64>,
    now: usize,
    most: usize,
}

impl Slow {
    fn new(clock: &ManualClock, takes: Duration, failures: u32) -> Arc<Self> {
        let seen = Mutex::new(Seen { failures, ..Seen::default() });
        Arc::new(Self { clock: clock.clone(), takes, seen })
    }

    async fn call(&self) -> Result<(), ConnectorError> {
        {
            let mut seen = self.seen.lock().unwrap();
            seen.began_at.push(self.clock.monotonic().0 / 1_000_000);
            seen.now += 1;
            seen.most = seen.most.max(seen.now);
        }
        self.clock.sleep_until(self.clock.monotonic() + self.takes).await;
        let mut seen = self.seen.lock().unwrap();
        seen.now -= 1;
        if seen.failures == 0 {
            return Ok(());
        }
        seen.failures -= 1;
        Err(ConnectorError::unreachable("away"))
    }

    /// The seconds at which calls began.
    fn began_at(&self) -> Vec<u64> {
        self.seen.lock().unwrap().began_at.clone()
    }
}

#[async_trait]
impl Issuer for Slow {
    fn capabilities(&self) -> IssuerCapabilities {
        IssuerCapabilities {
            san_kinds: BTreeSet::new(),
            key_families: BTreeSet::new(),
            ekus: BTreeSet::new(),
            max_lifetime: Some(SECOND),
            wildcards: true,
            pace: IssuePace::Deferred,
        }
    }
    async fn issue(&self, order: IssueOrder<'_>) -> Result<Issuance, ConnectorError> {
        self.call().await?;
        let state = OrderState(order.idempotency_key.as_bytes().to_vec());
        Ok(Issuance::Pending { state, serial: None, retry_after: Duration::ZERO })
    }
    async fn resume(&self, _: IssueOrder<'_>, state: &OrderState) -> Result<Issuance, ConnectorError> {
        self.call().await?;
        Ok(Issuance::Pending { state: state.clone(), serial: None, retry_after: SECOND })
    }
}

#[async_trait]
impl Notifier for Slow {
    async fn send(&self, _: &Notice) -> Result<(), ConnectorError> {
        self.call().await
    }
}

/// Makes so many orders at once, and resumes each.
fn order(clock: &ManualClock, issuer: &dyn Issuer, count: usize) -> Vec<Result<Issuance, ConnectorError>> {
    let fakes = FakePorts::seeded(1);
    let names = SubjectNames::new("shop.example", &[]).unwrap();
    let terms = EnforcedTerms { lifetime: None, ekus: BTreeSet::new(), must_staple: false };
    let key = block_on(fakes.keys.generate(KeyAlgorithm::Ed25519, &*fakes.rng)).unwrap();
    let csr = block_on(pki::csr::build(&names, &*key.signer)).unwrap();
    let order = IssueOrder {
        idempotency_key: "job-1",
        csr: &csr,
        names: &names,
        terms: &terms,
        replaces: None,
        now: ManualClock::START,
    };
    clock.drive(join_all((0..count).map(|_| async {
        match issuer.issue(order).await? {
            Issuance::Pending { state, .. } => issuer.resume(order, &state).await,
            at_once @ Issuance::Issued(_) => Ok(at_once),
        }
    })))
}

fn layers(clock: &ManualClock, limits: Limits) -> Layers {
    Layers::new(limits, Arc::new(clock.clone()))
}

#[test]
fn both_steps_and_all_that_an_issuer_says_of_itself_pass_through() {
    let clock = ManualClock::new();
    let slow = Slow::new(&clock, SECOND, 0);
    let issuer = layers(&clock, Limits::default()).issuer("Slow", "iss-1", slow.clone());
    assert_eq!(issuer.capabilities(), slow.capabilities());
    assert_eq!(format!("{issuer:?}"), format!("{slow:?}"));
    let Ok(Issuance::Pending { state, retry_after, .. }) = order(&clock, &*issuer, 1).remove(0) else { panic!() };
    assert_eq!((state, retry_after), (OrderState(b"job-1".to_vec()), SECOND));
    assert_eq!(slow.began_at(), [0, 1]);
}

#[test]
fn calls_are_limited_in_time_number_and_rate() {
    let clock = ManualClock::new();
    let slow = Slow::new(&clock, SECOND * 9, 0);
    let limits = Limits { timeout: SECOND * 5, retry: Retry::NEVER, ..Limits::default() };
    let failed = order(&clock, &*layers(&clock, limits).issuer("Slow", "iss-1", slow), 1).remove(0).unwrap_err();
    assert_eq!((failed.kind, clock.monotonic().0), (ConnectorErrorKind::Transient, 5_000_000));

    let clock = ManualClock::new();
    let slow = Slow::new(&clock, SECOND, 0);
    let limits = Limits { concurrency: 2, timeout: SECOND, ..Limits::default() };
    // The time limit is that of a call: waiting for a slot does not count.
    let limits = Limits { timeout: limits.timeout + SECOND / 2, ..limits };
    let all = order(&clock, &*layers(&clock, limits).issuer("Slow", "iss-1", slow.clone()), 3);
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(slow.seen.lock().unwrap().most, 2);
    assert_eq!(slow.began_at(), [0, 0, 1, 1, 2, 2]);

    let clock = ManualClock::new();
    let slow = Slow::new(&clock, Duration::ZERO, 0);
    let limits = Limits { rate: Some(Rate { calls: 2, per: SECOND * 20 }), ..Limits::default() };
    order(&clock, &*layers(&clock, limits).issuer("Slow", "iss-1", slow.clone()), 2);
    assert_eq!(slow.began_at(), [0, 0, 10, 20]);
}

#[test]
fn an_issuer_is_asked_again_and_a_notifier_is_not() {
    let clock = ManualClock::new();
    let retry = Retry { times: 2, pause: SECOND, within: SECOND * 10 };
    let layers = layers(&clock, Limits { retry, ..Limits::default() });
    let slow = Slow::new(&clock, SECOND, 2);
    assert!(order(&clock, &*layers.issuer("Slow", "iss-1", slow.clone()), 1).remove(0).is_ok());
    assert_eq!(slow.began_at(), [0, 2, 5, 6], "twice in vain, then both steps");

    let slow = Slow::new(&clock, SECOND, 2);
    let notice = Notice {
        id: NotificationId::parse("n-1").unwrap(),
        event: "RenewalSuccess",
        severity: Severity::Informational,
        certificate_id: None,
        recipient: String::new(),
        subject: String::new(),
        message: String::new(),
        html: None,
        created_at: ManualClock::START,
        attempt: 1,
    };
    let notifier = layers.notifier("Slow", "mail", slow.clone());
    assert!(clock.drive(notifier.send(&notice)).is_err());
    assert_eq!(slow.began_at().len(), 1);
}
