//! The machine's clock.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use certctl_core::domain::Timestamp;
use certctl_core::ports::{Clock, Monotonic};
use futures_util::future::BoxFuture;

pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Timestamp(i64::try_from(since.as_micros()).unwrap())
    }
    fn monotonic(&self) -> Monotonic {
        static START: OnceLock<Instant> = OnceLock::new();
        Monotonic(0) + START.get_or_init(Instant::now).elapsed()
    }
    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        let pause: Duration = self.monotonic().until(deadline);
        Box::pin(tokio::time::sleep(pause))
    }
}
