//! A retirement and something else at the same moment: in each order of the commits, a retired agent has nothing, and what
//! was given to an agent before is seen by its retirement.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use certctl_core::domain::{Agent, AuditAction, Certificate, Job, JobState};
use certctl_core::ops::agent::{Retire, Retirement};
use certctl_core::ops::{Operation, certificate};
use certctl_core::ports::Clock;
use certctl_core::storage::{Query, UnitOfWork};
use certctl_core::testing::block_on;
use certctl_core::{Engine, Error};
use futures_util::future::BoxFuture;

use crate::world::{World, edge, forced, me, new_certificate, new_target, plain};

/// What somebody does meanwhile.
type Deed = fn(Engine) -> BoxFuture<'static, Result<(), Error>>;

fn run<O: Operation>(engine: Engine, operation: O) -> BoxFuture<'static, Result<(), Error>> {
    Box::pin(async move { engine.execute(&me(), operation).await.map(drop) })
}

/// Each gives the agent something.
const DEEDS: [(&str, Deed); 6] = [
    ("a target", |engine| run(engine, new_target("t-9", "edge-1"))),
    ("a certificate that it holds", |engine| run(engine, new_certificate("mc-9", &[], Some("edge-1")))),
    ("a certificate on its target", |engine| run(engine, new_certificate("mc-9", &["t-1"], None))),
    ("a mapping", |engine| {
        let (id, target_ids) = (Some("mc-else".parse().unwrap()), Some(vec!["t-1".parse().unwrap()]));
        run(engine, certificate::Update { id, target_ids, ..certificate::Update::default() })
    }),
    ("a renewal", |engine| run(engine, certificate::Renew { id: "mc-issued".parse().unwrap() })),
    ("a deployment", |engine| {
        let (id, target_id) = ("mc-issued".parse().unwrap(), Some("t-2".parse().unwrap()));
        run(engine, certificate::Deploy { id, target_id })
    }),
];

/// The agent with an issued certificate on both of its targets, and a certificate that is elsewhere.
async fn world() -> World {
    let world = World::new().await;
    for target in ["t-1", "t-2"] {
        world.create_target(target, "edge-1").await.unwrap();
    }
    world.create_certificate("mc-issued", &["t-1", "t-2"], None).await.unwrap();
    world.issue("mc-issued", "edge-1").await;
    // No deployment is open, so that a new one is new.
    for job in world.all(Query::<Job>::all()).await {
        if job.state == JobState::Pending {
            let cancel = certctl_core::ops::job::Cancel { id: job.id.clone() };
            world.engine.execute(&me(), cancel).await.unwrap();
        }
    }
    world.agent("edge-2").await;
    world.create_certificate("mc-else", &[], Some("edge-2")).await.unwrap();
    world
}

/// Runs a retirement that is interrupted before its commit of that number; gives how both went.
async fn retire(
    world: &World,
    retire: Retire,
    commit: usize,
    deed: BoxFuture<'static, Result<(), Error>>,
) -> (Result<Retirement, Error>, Result<(), Error>) {
    let outcome = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&outcome);
    world.interrupted.gate().before(commit, Box::pin(async move { *slot.lock().unwrap() = Some(deed.await) }));
    let retirement = world.slow.execute(&me(), retire).await;
    assert!(world.interrupted.gate().happened());
    let outcome = outcome.lock().unwrap().take().unwrap();
    (retirement, outcome)
}

#[test]
fn what_is_given_before_the_agent_is_announced_retires_with_it() {
    for (name, deed) in DEEDS {
        block_on(async {
            let world = world().await;
            let (retirement, given) = retire(&world, forced("edge-1"), 0, deed(world.engine.clone())).await;
            assert!(given.is_ok(), "{name}: {given:?}");
            assert!(matches!(retirement, Ok(Retirement::Retired(_))), "{name}: {retirement:?}");
            assert_eq!(world.belongings("edge-1").await, (0, 0), "{name}");
            assert_eq!(world.events(AuditAction::AgentRetired).await.len(), 1, "{name}");
        });
    }
}

#[test]
fn nothing_is_given_between_the_announcement_and_the_retirement() {
    for (name, deed) in DEEDS {
        block_on(async {
            let world = world().await;
            let (retirement, given) = retire(&world, forced("edge-1"), 1, deed(world.engine.clone())).await;
            assert_eq!(given.map_err(|refused| refused.code()), Err("agent_retiring"), "{name}");
            assert!(matches!(retirement, Ok(Retirement::Retired(_))), "{name}: {retirement:?}");
            assert_eq!(world.belongings("edge-1").await, (0, 0), "{name}");
        });
    }
}

#[test]
fn whoever_gives_while_the_agent_retires_comes_too_late() {
    for (name, deed) in DEEDS {
        block_on(async {
            let world = world().await;
            let (engine, principal) = (world.engine.clone(), me());
            let retiring = async move { assert!(engine.execute(&principal, forced("edge-1")).await.is_ok()) };
            world.interrupted.gate().before(0, Box::pin(retiring));
            let refused = deed(world.slow.clone()).await;
            assert!(world.interrupted.gate().happened() && world.is_retired("edge-1").await, "{name}");
            assert!(refused.is_err(), "{name}");
            assert_eq!(world.belongings("edge-1").await, (0, 0), "{name}");
        });
    }
}

#[test]
fn a_retirement_without_force_is_blocked_by_what_came_meanwhile() {
    block_on(async {
        let world = World::new().await;
        let deed = run(world.engine.clone(), new_target("t-9", "edge-1"));
        let (retirement, given) = retire(&world, plain("edge-1"), 0, deed).await;
        assert!(given.is_ok(), "{given:?}");
        assert!(matches!(retirement, Ok(Retirement::Blocked(counts)) if counts.active_targets == 1), "{retirement:?}");
        assert!(!world.is_retired("edge-1").await);
        world.create_target("t-8", "edge-1").await.unwrap();
    });
}

#[test]
fn a_job_that_is_taken_up_meanwhile_is_called_off_all_the_same() {
    for commit in [0, 1] {
        block_on(async {
            let world = World::busy().await;
            let engine = world.engine.clone();
            let work: BoxFuture<'static, Result<(), Error>> = Box::pin(async move {
                let items = engine.agent_work(&me(), &edge(), Duration::ZERO).await?;
                assert!(items.iter().any(|item| item.status == JobState::Running));
                Ok(())
            });
            let (retirement, taken) = retire(&world, forced("edge-1"), commit, work).await;
            assert!(taken.is_ok() && matches!(retirement, Ok(Retirement::Retired(_))), "{taken:?} {retirement:?}");
            assert_eq!(world.belongings("edge-1").await, (0, 0));
        });
    }
}

#[test]
fn of_two_retirements_one_counts() {
    for commit in [0, 1] {
        block_on(async {
            let world = World::busy().await;
            let (first, second) =
                retire(&world, forced("edge-1"), commit, run(world.engine.clone(), forced("edge-1"))).await;
            assert_eq!((first.unwrap(), second.is_ok()), (Retirement::Already, true));
            assert_eq!(world.events(AuditAction::AgentRetired).await.len(), 1);
            assert_eq!(world.events(AuditAction::AgentRetirementCascaded).await.len(), 1);
        });
    }
}

/// The agent as a retirement leaves it that dies after its announcement.
async fn announced(world: &World) {
    let mut unit = UnitOfWork::begin(&world.storage).await.unwrap().bookkeeping();
    let mut agent = unit.get::<Agent>("edge-1").await.unwrap().unwrap();
    agent.retiring_until = Some(unit.now() + world.engine.cadence().retiring);
    unit.update(agent);
    unit.commit().await.unwrap();
}

#[test]
fn a_retirement_that_was_cut_short_lapses() {
    block_on(async {
        let world = world().await;
        announced(&world).await;
        assert_eq!(world.create_target("t-9", "edge-1").await.unwrap_err().code(), "agent_retiring");
        world.fakes.clock.advance(world.engine.cadence().retiring);
        world.create_target("t-9", "edge-1").await.unwrap();
        assert_eq!(world.get::<Agent>("edge-1").await.retiring_until, None);
    });
}

#[test]
fn a_renewal_that_is_due_waits_until_the_agent_has_retired_or_not() {
    block_on(async {
        let world = world().await;
        let renew_at = world.get::<Certificate>("mc-issued").await.renew_at;
        world.fakes.clock.advance(renew_at.since(world.fakes.clock.now()) + Duration::from_secs(1));
        announced(&world).await;
        world.engine.step().await.unwrap();
        assert_eq!(world.belongings("edge-1").await.0, 0);
        let waits = world.get::<Certificate>("mc-issued").await.renew_at;
        assert_eq!(Some(waits), world.get::<Agent>("edge-1").await.retiring_until);
        world.fakes.clock.advance(world.engine.cadence().retiring);
        world.engine.step().await.unwrap();
        assert_eq!(world.belongings("edge-1").await.0, 1);
    });
}
