//! A rollout in which all goes well.

use certctl_core::domain::{DeploymentWaves, Job, JobState, RolloutState};
use certctl_core::storage::Query;
use certctl_core::testing::block_on;
use serde_json::json;

use crate::fleet::{Fleet, waves};

const ALL: [&str; 5] = ["t-1", "t-2", "t-3", "t-4", "t-5"];

#[test]
fn a_canary_is_proven_before_the_batches_follow() {
    block_on(async {
        let fleet = Fleet::issued(waves(1, Some(2))).await;
        assert_eq!(fleet.handed("edge-1").await, ["t-1"]);
        assert_eq!(fleet.states(&ALL).await, [Some(JobState::Running), None, None, None, None]);
        let (verdict, reason) = fleet.gate().await.unwrap();
        assert_eq!(verdict, "waiting");
        assert!(reason.contains("4 targets wait for their turn, 1 are under way (t-1)"), "{reason}");
        fleet.goes_well("edge-1", "t-1").await;
        assert_eq!(fleet.handed("edge-1").await, ["t-2", "t-3"]);
        fleet.goes_well("edge-1", "t-2").await;
        assert_eq!(fleet.handed("edge-1").await, ["t-3"], "the wave is not over");
        fleet.goes_well("edge-1", "t-3").await;
        assert_eq!(fleet.all_go_well("edge-1").await, [["t-4", "t-5"]]);
        assert_eq!(fleet.begun().await, [json!(["t-1"]), json!(["t-2", "t-3"]), json!(["t-4", "t-5"])]);
        assert_eq!((fleet.state().await, fleet.gate().await), (RolloutState::Finished, None));
        assert_eq!(fleet.told().await, []);
    });
}

#[test]
fn without_waves_all_targets_are_deployed_to_at_once_and_nothing_more_is_kept() {
    block_on(async {
        let fleet = Fleet::new(None, &[("edge-1", &ALL)]).await;
        fleet.issue("edge-1").await;
        assert_eq!(fleet.all_go_well("edge-1").await, [ALL]);
        fleet.deploy(None).await;
        assert_eq!(fleet.all_go_well("edge-1").await, [ALL]);
        assert_eq!((fleet.rollout().await, fleet.begun().await), (None, vec![]));
        let jobs = fleet.world.all(Query::<Job>::all()).await;
        assert!(jobs.iter().all(|job| job.rollout.is_none()));
    });
}

#[test]
fn a_deployment_that_nobody_verifies_counts_when_it_is_completed() {
    block_on(async {
        let fleet = Fleet::issued(waves(1, None)).await;
        let item = fleet.work("edge-1").await.remove("t-1").unwrap();
        fleet.report("edge-1", &item, certctl_core::ops::agent::ReportedStatus::Completed).await;
        assert_eq!(fleet.handed("edge-1").await, ["t-2", "t-3", "t-4", "t-5"]);
    });
}

#[test]
fn the_key_holders_of_one_renewal_are_one_rollout_however_late_they_are() {
    block_on(async {
        let agents: [(&str, &[&str]); 3] = [("edge-1", &["t-1"]), ("edge-2", &["t-2"]), ("edge-3", &["t-3"])];
        let fleet = Fleet::new(Some(waves(1, Some(1))), &agents).await;
        for round in 1..=2 {
            fleet.pass(1);
            fleet.issue("edge-2").await;
            fleet.pass(1);
            fleet.issue("edge-1").await;
            assert_eq!(fleet.handed("edge-1").await, [""; 0], "the first to have its version is the canary");
            fleet.goes_well("edge-2", "t-2").await;
            assert_eq!(fleet.all_go_well("edge-1").await, [["t-1"]]);
            assert_eq!(fleet.state().await, RolloutState::Finished, "as far as anybody has a version");
            fleet.pass(3_600);
            fleet.issue("edge-3").await;
            assert_eq!(fleet.handed("edge-3").await, ["t-3"], "it needs no canary any more");
            fleet.goes_well("edge-3", "t-3").await;
            assert_eq!((fleet.state().await, fleet.rollout().await.unwrap().round), (RolloutState::Finished, round));
            if round == 1 {
                fleet.renew().await;
            }
        }
        assert_eq!(fleet.begun().await.len(), 6);
    });
}

#[test]
fn a_pause_lies_between_waves() {
    block_on(async {
        let fleet = Fleet::issued(DeploymentWaves { pause_seconds: 600, ..waves(1, None) }).await;
        fleet.goes_well("edge-1", "t-1").await;
        assert_eq!(fleet.handed("edge-1").await, [""; 0]);
        let (verdict, reason) = fleet.gate().await.unwrap();
        assert_eq!(verdict, "waiting", "{reason}");
        fleet.pass(598);
        assert_eq!(fleet.handed("edge-1").await, [""; 0]);
        fleet.pass(2);
        assert_eq!(fleet.all_go_well("edge-1").await, [["t-2", "t-3", "t-4", "t-5"]]);
    });
}

#[test]
fn no_more_are_under_way_than_may_be_unavailable() {
    block_on(async {
        let fleet = Fleet::issued(DeploymentWaves { max_unavailable: Some(2), ..waves(0, None) }).await;
        assert_eq!(fleet.handed("edge-1").await, ["t-1", "t-2"]);
        fleet.goes_well("edge-1", "t-2").await;
        assert_eq!(fleet.handed("edge-1").await, ["t-1", "t-3"]);
        // One that is tried again is still under way.
        let item = fleet.work("edge-1").await.remove("t-1").unwrap();
        fleet.report("edge-1", &item, certctl_core::ops::agent::ReportedStatus::Failed).await;
        assert_eq!(fleet.handed("edge-1").await, ["t-3"]);
        fleet.pass(600);
        assert_eq!(fleet.handed("edge-1").await, ["t-1", "t-3"]);
        for target in ["t-1", "t-3"] {
            fleet.goes_well("edge-1", target).await;
        }
        assert_eq!(fleet.all_go_well("edge-1").await, [["t-4", "t-5"]]);
        assert_eq!(fleet.state().await, RolloutState::Finished);
    });
}

#[test]
fn a_deployment_on_request_goes_in_waves_and_one_to_a_single_target_at_once() {
    block_on(async {
        let fleet = Fleet::issued(waves(1, None)).await;
        fleet.all_go_well("edge-1").await;
        assert_eq!(fleet.deploy(None).await.len(), 5);
        assert_eq!(fleet.handed("edge-1").await, ["t-1"], "a canary again");
        let open = fleet.deploy(None).await;
        assert_eq!(open.len(), 5, "what is under way is left to itself");
        assert_eq!(fleet.handed("edge-1").await, ["t-1"]);
        fleet.deploy(Some("t-4")).await;
        assert_eq!(fleet.handed("edge-1").await, ["t-1", "t-4"], "out of turn");
        fleet.goes_well("edge-1", "t-4").await;
        assert_eq!(fleet.handed("edge-1").await, ["t-1"], "the canary is still under way");
        fleet.goes_well("edge-1", "t-1").await;
        assert_eq!(fleet.all_go_well("edge-1").await, [["t-2", "t-3", "t-5"]]);
        fleet.deploy(Some("t-3")).await;
        assert_eq!(fleet.all_go_well("edge-1").await, [["t-3"]]);
        assert_eq!(fleet.rollout().await.unwrap().round, 2, "one target is no rollout");
    });
}
