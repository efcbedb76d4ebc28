//! A rollout that is halted: nothing more is touched, people are told once, and what goes back goes back.

use certctl_core::domain::{AuditAction, DeploymentWaves, JobState, OnFailure, RolloutState};
use certctl_core::ops::agent::ReportedStatus;
use certctl_core::ops::job::Cancel;
use certctl_core::ops::{certificate, target};
use certctl_core::testing::block_on;
use serde_json::json;

use crate::fleet::{Fleet, ID, waves};
use crate::world::me;

const ALL: [&str; 5] = ["t-1", "t-2", "t-3", "t-4", "t-5"];

fn back(canary: i64) -> DeploymentWaves {
    DeploymentWaves { on_failure: OnFailure::Rollback, ..waves(canary, Some(2)) }
}

#[test]
fn a_canary_that_is_not_served_halts_the_rollout_until_somebody_goes_on() {
    block_on(async {
        let fleet = Fleet::renewed(waves(1, Some(2))).await;
        let first = fleet.has("t-1").await;
        fleet.is_not_served("edge-1", "t-1").await;
        assert_eq!(fleet.state().await, RolloutState::Halted);
        assert_eq!(fleet.handed("edge-1").await, [""; 0]);
        for target in &ALL[1..] {
            assert_eq!(fleet.last(target).await.state, JobState::Cancelled);
            assert_eq!(fleet.has(target).await, first, "it is not touched");
        }
        assert_eq!(fleet.world.events(AuditAction::DeploymentHalted).await.len(), 1);
        let told = fleet.told().await;
        assert_eq!(told.len(), 1, "{told:?}");
        let message = &told[0].message;
        for part in
            ["target t-1 does not serve", "Not touched", "t-2, t-3, t-4, t-5", "/api/v1/certificates/mc-1/deploy"]
        {
            assert!(message.contains(part), "{part}: {message}");
        }
        let (verdict, reason) = fleet.gate().await.unwrap();
        assert_eq!(verdict, "closed");
        assert!(reason.contains("t-1 does not serve") && reason.contains("deploy it to go on"), "{reason}");

        fleet.pass(86_400);
        assert_eq!(fleet.handed("edge-1").await, [""; 0], "time alone changes nothing");
        assert_eq!(fleet.deploy(None).await.len(), 5);
        assert_eq!(fleet.all_go_well("edge-1").await, [vec!["t-1"], vec!["t-2", "t-3"], vec!["t-4", "t-5"]]);
        assert_eq!((fleet.state().await, fleet.told().await.len()), (RolloutState::Finished, 1));
    });
}

#[test]
fn what_is_done_when_a_rollout_is_halted_is_not_done_again() {
    block_on(async {
        let fleet = Fleet::renewed(waves(1, Some(2))).await;
        fleet.goes_well("edge-1", "t-1").await;
        assert_eq!(fleet.handed("edge-1").await, ["t-2", "t-3"]);
        fleet.fails("edge-1", "t-2").await;
        assert_eq!(fleet.state().await, RolloutState::Halted);
        let told = fleet.told().await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].message.contains("the deployment to target t-2 failed: the disk is full"), "{told:?}");
        assert!(told[0].message.contains("Still under way: t-3"), "{told:?}");
        fleet.goes_well("edge-1", "t-3").await;
        assert_eq!(fleet.handed("edge-1").await, [""; 0], "it was under way, and nothing follows it");
        assert_eq!(fleet.deploy(None).await.len(), 3);
        assert_eq!(fleet.all_go_well("edge-1").await, [vec!["t-2"], vec!["t-4", "t-5"]]);
        assert_eq!(fleet.state().await, RolloutState::Finished);
        for target in ALL {
            assert_eq!(fleet.has(target).await, fleet.has("t-1").await);
        }
    });
}

#[test]
fn an_attempt_that_fails_halts_nothing_while_others_follow() {
    block_on(async {
        let fleet = Fleet::renewed(waves(1, Some(2))).await;
        let item = fleet.work("edge-1").await.remove("t-1").unwrap();
        fleet.report("edge-1", &item, ReportedStatus::Failed).await;
        assert_eq!(fleet.state().await, RolloutState::Rolling);
        fleet.pass(600);
        fleet.goes_well("edge-1", "t-1").await;
        assert_eq!(fleet.handed("edge-1").await, ["t-2", "t-3"]);
    });
}

#[test]
fn an_agent_that_loses_the_canary_each_time_halts_the_rollout() {
    block_on(async {
        let fleet = Fleet::renewed(waves(1, None)).await;
        for _ in 0..2 {
            assert_eq!(fleet.handed("edge-1").await, ["t-1"]);
            fleet.pass(301);
        }
        assert_eq!(fleet.handed("edge-1").await, [""; 0]);
        assert_eq!((fleet.state().await, fleet.told().await.len()), (RolloutState::Halted, 1));
    });
}

#[test]
fn with_rollback_the_targets_get_the_version_before_it_back() {
    block_on(async {
        let fleet = Fleet::renewed(DeploymentWaves { max_unavailable: Some(2), ..back(1) }).await;
        let first = fleet.has("t-1").await;
        fleet.goes_well("edge-1", "t-1").await;
        assert_eq!(fleet.handed("edge-1").await, ["t-2", "t-3"]);
        let second = fleet.has("t-1").await;
        assert_ne!(first, second);
        // The agent says what it sees before it says that it is done.
        let item = fleet.work("edge-1").await.remove("t-3").unwrap();
        fleet.verify(&item, false).await;
        assert_eq!(fleet.state().await, RolloutState::RollingBack);
        let told = fleet.told().await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].message.contains("Given the version before it back: t-1"), "{told:?}");
        assert_eq!(fleet.handed("edge-1").await, ["t-2", "t-3"], "two are under way already");
        fleet.report("edge-1", &item, ReportedStatus::Completed).await;
        let items = fleet.work("edge-1").await;
        assert_eq!(items.keys().collect::<Vec<_>>(), ["t-1", "t-2"]);
        assert_eq!(items["t-1"].version_id, first);
        assert_eq!(items["t-2"].version_id, second, "it was under way, and its agent finishes it");
        fleet.goes_well("edge-1", "t-2").await;
        assert_eq!(fleet.all_go_well("edge-1").await, [vec!["t-1", "t-2"], vec!["t-3"]]);
        assert_eq!(fleet.state().await, RolloutState::RolledBack);
        for target in ALL {
            assert_eq!(fleet.has(target).await, first, "{target}");
        }
        assert_eq!(fleet.gate().await.unwrap().0, "closed");
        assert_eq!((fleet.told().await.len(), fleet.handed("edge-1").await.len()), (1, 0));

        // Going on means from the beginning.
        assert_eq!(fleet.deploy(None).await.len(), 5);
        assert_eq!(fleet.all_go_well("edge-1").await, [vec!["t-1"], vec!["t-2", "t-3"], vec!["t-4", "t-5"]]);
        for target in ALL {
            assert_eq!(fleet.has(target).await, second, "{target}");
        }
    });
}

#[test]
fn what_failed_was_not_changed_and_does_not_go_back() {
    block_on(async {
        let fleet = Fleet::renewed(back(2)).await;
        assert_eq!(fleet.handed("edge-1").await, ["t-1", "t-2"]);
        fleet.goes_well("edge-1", "t-1").await;
        fleet.fails("edge-1", "t-2").await;
        assert_eq!(fleet.all_go_well("edge-1").await, [["t-1"]]);
        assert_eq!(fleet.deployments("t-2").await.len(), 2);
        assert_eq!(fleet.state().await, RolloutState::RolledBack);
    });
}

#[test]
fn a_rollback_goes_to_what_was_in_service_and_not_to_another_version_that_failed() {
    block_on(async {
        let fleet = Fleet::renewed(back(1)).await;
        let first = fleet.has("t-1").await;
        fleet.is_not_served("edge-1", "t-1").await;
        assert_eq!(fleet.all_go_well("edge-1").await, [["t-1"]]);
        fleet.renew().await;
        fleet.issue("edge-1").await;
        fleet.is_not_served("edge-1", "t-1").await;
        assert_eq!(fleet.all_go_well("edge-1").await, [["t-1"]]);
        assert_eq!(fleet.has("t-1").await, first);
    });
}

#[test]
fn a_rollback_that_fails_is_told_and_stops_no_other() {
    block_on(async {
        let fleet = Fleet::renewed(back(2)).await;
        fleet.goes_well("edge-1", "t-1").await;
        fleet.is_not_served("edge-1", "t-2").await;
        assert_eq!(fleet.handed("edge-1").await, ["t-1", "t-2"]);
        fleet.fails("edge-1", "t-1").await;
        fleet.goes_well("edge-1", "t-2").await;
        assert_eq!(fleet.state().await, RolloutState::RolledBack);
        assert_eq!(fleet.told().await.len(), 2);
    });
}

#[test]
fn where_nothing_can_be_given_back_people_hear_why() {
    block_on(async {
        // Nothing was in service before.
        let fleet = Fleet::issued(back(1)).await;
        fleet.is_not_served("edge-1", "t-1").await;
        assert_eq!(fleet.handed("edge-1").await, [""; 0]);
        let told = fleet.told().await;
        let kept = "target t-1 keeps the new version: no version before it was in service";
        assert!(told.len() == 2 && told.iter().any(|one| one.message.contains(kept)), "{told:?}");
        assert_eq!(fleet.state().await, RolloutState::RolledBack);

        // What was in service has ended.
        let fleet = Fleet::issued(back(2)).await;
        fleet.all_go_well("edge-1").await;
        fleet.pass(91 * 86_400);
        fleet.renew().await;
        fleet.issue("edge-1").await;
        fleet.goes_well("edge-1", "t-1").await;
        fleet.is_not_served("edge-1", "t-2").await;
        assert_eq!(fleet.handed("edge-1").await, [""; 0]);
        let told = fleet.told().await;
        let halted = told.iter().find(|one| one.subject.contains("was halted")).unwrap();
        assert!(
            halted.message.contains("Target t-1 keeps the new version: the version before it ended at"),
            "{halted:?}"
        );
        let events = fleet.world.events(AuditAction::DeploymentHalted).await;
        assert_eq!(events[0].details["keep_the_new_version"][0]["target_id"], json!("t-1"));
    });
}

#[test]
fn who_calls_off_what_has_begun_halts_the_rollout_and_what_waits_is_left_out() {
    block_on(async {
        let fleet = Fleet::renewed(back(1)).await;
        let cancel = async |target: &str| {
            let id = fleet.last(target).await.id;
            fleet.engine.execute(&me(), Cancel { id }).await.unwrap();
        };
        cancel("t-3").await;
        assert_eq!(fleet.state().await, RolloutState::Rolling);
        fleet.goes_well("edge-1", "t-1").await;
        assert_eq!(fleet.handed("edge-1").await, ["t-2", "t-4"], "the next one takes its place");
        cancel("t-2").await;
        assert_eq!(
            fleet.state().await,
            RolloutState::Halted,
            "nothing is wrong with the version, so nothing goes back"
        );
        assert!(fleet.told().await[0].message.contains("the deployment to target t-2 was called off"));
        fleet.goes_well("edge-1", "t-4").await;
        assert_eq!(fleet.deploy(None).await.len(), 3);
        assert_eq!(fleet.all_go_well("edge-1").await, [vec!["t-2"], vec!["t-3", "t-5"]]);
        assert_eq!(fleet.rollout().await.unwrap().id.as_str(), ID);
    });
}

#[test]
fn a_target_that_failed_and_is_disabled_or_taken_away_keeps_nothing_back_any_more() {
    block_on(async {
        for disabled in [true, false] {
            let fleet = Fleet::renewed(waves(1, None)).await;
            fleet.fails("edge-1", "t-1").await;
            assert_eq!(fleet.state().await, RolloutState::Halted);
            if disabled {
                let change = target::Update {
                    id: "t-1".parse().unwrap(),
                    name: None,
                    config: None,
                    agent_id: None,
                    enabled: Some(false),
                    client_auth: None,
                };
                fleet.engine.execute(&me(), change).await.unwrap();
            } else {
                let target_ids = Some(ALL[1..].iter().map(|id| id.parse().unwrap()).collect());
                let id = Some(ID.parse().unwrap());
                let update = certificate::Update { id, target_ids, ..certificate::Update::default() };
                fleet.engine.execute(&me(), update).await.unwrap();
            }
            assert_eq!(fleet.deploy(None).await.len(), 4);
            assert_eq!(fleet.all_go_well("edge-1").await, [vec!["t-2"], vec!["t-3", "t-4", "t-5"]]);
            assert_eq!(fleet.state().await, RolloutState::Finished);
        }
    });
}
