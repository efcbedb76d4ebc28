//! How long to wait after a failure.

use std::time::Duration;

/// The longest pause.
pub const LONGEST: Duration = Duration::from_secs(3600);

/// The pause before the next attempt at a job: `interval` doubled with each attempt made, an hour at most, ± 20 %
/// (requirements B2). `attempts` counts from 1; `random` spreads jobs that failed together.
pub fn job(interval: Duration, attempts: u32, random: u64) -> Duration {
    let pause = interval.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(LONGEST);
    let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX / 2);
    // 0.8 to 1.2 of the pause, in whole microseconds.
    let offset = random % ((micros / 5) * 2 + 1);
    Duration::from_micros(micros - micros / 5 + offset)
}

/// The pause after the k-th failed delivery of a notification: 2, 4, 8, 16 minutes; `None` after the fifth, which is the
/// last (requirements B14).
pub fn notification(failures: u32) -> Option<Duration> {
    (1..5).contains(&failures).then(|| Duration::from_secs(60 << failures).min(LONGEST))
}

/// The distance to the next renewal after one used up its attempts: an hour, doubled each time, a day at most. For
/// short lifetimes it is no more than a tenth of the lifetime, so that a certificate is never given up.
pub fn failed_renewal(failures: u32, lifetime: Duration) -> Duration {
    let hours = LONGEST.saturating_mul(1 << failures.saturating_sub(1).min(8));
    hours.min(Duration::from_secs(86_400)).min((lifetime / 10).max(Duration::from_secs(10)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_back_off_by_doubling_within_a_fifth() {
        let interval = Duration::from_secs(300);
        for (attempts, expected) in [(1, 300), (2, 600), (3, 1200), (4, 2400), (5, 3600), (60, 3600)] {
            let expected = Duration::from_secs(expected);
            for random in [0, 1, u64::MAX / 3, u64::MAX] {
                let pause = job(interval, attempts, random);
                assert!(pause >= expected * 4 / 5 && pause <= expected * 6 / 5, "{attempts}: {pause:?}");
            }
        }
    }

    #[test]
    fn notifications_die_at_the_fifth_failure() {
        let minutes: Vec<_> = (1..=5).map(|k| notification(k).map(|pause| pause.as_secs() / 60)).collect();
        assert_eq!(minutes, [Some(2), Some(4), Some(8), Some(16), None]);
    }
}
