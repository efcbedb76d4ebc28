//! The server's clock without a round trip per question: measured now and then, and carried on by a monotonic clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use certctl_core::domain::Timestamp;
use certctl_core::ports::{Clock, Monotonic};
use sqlx::{AssertSqlSafe, Error, PgPool, Row as _, query};

use crate::dialect::POSTGRES_NOW;

/// Time as the server sees it, wrong by at most half of a round trip.
pub(super) struct ServerClock {
    clock: Arc<dyn Clock>,
    /// The server's time at a moment of this process.
    reference: Mutex<(Timestamp, Monotonic)>,
}

impl ServerClock {
    pub(super) async fn measured(pool: &PgPool, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        // The first query of a connection may take long, for the connection's sake.
        measure(pool, &*clock).await?;
        let reference = Mutex::new(measure(pool, &*clock).await?);
        Ok(Self { clock, reference })
    }

    pub(super) fn now(&self) -> Timestamp {
        let (then, at) = *self.reference.lock().unwrap_or_else(PoisonError::into_inner);
        then + at.until(self.clock.monotonic())
    }

    /// Resolves after this long, by this process.
    pub(super) async fn pause(&self, pause: Duration) {
        self.clock.sleep_until(self.clock.monotonic() + pause).await;
    }

    /// Measures again, so that the two clocks cannot drift apart.
    pub(super) async fn adjust(&self, pool: &PgPool) -> Result<(), Error> {
        let reference = measure(pool, &*self.clock).await?;
        *self.reference.lock().unwrap_or_else(PoisonError::into_inner) = reference;
        Ok(())
    }
}

async fn measure(pool: &PgPool, clock: &dyn Clock) -> Result<(Timestamp, Monotonic), Error> {
    let before = clock.monotonic();
    let row = query(AssertSqlSafe(format!("SELECT {POSTGRES_NOW}"))).fetch_one(pool).await?;
    let trip: Duration = before.until(clock.monotonic());
    Ok((Timestamp(row.try_get(0)?), before + trip / 2))
}
