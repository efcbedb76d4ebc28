//! Requirements C3, step by step.

use std::time::Duration;

use certctl_core::ErrorKind;
use certctl_core::domain::{
    Agent, AuditAction, AuditEvent, Certificate, Job, JobState, Lifecycle, Principal, Role, TargetRecord, Timestamp,
};
use certctl_core::ops::agent::{DependencyCounts, List, ListRetired, Retire, Retirement};
use certctl_core::ops::target;
use certctl_core::ports::Clock;
use certctl_core::storage::Query;
use certctl_core::testing::block_on;

use crate::world::{World, forced, me, plain, retired};

const BUSY: DependencyCounts = DependencyCounts { active_targets: 2, active_certificates: 3, pending_jobs: 3 };

fn without_reason(id: &str) -> Retire {
    Retire { reason: Some("  ".into()), ..forced(id) }
}

#[test]
fn first_a_sentinel_is_refused_forced_or_not() {
    block_on(async {
        let world = World::new().await;
        for id in Agent::SENTINELS {
            for retire in [plain(id), forced(id), without_reason(id)] {
                let refused = world.retire(retire).await.unwrap_err();
                assert_eq!((refused.kind(), refused.code()), (ErrorKind::Forbidden, "agent_is_sentinel"));
            }
            assert!(!world.is_retired(id).await);
        }
    });
}

#[test]
fn second_an_unknown_agent_is_not_found() {
    block_on(async {
        let world = World::new().await;
        for retire in [plain("none"), forced("none"), without_reason("none")] {
            assert_eq!(world.retire(retire).await.unwrap_err().kind(), ErrorKind::NotFound);
        }
    });
}

#[test]
fn third_a_retired_agent_stays_as_it_is() {
    block_on(async {
        let world = World::busy().await;
        retired(world.retire(forced("edge-1")).await.unwrap());
        let (agent, events) = (world.get::<Agent>("edge-1").await, world.all(Query::<AuditEvent>::all()).await.len());
        world.fakes.clock.advance(Duration::from_secs(60));
        for retire in [plain("edge-1"), forced("edge-1"), without_reason("edge-1")] {
            assert_eq!(world.retire(retire).await.unwrap(), Retirement::Already);
        }
        assert_eq!(world.get::<Agent>("edge-1").await.version(), agent.version());
        assert_eq!(world.all(Query::<AuditEvent>::all()).await.len(), events);
    });
}

#[test]
fn fourth_and_sixth_what_depends_on_it_is_counted_and_blocks() {
    block_on(async {
        let world = World::busy().await;
        let (agent, events) = (world.get::<Agent>("edge-1").await, world.all(Query::<AuditEvent>::all()).await.len());
        for _ in 0..2 {
            assert_eq!(world.retire(plain("edge-1")).await.unwrap(), Retirement::Blocked(BUSY));
        }
        assert_eq!(world.get::<Agent>("edge-1").await.version(), agent.version());
        assert_eq!(world.all(Query::<AuditEvent>::all()).await.len(), events);
        assert_eq!(world.belongings("edge-1").await, (3, 2));
    });
}

#[test]
fn what_ended_or_failed_does_not_count() {
    block_on(async {
        let world = World::new().await;
        world.create_certificate("mc-1", &[], Some("edge-1")).await.unwrap();
        let blocked = DependencyCounts { active_targets: 0, active_certificates: 1, pending_jobs: 1 };
        assert_eq!(world.retire(plain("edge-1")).await.unwrap(), Retirement::Blocked(blocked));
        // Nobody sends a request within a day.
        world.fakes.clock.advance(Duration::from_hours(25));
        world.engine.step().await.unwrap();
        assert_eq!(world.get::<Certificate>("mc-1").await.lifecycle, Lifecycle::Failed);
        let done = retired(world.retire(plain("edge-1")).await.unwrap());
        assert_eq!((done.cascade, done.counts), (false, DependencyCounts::default()));
        assert!(world.events(AuditAction::AgentRetirementCascaded).await.is_empty());
        assert_eq!(world.get::<Agent>("edge-1").await.retired_reason, None);
    });
}

#[test]
fn fifth_force_needs_a_reason_before_anything_blocks() {
    block_on(async {
        let world = World::busy().await;
        for reason in [None, Some(String::new()), Some(" \t".into())] {
            let refused = world.retire(Retire { reason, ..forced("edge-1") }).await.unwrap_err();
            assert_eq!((refused.kind(), refused.fields()[0].pointer.as_str()), (ErrorKind::Invalid, "/reason"));
        }
        for reason in ["x".repeat(1_001), "a\0b".into()] {
            let refused = world.retire(Retire { reason: Some(reason), ..forced("edge-1") }).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Invalid);
        }
        assert!(!world.is_retired("edge-1").await);
    });
}

#[test]
fn seventh_agent_targets_and_jobs_end_in_one_moment() {
    block_on(async {
        let world = World::busy().await;
        world.fakes.clock.advance(Duration::from_secs(5));
        let at = world.fakes.clock.now();
        let done = retired(world.retire(forced("edge-1")).await.unwrap());
        assert_eq!((done.retired_at, done.cascade, done.counts), (at, true, BUSY));
        let agent = world.get::<Agent>("edge-1").await;
        assert_eq!((agent.retired_at, agent.retired_reason.as_deref()), (Some(at), Some("the host is gone")));
        assert_eq!((agent.retiring_until, agent.status(at).name()), (None, "Offline"));
        for target in ["t-1", "t-2"] {
            let target = world.get::<TargetRecord>(target).await;
            assert_eq!((target.retired_at, target.retired_reason.as_deref()), (Some(at), Some("the host is gone")));
        }
        assert_eq!(world.belongings("edge-1").await, (0, 0));
        let jobs = world.all(Query::<Job>::all().filter(Job::FIELDS.state.equals(JobState::Cancelled))).await;
        let called_off: Vec<_> = jobs.iter().filter(|job| job.completed_at == Some(at)).collect();
        assert_eq!(called_off.len(), 3);
        assert!(called_off.iter().all(|job| job.last_error.as_deref() == Some("agent edge-1 was retired")));
        for certificate in ["mc-pending", "mc-held"] {
            let certificate = world.get::<Certificate>(certificate).await;
            assert_eq!((certificate.renewing, certificate.lifecycle), (false, Lifecycle::Pending));
        }
    });
}

#[test]
fn eighth_it_is_recorded_with_the_caller_as_actor() {
    block_on(async {
        let world = World::busy().await;
        let admin = Principal::embedder("ops");
        let done = retired(world.engine.execute(&admin, forced("edge-1")).await.unwrap());
        for action in [AuditAction::AgentRetired, AuditAction::AgentRetirementCascaded] {
            let events = world.events(action).await;
            assert_eq!(events.len(), 1);
            let event = &events[0];
            assert_eq!((event.actor.as_str(), event.resource_id.as_str()), (admin.id.as_str(), "edge-1"));
            assert_eq!((event.timestamp, event.actor_type), (done.retired_at, admin.actor_type));
            assert_eq!(event.details.0["reason"], "the host is gone");
        }
        let cascaded = &world.events(AuditAction::AgentRetirementCascaded).await[0].details.0;
        assert_eq!(cascaded["target_ids"], serde_json::json!(["t-1", "t-2"]));
        assert_eq!(cascaded["cancelled_jobs"].as_array().unwrap().len(), 3);
    });
}

#[test]
fn only_administrators_retire() {
    block_on(async {
        let world = World::new().await;
        for role in [Role::Operator, Role::Viewer, Role::Auditor, Role::Agent] {
            let somebody = Principal { role, ..me() };
            let refused = world.engine.execute(&somebody, plain("edge-1")).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Forbidden);
        }
        assert!(!world.is_retired("edge-1").await);
    });
}

#[test]
fn retired_agents_have_a_list_of_their_own() {
    block_on(async {
        let world = World::busy().await;
        for id in ["edge-2", "edge-3"] {
            world.agent(id).await;
        }
        let before = world.engine.execute(&me(), List::default()).await.unwrap().total;
        for id in ["edge-2", "edge-1"] {
            world.fakes.clock.advance(Duration::from_secs(1));
            retired(world.retire(forced(id)).await.unwrap());
        }
        let list = world.engine.execute(&me(), List::default()).await.unwrap();
        assert_eq!(list.total, before.map(|total| total - 2));
        assert!(list.records.iter().all(|agent| agent.retired_at.is_none()));
        let gone = world.engine.execute(&me(), ListRetired::default()).await.unwrap();
        assert_eq!(gone.records.iter().map(|agent| agent.id.as_str()).collect::<Vec<_>>(), ["edge-1", "edge-2"]);
        assert_eq!(gone.total, Some(2));
        assert!(gone.records.iter().all(|agent| agent.retired_at > Some(Timestamp::default())));
        let targets = world.engine.execute(&me(), target::List::default()).await.unwrap();
        assert_eq!((targets.records.len(), targets.total), (0, Some(0)));
    });
}
