//! What becomes of a CA's answer about when to renew a certificate (RFC 9773 §4).

use std::time::Duration;

use super::renewal::part;
use crate::connector::SuggestedWindow;
use crate::domain::{RenewalAdvice, Timestamp};

/// The time between two questions where the CA does not say.
const USUAL: Duration = Duration::from_hours(6);
/// Never sooner, whatever the CA says.
const SOONEST: Duration = Duration::from_mins(1);
/// Never later: what changes is learned within a day.
const LATEST: Duration = Duration::from_hours(24);

/// A question that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// Why.
    pub error: String,
    /// When the CA asks to be asked again.
    pub retry_after: Option<Duration>,
}

/// The advice after a question that was answered, or not: then the last window stays.
///
/// The moment is drawn once for each window. It stays when the window moves and still holds it, and a window that has begun is due
/// now.
pub fn answered(
    before: &RenewalAdvice,
    answer: Result<&SuggestedWindow, &Unanswered>,
    now: Timestamp,
    random: u64,
) -> RenewalAdvice {
    match answer {
        Ok(window) if window.end <= window.start => {
            let error = format!("the CA suggests a window from {} to {}, which is none", window.start, window.end);
            unanswered(before, &Unanswered { error, retry_after: window.retry_after }, now)
        }
        Ok(window) => suggested(before, window, now, random),
        Err(unanswered_for) => unanswered(before, unanswered_for, now),
    }
}

fn suggested(before: &RenewalAdvice, window: &SuggestedWindow, now: Timestamp, random: u64) -> RenewalAdvice {
    let same = (before.window_start, before.window_end) == (Some(window.start), Some(window.end));
    let within = |at: &Timestamp| window.start <= *at && *at <= window.end;
    let selected = match before.selected_at {
        Some(selected) if same || within(&selected) => selected,
        _ if window.start <= now => now,
        _ => window.start + part(window.end.since(window.start), random),
    };
    RenewalAdvice {
        window_start: Some(window.start),
        window_end: Some(window.end),
        selected_at: Some(selected),
        explanation_url: window.explanation_url.clone(),
        checked_at: Some(now),
        next_check: now + window.retry_after.unwrap_or(USUAL).clamp(SOONEST, LATEST),
        failures: 0,
        last_error: None,
        ..before.clone()
    }
}

/// Asked again with growing distance (RFC 9773 §4.3.3).
fn unanswered(before: &RenewalAdvice, why: &Unanswered, now: Timestamp) -> RenewalAdvice {
    let failures = before.failures.saturating_add(1);
    let doublings = u32::try_from(failures.min(12)).unwrap_or(12);
    let pause = why.retry_after.unwrap_or(SOONEST.saturating_mul(1 << doublings));
    RenewalAdvice {
        next_check: now + pause.clamp(SOONEST, LATEST),
        failures,
        last_error: Some(why.error.chars().take(2_000).collect()),
        ..before.clone()
    }
}

/// When the CA is asked for the first time about a version: soon, but not about all that were issued together at once.
pub fn first_check(issued_at: Timestamp, lifetime: Duration, random: u64) -> Timestamp {
    let soonest = SOONEST.min(lifetime / 20);
    issued_at + soonest + part((lifetime / 20).min(Duration::from_hours(1)), random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::IssuerId;

    fn at(hours: u64) -> Timestamp {
        Timestamp::from_unix_seconds(1_000_000_000) + Duration::from_hours(hours)
    }

    fn unasked() -> RenewalAdvice {
        RenewalAdvice {
            id: "cv-1".parse().unwrap(),
            certificate_id: "mc-1".parse().unwrap(),
            key_holder: String::new(),
            issuer_id: IssuerId::default(),
            renewal_info_id: String::new(),
            issued_at: at(0),
            window_start: None,
            window_end: None,
            selected_at: None,
            explanation_url: None,
            checked_at: None,
            next_check: at(0),
            failures: 0,
            last_error: None,
        }
    }

    fn window(start: u64, end: u64) -> SuggestedWindow {
        SuggestedWindow { start: at(start), end: at(end), explanation_url: None, retry_after: None }
    }

    #[test]
    fn the_moment_is_drawn_once_and_stays_while_the_window_holds_it() {
        let drawn = answered(&unasked(), Ok(&window(100, 200)), at(1), 12_345_678_901);
        let selected = drawn.selected_at.unwrap();
        assert!(selected >= at(100) && selected <= at(200));
        for later in [window(100, 200), window(90, 200), window(100, 210)] {
            assert_eq!(answered(&drawn, Ok(&later), at(2), 7).selected_at, Some(selected));
        }
        let moved = answered(&drawn, Ok(&window(300, 301)), at(2), 7).selected_at.unwrap();
        assert!(moved >= at(300) && moved <= at(301));
    }

    #[test]
    fn the_time_between_two_questions_is_from_a_minute_to_a_day() {
        for (said, hours, minutes) in [(None, 6, 0), (Some(0), 0, 1), (Some(3_600), 1, 0), (Some(u64::MAX), 24, 0)] {
            let asked = SuggestedWindow { retry_after: said.map(Duration::from_secs), ..window(100, 200) };
            let next = answered(&unasked(), Ok(&asked), at(1), 0).next_check;
            assert_eq!(next, at(1 + hours) + Duration::from_mins(minutes), "{said:?}");
        }
    }

    #[test]
    fn a_question_that_fails_keeps_the_window_and_is_asked_again_with_growing_distance() {
        let mut advice = answered(&unasked(), Ok(&window(100, 200)), at(1), 5);
        let known = (advice.window_start, advice.window_end, advice.selected_at);
        let mut pauses = Vec::new();
        for _ in 0..14 {
            let failed = Unanswered { error: "500".into(), retry_after: None };
            advice = answered(&advice, Err(&failed), at(2), 9);
            assert_eq!((advice.window_start, advice.window_end, advice.selected_at), known);
            pauses.push(advice.next_check.since(at(2)));
        }
        assert!(pauses.is_sorted() && pauses[0] == Duration::from_mins(2) && pauses[13] == LATEST, "{pauses:?}");
        // No window at all is as good as no answer.
        let odd = answered(&advice, Ok(&window(200, 100)), at(2), 9);
        assert_eq!((odd.window_start, odd.failures), (known.0, 15));
        assert_eq!(answered(&advice, Ok(&window(100, 200)), at(2), 9).failures, 0);
    }

    #[test]
    fn the_first_question_comes_soon_and_not_for_all_at_once() {
        let lifetime = Duration::from_hours(24 * 90);
        let checks: Vec<_> = (0..50).map(|n| first_check(at(0), lifetime, n * 1_234_567_891)).collect();
        assert!(checks.iter().all(|check| *check >= at(0) + SOONEST && *check <= at(2)));
        assert!(checks.windows(2).any(|pair| pair[0] != pair[1]));
        assert!(first_check(at(0), Duration::from_mins(5), u64::MAX) < at(0) + Duration::from_secs(31));
    }
}
