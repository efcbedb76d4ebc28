//! A connection between two machines: late, and at times broken before or after the deed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::chance::Chance;
use super::clock::NodeClock;
use crate::ports::Clock;

/// What the links of one simulation share.
#[derive(Clone, Debug, Default)]
pub(super) struct Weather(Arc<AtomicBool>);

impl Weather {
    /// From now on nothing breaks any more.
    pub(super) fn calm_down(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_calm(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) clock: NodeClock,
    pub(super) chance: Chance,
    pub(super) weather: Weather,
    pub(super) latency: Duration,
    /// One crossing in so many breaks; 0 for never.
    pub(super) breaks: u64,
    /// Nothing crosses while this is set.
    pub(super) cut: Arc<AtomicBool>,
}

impl Link {
    /// Takes its time; false when the connection broke.
    pub(super) async fn cross(&self) -> bool {
        // Every other crossing is at once, so that some calls overtake others.
        if !self.latency.is_zero() && self.chance.one_in(2) {
            let late = self.chance.within(self.latency);
            self.clock.sleep_until(self.clock.monotonic() + late).await;
        }
        !(self.cut.load(Ordering::SeqCst) || self.breaks_now())
    }

    pub(super) fn breaks_now(&self) -> bool {
        !self.weather.is_calm() && self.chance.one_in(self.breaks)
    }
}
