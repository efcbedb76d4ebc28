//! The layer that repeats calls whose failure passes: briefly, within the step that made them.

use crate::connector::{ConnectorError, ConnectorErrorKind};
use crate::ports::Clock;

use super::Retry;

/// Calls until there is an answer, a failure that does not pass by itself, or no time for another try.
///
/// Only what the other side failed at or could not be asked is repeated, and quotas are not: they want a rest that a step
/// has no time for. All steps of an order have one idempotency key, so that a repeated one obtains nothing twice.
pub(super) async fn repeated<T, F>(
    clock: &dyn Clock,
    retry: Retry,
    mut call: impl FnMut() -> F,
) -> Result<T, ConnectorError>
where
    F: Future<Output = Result<T, ConnectorError>>,
{
    let last = clock.monotonic() + retry.within;
    let mut pause = retry.pause;
    let mut left = retry.times;
    loop {
        let error = match call().await {
            Err(error) if left > 0 && passes(&error) => error,
            answer => return answer,
        };
        let next = clock.monotonic() + pause.max(error.retry_after.unwrap_or_default());
        if next > last {
            return Err(error);
        }
        clock.sleep_until(next).await;
        pause *= 2;
        left -= 1;
    }
}

const fn passes(error: &ConnectorError) -> bool {
    matches!(error.kind, ConnectorErrorKind::Transient | ConnectorErrorKind::Unreachable)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use super::*;
    use crate::testing::ManualClock;

    const RETRY: Retry = Retry { times: 2, pause: Duration::from_secs(1), within: Duration::from_secs(10) };

    fn error(kind: ConnectorErrorKind) -> ConnectorError {
        ConnectorError::new(kind, "no")
    }

    /// Calls with these answers, the last of them for ever: what came of it, and the seconds at which it was called.
    fn run(retry: Retry, answers: &[Result<u8, ConnectorError>]) -> (Result<u8, ConnectorErrorKind>, Vec<u64>) {
        let clock = ManualClock::new();
        let times = RefCell::new(Vec::new());
        let call = || {
            let mut times = times.borrow_mut();
            let answer = answers.get(times.len()).or(answers.last()).unwrap().clone();
            times.push(clock.monotonic().0 / 1_000_000);
            std::future::ready(answer)
        };
        let outcome = clock.drive(repeated(&clock, retry, call)).map_err(|error| error.kind);
        (outcome, times.into_inner())
    }

    #[test]
    fn what_passes_is_tried_again_with_growing_distance() {
        for kind in [ConnectorErrorKind::Transient, ConnectorErrorKind::Unreachable] {
            assert_eq!(run(RETRY, &[Err(error(kind)), Ok(1)]), (Ok(1), vec![0, 1]));
            assert_eq!(run(RETRY, &[Err(error(kind)), Err(error(kind)), Ok(1)]), (Ok(1), vec![0, 1, 3]));
            assert_eq!(run(RETRY, &[Err(error(kind))]), (Err(kind), vec![0, 1, 3]), "and given back in the end");
            assert_eq!(run(Retry::NEVER, &[Err(error(kind))]), (Err(kind), vec![0]));
        }
    }

    #[test]
    fn what_does_not_pass_goes_back_at_once() {
        use ConnectorErrorKind::{Auth, Permanent, Policy, Quota};
        for kind in [Auth, Permanent, Policy, Quota] {
            assert_eq!(run(RETRY, &[Err(error(kind)), Ok(1)]), (Err(kind), vec![0]));
        }
    }

    #[test]
    fn what_the_other_side_asks_for_is_kept() {
        let after = |seconds| Err(error(ConnectorErrorKind::Transient).retry_after(Duration::from_secs(seconds)));
        assert_eq!(run(RETRY, &[after(7), Ok(1)]), (Ok(1), vec![0, 7]));
        assert_eq!(run(RETRY, &[after(10), Ok(1)]), (Ok(1), vec![0, 10]));
        assert_eq!(run(RETRY, &[after(11), Ok(1)]), (Err(ConnectorErrorKind::Transient), vec![0]), "a step is short");
        assert_eq!(run(RETRY, &[after(7), after(7), Ok(1)]), (Err(ConnectorErrorKind::Transient), vec![0, 7]));
    }
}
