//! Agents whose requests are held get work that nobody in their process committed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use certctl_core::connector::Registry;
use certctl_core::domain::{AgentId, JobState, Principal, SCHEMAS};
use certctl_core::engine::SetupSecret;
use certctl_core::ops::agent::WorkItem;
use certctl_core::ops::{agent, certificate, issuer, job, profile};
use certctl_core::ports::Clock;
use certctl_core::seal::SealingKey;
use certctl_core::storage::{MemoryStorage, Storage};
use certctl_core::testing::{FakePorts, ScriptedCa, ScriptedIssuer, block_on};
use certctl_core::{Engine, Error};

/// Two processes over one store, with agents.
struct World {
    fakes: FakePorts,
    here: Engine,
    elsewhere: Engine,
}

fn me() -> Principal {
    Principal::embedder("test")
}

fn agent_number(number: usize) -> AgentId {
    format!("edge-{number}").parse().unwrap()
}

impl World {
    async fn new(agents: usize) -> Self {
        let fakes = FakePorts::seeded(1);
        ScriptedCa::new(1, fakes.clock.now()).attach(&fakes.http);
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(SCHEMAS, fakes.ports().clock.clone()));
        let engine = async || {
            let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
            let registry = Registry::new().issuer::<ScriptedIssuer>();
            Engine::builder(storage.clone(), fakes.ports(), secret).connectors(registry).build().await.unwrap()
        };
        let (here, elsewhere) = (engine().await, engine().await);
        let create = issuer::Create {
            id: Some("iss-near".parse().unwrap()),
            name: "near".into(),
            kind: "Scripted".into(),
            config: serde_json::json!({ "immediate": true }),
            enabled: true,
        };
        here.execute(&me(), create).await.unwrap();
        let create = profile::Create {
            id: Some("prof-server".parse().unwrap()),
            name: "server".into(),
            description: String::new(),
            allowed_key_algorithms: None,
            max_ttl_seconds: 0,
            allowed_ekus: None,
            required_san_patterns: vec![],
            spiffe_uri_pattern: String::new(),
            allow_short_lived: false,
            must_staple: false,
            requires_approval: false,
            enabled: true,
        };
        here.execute(&me(), create).await.unwrap();
        for number in 0..agents {
            let registration = agent::Registration {
                id: Some(agent_number(number)),
                name: format!("edge-{number}"),
                hostname: "host".into(),
                ..agent::Registration::default()
            };
            here.execute(&me(), agent::Register { registration, enrol_token: None }).await.unwrap();
        }
        Self { fakes, here, elsewhere }
    }

    /// Another process is asked for a certificate whose key this agent keeps.
    async fn order_elsewhere(&self, number: usize) {
        let name = format!("mc-{number}");
        let create = certificate::Create {
            issuer_id: "iss-near".parse().unwrap(),
            certificate_profile_id: Some("prof-server".parse().unwrap()),
            agent_id: Some(agent_number(number)),
            ..certificate::Create::new(&name, format!("{name}.example"))
        };
        self.elsewhere.execute(&me(), create).await.unwrap();
    }

    fn hold(&self, number: usize) -> Held {
        let engine = self.here.clone();
        let held = async move {
            let id = agent_number(number);
            engine.agent_work(&Principal::agent(id.clone()), &id, Duration::from_secs(50)).await
        };
        let mut held: Held = Box::pin(held);
        assert!(look(&mut held).is_pending(), "there is no work yet");
        held
    }
}

type Held = Pin<Box<dyn Future<Output = Result<Vec<WorkItem>, Error>>>>;

fn look(held: &mut Held) -> Poll<Vec<WorkItem>> {
    held.as_mut().poll(&mut Context::from_waker(Waker::noop())).map(Result::unwrap)
}

#[test]
fn work_that_another_process_committed_reaches_its_agent_within_a_second_and_nobody_else() {
    block_on(async {
        let world = World::new(3).await;
        let mut held = [world.hold(0), world.hold(1), world.hold(2)];
        world.here.step().await.unwrap();
        world.order_elsewhere(1).await;
        assert!(look(&mut held[1]).is_pending(), "nobody told this process");
        world.fakes.clock.advance(Duration::from_secs(1));
        world.here.step().await.unwrap();
        let Poll::Ready(items) = look(&mut held[1]) else { panic!("it was not looked out for") };
        assert_eq!(items.iter().map(|item| item.status).collect::<Vec<_>>(), [JobState::AwaitingCsr]);
        assert!(look(&mut held[0]).is_pending() && look(&mut held[2]).is_pending());
    });
}

#[test]
fn an_agent_that_waits_for_the_last_place_of_many_is_found() {
    block_on(async {
        let last = 1_100;
        let world = World::new(last + 1).await;
        let mut held: Vec<Held> = (0..=last).map(|number| world.hold(number)).collect();
        world.here.step().await.unwrap();
        world.order_elsewhere(last).await;
        world.fakes.clock.advance(Duration::from_secs(1));
        world.here.step().await.unwrap();
        assert!(look(&mut held[last]).is_ready());
        assert!(held[..last].iter_mut().all(|held| look(held).is_pending()));
    });
}

#[test]
fn what_was_called_off_wakes_nobody() {
    block_on(async {
        let world = World::new(1).await;
        let mut held = world.hold(0);
        world.here.step().await.unwrap();
        world.order_elsewhere(0).await;
        let jobs = world.elsewhere.execute(&me(), job::List::default()).await.unwrap();
        for found in &jobs.records {
            world.elsewhere.execute(&me(), job::Cancel { id: found.id.clone() }).await.unwrap();
        }
        assert_eq!(jobs.records.len(), 1);
        world.fakes.clock.advance(Duration::from_secs(1));
        world.here.step().await.unwrap();
        assert!(look(&mut held).is_pending());
    });
}
