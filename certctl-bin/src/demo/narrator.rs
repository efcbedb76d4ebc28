//! Says what happens, with the time since the beginning and since the step before.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::output;

/// Speaks on standard output.
pub(super) struct Narrator {
    began: Instant,
    last: Mutex<Instant>,
}

impl Narrator {
    pub(super) fn begin() -> Self {
        let began = Instant::now();
        Self { began, last: Mutex::new(began) }
    }

    /// A step that is done, and how long it took.
    pub(super) fn step(&self, what: &str) -> Result<(), Failure> {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let took = now - *last;
        *last = now;
        drop(last);
        output::line(format!("{:>8}  {:>9}  {what}", seconds(now - self.began), format!("+{} ms", took.as_millis())))
    }

    pub(super) fn elapsed(&self) -> String {
        seconds(self.began.elapsed())
    }
}

/// A line without a time.
pub(super) fn plain(what: &str) -> Result<(), Failure> {
    output::line(format!("  {what}").trim_end())
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
