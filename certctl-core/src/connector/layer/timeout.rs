//! The layer that ends calls which take too long.

use std::time::Duration;

use crate::connector::ConnectorError;
use crate::ports::{Clock, within};

/// The answer of a call, or a failure that passes when it takes longer than `limit`. The call's future is dropped then.
pub(super) async fn limited<T>(
    clock: &dyn Clock,
    limit: Duration,
    call: impl Future<Output = Result<T, ConnectorError>>,
) -> Result<T, ConnectorError> {
    let answer = within(clock, limit, call).await;
    answer.unwrap_or_else(|| Err(ConnectorError::transient(format!("there was no answer within {limit:?}"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::ConnectorErrorKind;
    use crate::ports::Monotonic;
    use crate::testing::ManualClock;

    const LIMIT: Duration = Duration::from_secs(5);

    #[test]
    fn an_answer_in_time_passes_through() {
        let clock = ManualClock::new();
        let sleep = clock.sleep_until(clock.monotonic() + LIMIT * 4 / 5);
        let call = async {
            sleep.await;
            Ok(7)
        };
        assert_eq!(clock.drive(limited(&clock, LIMIT, call)).unwrap(), 7);
        let refused = limited::<()>(&clock, LIMIT, async { Err(ConnectorError::permanent("no")) });
        assert_eq!(clock.drive(refused).unwrap_err().message, "no");
    }

    #[test]
    fn a_call_that_takes_longer_is_dropped_and_may_be_tried_again() {
        let clock = ManualClock::new();
        let sleep = clock.sleep_until(clock.monotonic() + LIMIT * 2);
        let call = async {
            sleep.await;
            Ok(7)
        };
        let error = clock.drive(limited(&clock, LIMIT, call)).unwrap_err();
        assert_eq!((error.kind, clock.monotonic()), (ConnectorErrorKind::Transient, Monotonic(5_000_000)));
        assert!(error.message.contains("5s"), "{error}");
        assert_eq!(clock.next_deadline(), None, "nobody waits any more");
    }
}
