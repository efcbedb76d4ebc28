use proptest::prelude::*;

use super::TargetState::{Done, Failed, LeftOut, Running, Waiting};
use super::*;
use crate::domain::OnFailure;

fn waves(canary: i64, batch_size: Option<i64>, max_unavailable: Option<i64>) -> DeploymentWaves {
    DeploymentWaves { canary, batch_size, max_unavailable, pause_seconds: 60, on_failure: OnFailure::Halt }
}

fn forward(waves: &DeploymentWaves, targets: &[TargetState]) -> WaveStep {
    decide(&WaveInput { waves: Some(waves), targets, elsewhere: 0, aim: Aim::NewVersion }).step
}

fn start(targets: &[usize], wave: usize, seconds: u64) -> WaveStep {
    WaveStep::Start { targets: targets.to_vec(), wave, after: Duration::from_secs(seconds) }
}

#[test]
fn a_canary_goes_first_and_batches_follow_after_a_pause() {
    let plan = waves(1, Some(2), None);
    let step = |targets: &[TargetState]| forward(&plan, targets);
    assert_eq!(step(&[Waiting; 5]), start(&[0], 1, 0));
    assert_eq!(step(&[Running, Waiting, Waiting, Waiting, Waiting]), WaveStep::Wait);
    assert_eq!(step(&[Done, Waiting, Waiting, Waiting, Waiting]), start(&[1, 2], 2, 60));
    assert_eq!(step(&[Done, Done, Running, Waiting, Waiting]), WaveStep::Wait);
    assert_eq!(step(&[Done, Done, Done, Waiting, Waiting]), start(&[3, 4], 3, 60));
    assert_eq!(step(&[Done, Done, Done, Done, Running]), WaveStep::Wait);
    assert_eq!(step(&[Done; 5]), WaveStep::Done);
}

#[test]
fn a_failure_halts_whatever_else_there_is() {
    let plan = waves(0, None, None);
    assert_eq!(forward(&plan, &[Done, Failed, Running, Waiting]), WaveStep::Halt { target: 1 });
    assert_eq!(forward(&plan, &[Done, Done, Failed]), WaveStep::Halt { target: 2 });
}

#[test]
fn a_limit_below_the_wave_lets_the_wave_go_on_one_after_the_other_without_a_pause() {
    let plan = waves(0, Some(4), Some(2));
    assert_eq!(forward(&plan, &[Waiting; 6]), start(&[0, 1], 1, 0));
    assert_eq!(forward(&plan, &[Done, Running, Waiting, Waiting, Waiting, Waiting]), start(&[2], 1, 0));
    assert_eq!(forward(&plan, &[Done, Done, Running, Running, Waiting, Waiting]), WaveStep::Wait);
    assert_eq!(forward(&plan, &[Done, Done, Done, Done, Waiting, Waiting]), start(&[4, 5], 2, 60));
    let beside = WaveInput { waves: Some(&plan), targets: &[Waiting], elsewhere: 2, aim: Aim::NewVersion };
    assert_eq!(decide(&beside).step, WaveStep::Wait);
    assert!(decide(&beside).reason.contains("max_unavailable"));
}

#[test]
fn who_is_left_out_makes_room_for_the_next() {
    let plan = waves(1, None, None);
    assert_eq!(forward(&plan, &[LeftOut, Waiting, Waiting]), start(&[1], 1, 0));
    assert_eq!(forward(&plan, &[LeftOut, Done, Waiting]), start(&[2], 2, 60));
    assert_eq!(forward(&plan, &[LeftOut, LeftOut]), WaveStep::Done);
}

#[test]
fn what_begins_out_of_turn_proves_as_much_as_any_other_and_lets_nothing_by() {
    let plan = waves(1, Some(2), None);
    assert_eq!(forward(&plan, &[Running, Waiting, Waiting, Running]), WaveStep::Wait);
    assert_eq!(forward(&plan, &[Running, Waiting, Waiting, Done]), WaveStep::Wait, "the canary is still under way");
    assert_eq!(forward(&plan, &[Done, Waiting, Waiting, Done]), start(&[1], 2, 0));
    let plan = waves(1, None, None);
    assert_eq!(forward(&plan, &[Running, Waiting, Running]), WaveStep::Wait);
}

#[test]
fn who_joins_an_open_last_wave_does_not_wait() {
    let plan = waves(1, None, None);
    assert_eq!(forward(&plan, &[Done, Done, Running, Waiting]), start(&[3], 2, 0));
}

#[test]
fn a_policy_without_waves_any_more_lets_all_go_and_heeds_no_failure() {
    let input = WaveInput { waves: None, targets: &[Failed, Waiting, Waiting], elsewhere: 9, aim: Aim::NewVersion };
    assert_eq!(decide(&input).step, start(&[1, 2], 1, 0));
}

#[test]
fn the_way_back_heeds_the_limit_and_nothing_else() {
    let plan = waves(1, Some(1), Some(2));
    let back = |targets: &[TargetState]| {
        decide(&WaveInput { waves: Some(&plan), targets, elsewhere: 0, aim: Aim::VersionBefore }).step
    };
    assert_eq!(back(&[Waiting, Waiting, Waiting]), start(&[0, 1], 1, 0));
    assert_eq!(back(&[Failed, Running, Waiting]), start(&[2], 1, 0));
    assert_eq!(back(&[Failed, Done, Done]), WaveStep::Done);
}

/// Runs a rollout: what has begun ends in an order of its own. Gives the states at the end; panics where a rule is broken.
fn run(plan: &DeploymentWaves, targets: usize, ends: &[(usize, TargetState)]) -> Vec<TargetState> {
    let mut states = vec![Waiting; targets];
    let (mut ends, mut halted) = (ends.iter().cycle(), false);
    // Each turn starts or ends at least one.
    for _ in 0..=2 * targets {
        let running = |states: &[TargetState]| states.iter().filter(|state| **state == Running).count();
        let before = states.clone();
        match forward(plan, &states) {
            WaveStep::Start { targets, .. } => {
                assert!(!halted, "nothing begins after a halt");
                assert!(!targets.is_empty());
                for at in targets {
                    assert_eq!(states[at], Waiting);
                    states[at] = Running;
                }
            }
            WaveStep::Halt { target } => {
                assert_eq!(states[target], Failed);
                halted = true;
            }
            WaveStep::Done => break,
            WaveStep::Wait => assert!(running(&states) > 0, "somebody must end for it to go on"),
        }
        if let Some(most) = plan.max_unavailable {
            assert!(running(&states) <= usize::try_from(most).unwrap());
        }
        let begun = states.iter().filter(|state| **state == Running || **state == Done).count();
        let canary = usize::try_from(plan.canary).unwrap();
        if canary > 0 && begun > canary && before != states {
            let proven = before.iter().filter(|state| **state == Done).count();
            assert!(proven >= canary.min(targets), "nothing goes beyond a canary that is not proven");
        }
        let under_way: Vec<usize> = (0..targets).filter(|at| states[*at] == Running).collect();
        if !under_way.is_empty() {
            let (pick, end) = ends.next().unwrap();
            states[under_way[pick % under_way.len()]] = *end;
        }
    }
    states
}

fn plans() -> impl Strategy<Value = DeploymentWaves> {
    (0_i64..5, proptest::option::of(1_i64..5), proptest::option::of(1_i64..5))
        .prop_map(|(canary, batch_size, max_unavailable)| waves(canary, batch_size, max_unavailable))
}

proptest! {
    #[test]
    fn all_are_done_at_the_end_when_all_go_well(
        plan in plans(), targets in 1_usize..12, picks in proptest::collection::vec(0_usize..12, 1..24)
    ) {
        let ends: Vec<_> = picks.into_iter().map(|pick| (pick, Done)).collect();
        prop_assert_eq!(run(&plan, targets, &ends), vec![Done; targets]);
    }

    #[test]
    fn nothing_begins_after_a_failure_and_no_limit_is_ever_passed(
        plan in plans(), targets in 1_usize..12,
        ends in proptest::collection::vec((0_usize..12, prop_oneof![3 => Just(Done), 1 => Just(Failed), 1 => Just(LeftOut)]), 1..24)
    ) {
        let states = run(&plan, targets, &ends);
        if !states.contains(&Failed) {
            prop_assert!(states.iter().all(|state| matches!(state, Done | LeftOut)));
        }
    }
}
