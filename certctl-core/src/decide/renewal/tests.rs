use proptest::prelude::*;

use super::*;

fn begin() -> Timestamp {
    Timestamp::from_unix_seconds(1_000_000_000)
}

fn input<'a>(lifetime: Duration) -> RenewalInput<'a> {
    RenewalInput {
        not_before: begin(),
        not_after: begin() + lifetime,
        issued_at: begin(),
        window: Duration::ZERO,
        auto_renew: true,
        first_alert: days(30),
        freezes: &[],
        advice: None,
        limited_until: None,
        now: begin(),
        random: 0,
    }
}

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

fn day(day: u64) -> Timestamp {
    begin() + days(day)
}

fn freeze(from: u64, until: u64) -> FreezeWindow {
    FreezeWindow { starts_at: day(from), ends_at: day(until), reason: String::new() }
}

#[test]
fn a_third_is_left_of_long_lifetimes_and_half_of_short_ones() {
    for (lifetime, left, reason) in [
        (days(90), days(30), RenewalReason::Third),
        (days(47), days(47) / 3, RenewalReason::Third),
        (days(6), days(3), RenewalReason::Half),
        (Duration::from_secs(300), Duration::from_secs(150), RenewalReason::Half),
        (days(3650), days(3650) / 3, RenewalReason::Third),
    ] {
        let verdict = decide(&input(lifetime));
        assert_eq!(verdict.reason, reason);
        assert_eq!(verdict.renew_at, Some(input(lifetime).not_after - left));
    }
}

#[test]
fn a_window_is_cut_to_half_of_the_lifetime() {
    let verdict = decide(&RenewalInput { window: days(20), ..input(days(90)) });
    assert_eq!((verdict.reason, verdict.renew_at), (RenewalReason::Window, Some(input(days(90)).not_after - days(20))));
    let verdict = decide(&RenewalInput { window: days(60), ..input(days(90)) });
    assert_eq!(
        (verdict.reason, verdict.renew_at),
        (RenewalReason::WindowCut, Some(input(days(90)).not_after - days(45)))
    );
}

#[test]
fn jitter_only_makes_it_earlier_and_stays_within_the_validity() {
    for random in [0, 7, u64::MAX / 2, u64::MAX] {
        let input = RenewalInput { random, ..input(days(90)) };
        let renew_at = decide(&input).renew_at.unwrap();
        assert!(renew_at <= input.not_after - days(30) && renew_at >= input.not_after - days(33), "{random}");
        assert_eq!(decide(&input).earliest, Some(input.not_after - days(33)));
    }
}

#[test]
fn without_auto_renewal_the_first_alert_marks_the_end() {
    let verdict = decide(&RenewalInput { auto_renew: false, ..input(days(90)) });
    assert_eq!((verdict.renew_at, verdict.earliest), (None, None));
    assert_eq!(verdict.expiring_at, input(days(90)).not_after - days(30));
}

#[test]
fn advice_only_makes_it_earlier_and_never_at_once_after_an_issuance() {
    let advised = |start, selected| Some(Advised { start: day(start), selected: day(selected) });
    let verdict = decide(&RenewalInput { advice: advised(40, 41), ..input(days(90)) });
    assert_eq!((verdict.renew_at, verdict.earliest), (Some(day(41)), Some(day(40))));
    assert_eq!((verdict.reason, verdict.expiring_at), (RenewalReason::Advised, day(41)));
    // Far in the future: the policy decides.
    let verdict = decide(&RenewalInput { advice: advised(80, 81), ..input(days(90)) });
    assert_eq!((verdict.renew_at, verdict.reason), (Some(day(60)), RenewalReason::Third));
    // Begun before the certificate was issued: after a rest, which is counted from when it was issued and not from when it
    // says that it begins.
    let stale = RenewalInput { advice: Some(Advised { start: day(0), selected: day(0) }), ..input(days(90)) };
    assert_eq!(decide(&stale).renew_at, Some(day(1)));
    let backdated = RenewalInput { issued_at: day(5), now: day(5), ..stale };
    assert_eq!(decide(&backdated).renew_at, Some(day(6)));
}

#[test]
fn a_freeze_over_the_deadline_is_renewed_before_it_and_an_earlier_one_behind() {
    let windows = [freeze(55, 70)];
    for random in [0, 1, u64::MAX / 3, u64::MAX] {
        let frozen = RenewalInput { freezes: &windows, random, ..input(days(90)) };
        let verdict = decide(&frozen);
        let renew_at = verdict.renew_at.unwrap();
        assert!(renew_at < day(55) && renew_at >= day(40), "{renew_at}");
        assert_eq!(verdict.stages.thaw, Thaw::Before { starts_at: day(55) });
        // When its moment has come it is due, whatever the random number.
        assert!(decide(&RenewalInput { now: renew_at, random: 3, ..frozen }).is_due(renew_at));
    }
    let windows = [freeze(55, 59)];
    let frozen = RenewalInput { freezes: &windows, random: 2 * 86_400_000_000, ..input(days(90)) };
    let verdict = decide(&frozen);
    assert_eq!(verdict.stages.thaw, Thaw::After { ends_at: day(59) });
    assert!(verdict.renew_at.unwrap() >= day(59) && verdict.renew_at.unwrap() <= day(60));
}

#[test]
fn a_freeze_that_has_begun_holds_it_back_until_half_of_the_time_is_left() {
    let windows = [freeze(55, 70)];
    let frozen = RenewalInput { freezes: &windows, now: day(60), ..input(days(90)) };
    assert_eq!(decide(&frozen).held_until(), Some(day(70)));
    let windows = [freeze(55, 85)];
    let frozen = RenewalInput { freezes: &windows, ..frozen };
    assert_eq!(decide(&frozen).held_until(), Some(day(75)), "the last call");
    assert_eq!(decide(&frozen).renew_at, Some(day(75)));
    let called = decide(&RenewalInput { now: day(75), ..frozen });
    assert_eq!((called.held_until(), called.stages.thaw), (None, Thaw::GivesWay { ends_at: day(85) }));
    assert!(called.is_due(day(75)));
}

#[test]
fn a_freeze_longer_than_the_lifetime_renews_once_before_it_and_then_at_the_last_call() {
    let windows = [freeze(50, 200)];
    let (mut issued, mut renewals) = (day(0), Vec::new());
    for random in 1..50_u64 {
        let end = issued + days(90);
        let at = RenewalInput { not_before: issued, not_after: end, issued_at: issued, now: issued, ..input(days(90)) };
        let at = RenewalInput { freezes: &windows, random: random << 40, ..at };
        issued = decide(&at).renew_at.unwrap();
        assert!(decide(&RenewalInput { now: issued, ..at }).is_due(issued), "{renewals:?} {issued}");
        renewals.push(issued);
        if issued > day(400) {
            break;
        }
    }
    // Before it begins, then each time when half of the last third is left, and as usual when it is over.
    let within = |from, to| renewals.iter().filter(|at| **at >= day(from) && **at < day(to)).count();
    assert_eq!((within(0, 50), within(50, 115), within(115, 126)), (1, 0, 1), "{renewals:?}");
    assert!(renewals.len() <= 7, "{renewals:?}");
}

#[test]
fn a_used_up_quota_holds_it_back_until_the_issuer_said() {
    let limited = RenewalInput { limited_until: Some(day(62)), now: day(60), ..input(days(90)) };
    let verdict = decide(&limited);
    assert_eq!((verdict.renew_at, verdict.held_until()), (Some(day(62)), Some(day(62))));
    assert!(!verdict.is_due(day(60)));
    assert!(decide(&RenewalInput { now: day(62), ..limited }).is_due(day(62)));
}

fn windows() -> impl Strategy<Value = Vec<FreezeWindow>> {
    let window = (0..4_000_000_u64, 1..1_500_000_u64).prop_map(|(from, length)| FreezeWindow {
        starts_at: begin() + Duration::from_secs(from),
        ends_at: begin() + Duration::from_secs(from + length),
        reason: String::new(),
    });
    proptest::collection::vec(window, 0..6)
}

#[derive(Clone, Debug)]
struct Any {
    lifetime: Duration,
    window: Duration,
    age: Duration,
    advice: Option<(u64, u64)>,
    limited: Option<u64>,
    freezes: Vec<FreezeWindow>,
    random: u64,
}

fn any_input() -> impl Strategy<Value = Any> {
    let seconds = 300..315_360_000_u64;
    let advice = proptest::option::of((0..4_000_000_u64, 0..400_000_u64));
    let limited = proptest::option::of(0..4_000_000_u64);
    (seconds, 0..366_u64, 0..4_000_000_u64, advice, limited, windows(), any::<u64>()).prop_map(
        |(lifetime, window, age, advice, limited, freezes, random)| Any {
            lifetime: Duration::from_secs(lifetime),
            window: days(window),
            age: Duration::from_secs(age),
            advice,
            limited,
            freezes,
            random,
        },
    )
}

impl Any {
    fn input(&self) -> RenewalInput<'_> {
        let at = |seconds| begin() + Duration::from_secs(seconds);
        RenewalInput {
            window: self.window,
            now: begin() + self.age,
            advice: self.advice.map(|(start, after)| Advised { start: at(start), selected: at(start + after) }),
            limited_until: self.limited.map(at),
            freezes: &self.freezes,
            random: self.random,
            ..input(self.lifetime)
        }
    }
}

proptest! {
    /// Without what holds it back it is never later than the policy's last moment, whatever the CA suggests.
    #[test]
    fn it_is_never_later_than_the_hard_deadline(any in any_input()) {
        let input = RenewalInput { freezes: &[], limited_until: None, ..any.input() };
        let verdict = decide(&input);
        let renew_at = verdict.renew_at.unwrap();
        prop_assert!(renew_at <= verdict.stages.deadline.0);
        prop_assert!(renew_at >= input.not_before);
        let unadvised = decide(&RenewalInput { advice: None, ..input }).renew_at.unwrap();
        prop_assert!(renew_at <= unadvised);
    }

    /// No freeze window holds it back longer than to the last call.
    #[test]
    fn a_freeze_never_costs_the_certificate(any in any_input()) {
        let input = RenewalInput { limited_until: None, ..any.input() };
        let verdict = decide(&input);
        let last = verdict.stages.last_call.max(verdict.stages.deadline.0);
        prop_assert!(verdict.renew_at.unwrap() <= last, "{verdict:?}");
        prop_assert!(verdict.held_until().is_none_or(|until| until <= last && until > input.now));
    }

    /// What is not due now is planned for later, or the loops would look at it without end; what its moment has come for is due.
    #[test]
    fn what_is_planned_comes_due(any in any_input()) {
        let input = any.input();
        let mut now = input.now;
        for round in 0..60_u32 {
            let at = RenewalInput { now, random: any.random.rotate_left(round), ..input };
            let verdict = decide(&at);
            let renew_at = verdict.renew_at.unwrap();
            prop_assert!(verdict.earliest.unwrap() <= renew_at);
            let latest = decide(&RenewalInput { random: 0, ..at });
            if latest.is_due(now) {
                return Ok(());
            }
            prop_assert!(renew_at > now, "{verdict:?}");
            now = renew_at;
        }
        prop_assert!(false, "it never came due: {:?}", decide(&RenewalInput { now, ..input }));
    }

    /// What is due stays due as time goes by, unless something begins to hold it back.
    #[test]
    fn it_is_monotone(any in any_input(), later in 0..10_000_000_u64) {
        let input = RenewalInput { freezes: &[], limited_until: None, ..any.input() };
        let after = RenewalInput { now: input.now + Duration::from_secs(later), ..input };
        prop_assert!(!decide(&input).is_due(input.now) || decide(&after).is_due(after.now));
        let sooner = input.advice.map(|advice| Advised { start: begin(), selected: begin().max(advice.start) });
        let hastened = decide(&RenewalInput { advice: sooner, ..input }).renew_at.unwrap();
        prop_assert!(hastened <= decide(&input).renew_at.unwrap());
    }
}
