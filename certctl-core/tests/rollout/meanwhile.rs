//! What happens while a rollout is under way.

use std::sync::Arc;

use certctl_core::domain::{DeploymentWaves, JobState, RolloutState};
use certctl_core::ops::agent::{ReportStatus, ReportedStatus};
use certctl_core::ops::{certificate, target};
use certctl_core::testing::block_on;
use serde_json::json;

use crate::fleet::{Fleet, ID, waves};
use crate::world::{forced, me, retired};

const EACH: [(&str, &[&str]); 3] = [("edge-1", &["t-1"]), ("edge-2", &["t-2"]), ("edge-3", &["t-3"])];

async fn three(waves: DeploymentWaves) -> Fleet {
    let fleet = Fleet::new(Some(waves), &EACH).await;
    for (agent, _) in EACH {
        fleet.issue(agent).await;
        fleet.pass(1);
    }
    fleet
}

#[test]
fn an_agent_that_is_offline_keeps_the_others_waiting_until_it_is_back() {
    block_on(async {
        let fleet = three(waves(1, None)).await;
        fleet.pass(3 * 86_400);
        fleet.engine.step().await.unwrap();
        assert_eq!(fleet.handed("edge-2").await, [""; 0]);
        assert!(fleet.gate().await.unwrap().1.contains("(t-1)"), "it says who is waited for");
        fleet.goes_well("edge-1", "t-1").await;
        assert_eq!(
            (fleet.handed("edge-2").await, fleet.handed("edge-3").await),
            (vec!["t-2".into()], vec!["t-3".into()])
        );
    });
}

#[test]
fn the_retirement_of_the_canarys_agent_makes_the_next_target_the_canary() {
    block_on(async {
        let fleet = three(waves(1, None)).await;
        assert_eq!(fleet.handed("edge-1").await, ["t-1"]);
        let _ = retired(fleet.engine.execute(&me(), forced("edge-1")).await.unwrap());
        assert_eq!(fleet.handed("edge-2").await, ["t-2"]);
        assert_eq!(fleet.handed("edge-3").await, [""; 0]);
        fleet.goes_well("edge-2", "t-2").await;
        fleet.goes_well("edge-3", "t-3").await;
        assert_eq!(fleet.state().await, RolloutState::Finished);
    });
}

#[test]
fn an_agent_that_waits_for_its_turn_counts_as_one_with_work_when_it_is_to_retire() {
    block_on(async {
        let fleet = three(waves(1, None)).await;
        let _ = retired(fleet.engine.execute(&me(), forced("edge-3")).await.unwrap());
        assert_eq!(fleet.last("t-3").await.state, JobState::Cancelled);
        fleet.goes_well("edge-1", "t-1").await;
        fleet.goes_well("edge-2", "t-2").await;
        assert_eq!(fleet.state().await, RolloutState::Finished);
    });
}

#[test]
fn a_target_that_is_taken_away_and_deleted_is_left_out() {
    block_on(async {
        let fleet = Fleet::issued(waves(1, Some(2))).await;
        let keep = async |targets: &[&str]| {
            let target_ids = Some(targets.iter().map(|id| id.parse().unwrap()).collect());
            let update =
                certificate::Update { id: Some(ID.parse().unwrap()), target_ids, ..certificate::Update::default() };
            fleet.engine.execute(&me(), update).await.unwrap();
        };
        // One that waits.
        keep(&["t-1", "t-2", "t-4", "t-5"]).await;
        fleet.engine.execute(&me(), target::Delete { id: "t-3".parse().unwrap() }).await.unwrap();
        // The canary itself.
        assert_eq!(fleet.handed("edge-1").await, ["t-1"]);
        keep(&["t-2", "t-4", "t-5"]).await;
        fleet.engine.execute(&me(), target::Delete { id: "t-1".parse().unwrap() }).await.unwrap();
        assert_eq!(fleet.all_go_well("edge-1").await, [vec!["t-2"], vec!["t-4", "t-5"]]);
        assert_eq!(fleet.state().await, RolloutState::Finished);
    });
}

#[test]
fn a_newer_version_begins_a_rollout_of_its_own() {
    block_on(async {
        let fleet = Fleet::renewed(waves(1, Some(2))).await;
        fleet.goes_well("edge-1", "t-1").await;
        assert_eq!(fleet.handed("edge-1").await, ["t-2", "t-3"]);
        fleet.renew().await;
        fleet.issue("edge-1").await;
        assert_eq!(fleet.handed("edge-1").await, ["t-1"], "with a canary of its own");
        assert_eq!(fleet.all_go_well("edge-1").await, [vec!["t-1"], vec!["t-2", "t-3"], vec!["t-4", "t-5"]]);
        assert_eq!((fleet.state().await, fleet.rollout().await.unwrap().round), (RolloutState::Finished, 3));
        // Also in the place of one that was halted.
        fleet.renew().await;
        fleet.issue("edge-1").await;
        fleet.is_not_served("edge-1", "t-1").await;
        assert_eq!(fleet.state().await, RolloutState::Halted);
        fleet.renew().await;
        fleet.issue("edge-1").await;
        assert_eq!(fleet.all_go_well("edge-1").await.len(), 3);
        assert_eq!(fleet.rollout().await.unwrap().reason, None);
    });
}

#[test]
fn what_waits_at_one_key_holder_waits_on_when_another_has_a_newer_version() {
    block_on(async {
        let fleet = three(waves(1, Some(1))).await;
        fleet.renew().await;
        fleet.issue("edge-1").await;
        // t-2 and t-3 wait with what they have; the canary of the new round is t-1 with its newer version.
        assert_eq!(fleet.handed("edge-2").await, [""; 0]);
        fleet.goes_well("edge-1", "t-1").await;
        assert_eq!(fleet.handed("edge-2").await, ["t-2"]);
        fleet.goes_well("edge-2", "t-2").await;
        fleet.issue("edge-2").await;
        fleet.goes_well("edge-3", "t-3").await;
        fleet.goes_well("edge-2", "t-2").await;
        fleet.issue("edge-3").await;
        fleet.goes_well("edge-3", "t-3").await;
        assert_eq!(fleet.state().await, RolloutState::Finished);
    });
}

#[test]
fn a_version_that_comes_while_its_rollout_is_halted_waits_for_somebody_to_go_on() {
    block_on(async {
        let fleet = Fleet::new(Some(waves(1, None)), &EACH).await;
        fleet.issue("edge-1").await;
        fleet.is_not_served("edge-1", "t-1").await;
        fleet.pass(1);
        fleet.issue("edge-2").await;
        assert_eq!(fleet.deployments("t-2").await, []);
        assert_eq!(fleet.deploy(None).await.len(), 2);
        fleet.goes_well("edge-1", "t-1").await;
        assert_eq!(fleet.handed("edge-2").await, ["t-2"]);
    });
}

#[test]
fn a_policy_that_wants_no_waves_any_more_lets_the_others_go() {
    block_on(async {
        let fleet = Fleet::issued(waves(1, Some(1))).await;
        assert_eq!(fleet.handed("edge-1").await, ["t-1"]);
        fleet.change(None).await;
        fleet.is_not_served("edge-1", "t-1").await;
        assert_eq!(fleet.handed("edge-1").await, ["t-2", "t-3", "t-4", "t-5"]);
    });
}

#[test]
fn an_archived_certificate_has_no_rollout() {
    block_on(async {
        let fleet = Fleet::issued(waves(1, Some(1))).await;
        fleet.engine.execute(&me(), certificate::Archive { id: ID.parse().unwrap() }).await.unwrap();
        assert_eq!(fleet.rollout().await, None);
        assert_eq!(fleet.handed("edge-1").await, [""; 0]);
    });
}

#[test]
fn a_target_that_goes_to_another_agent_leaves_the_wave() {
    block_on(async {
        let fleet = three(waves(1, Some(1))).await;
        let change = target::Update {
            id: "t-1".parse().unwrap(),
            name: None,
            config: None,
            agent_id: Some("edge-2".parse().unwrap()),
            enabled: None,
            client_auth: None,
        };
        fleet.world.fakes.clock.advance(std::time::Duration::from_secs(1));
        for (agent, _) in EACH {
            let heartbeat = certctl_core::ops::agent::Heartbeat {
                agent_id: agent.parse().unwrap(),
                version: String::new(),
                hostname: String::new(),
                os: String::new(),
                architecture: String::new(),
                ip_address: String::new(),
                target_kinds: vec!["Shelf".into()],
            };
            fleet.engine.execute(&me(), heartbeat).await.unwrap();
        }
        fleet.engine.execute(&me(), change).await.unwrap();
        // It is deployed to by the key of edge-2 at once; the next in turn is the canary.
        assert_eq!(fleet.handed("edge-2").await, ["t-1", "t-2"]);
        for target in ["t-1", "t-2"] {
            fleet.goes_well("edge-2", target).await;
        }
        fleet.goes_well("edge-3", "t-3").await;
        assert_eq!(fleet.state().await, RolloutState::Finished);
    });
}

#[test]
fn of_two_that_end_at_once_on_two_servers_the_later_one_opens_the_next_wave() {
    block_on(async {
        let fleet = Arc::new(Fleet::issued(waves(2, None)).await);
        let items = fleet.work("edge-1").await;
        let report = |target: &str| ReportStatus {
            agent_id: "edge-1".parse().unwrap(),
            job_id: items[target].id.clone(),
            status: ReportedStatus::Completed,
            error: None,
        };
        let (other, second) = (fleet.engine.clone(), report("t-2"));
        let meanwhile = Box::pin(async move { other.execute(&me(), second).await.unwrap() });
        fleet.world.interrupted.gate().before(0, meanwhile);
        fleet.world.slow.execute(&me(), report("t-1")).await.unwrap();
        assert!(fleet.world.interrupted.gate().happened());
        assert_eq!(fleet.handed("edge-1").await, ["t-3", "t-4", "t-5"]);
        assert_eq!(fleet.begun().await, [json!(["t-1", "t-2"]), json!(["t-3", "t-4", "t-5"])]);
    });
}

#[test]
fn what_is_halted_on_one_server_does_not_go_on_at_the_same_moment_on_another() {
    block_on(async {
        let fleet = Arc::new(Fleet::issued(waves(2, None)).await);
        let items = fleet.work("edge-1").await;
        let (other, bad) = (Arc::clone(&fleet), items["t-2"].clone());
        fleet.world.interrupted.gate().before(0, Box::pin(async move { other.verify(&bad, false).await }));
        let report = ReportStatus {
            agent_id: "edge-1".parse().unwrap(),
            job_id: items["t-1"].id.clone(),
            status: ReportedStatus::Completed,
            error: None,
        };
        fleet.world.slow.execute(&me(), report).await.unwrap();
        assert!(fleet.world.interrupted.gate().happened());
        assert_eq!((fleet.state().await, fleet.told().await.len()), (RolloutState::Halted, 1));
        assert_eq!(fleet.handed("edge-1").await, ["t-2"], "which is still to be reported");
    });
}
