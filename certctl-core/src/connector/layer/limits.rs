//! What the layers allow, as data.

use std::time::Duration;

/// Limits of the calls of one connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest that one call may take; its future is dropped then.
    pub timeout: Duration,
    /// Calls at once, also those that no job makes; further ones wait their turn. At least one.
    pub concurrency: u32,
    /// Calls in a period; `None` for as many as there are.
    pub rate: Option<Rate>,
    /// Repetition of calls whose failure passes. The job's own attempts, which are stored, come on top.
    pub retry: Retry,
    /// When calls are not made any more for a while; `None` for never.
    pub breaker: Option<Trip>,
}

/// So many calls in such a period, evenly refilled. All of them may come at once after a rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many, at least one.
    pub calls: u32,
    /// In how long.
    pub per: Duration,
}

/// How a failed call is repeated within the step that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Further tries at most; none for zero.
    pub times: u32,
    /// Before the first of them, doubled before each further one. What the other side asks for comes first if longer.
    pub pause: Duration,
    /// No try begins later than this after the first one began, so that a step stays short.
    pub within: Duration,
}

/// When a connector counts as dead, so that its calls fail at once instead of taking their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trip {
    /// So many calls in a row failed, each after a long time. At least one.
    pub failures: u32,
    /// What is a long time.
    pub slow: Duration,
    /// How long no call is made. Then one tries, and the others wait for what becomes of it.
    pub rest: Duration,
}

impl Retry {
    /// Every failure goes back to the caller.
    pub const NEVER: Self = Self { times: 0, pause: Duration::ZERO, within: Duration::ZERO };
}

impl Default for Limits {
    /// Two minutes a call, 16 calls at once, no limit of their rate, two further tries within ten seconds.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(120),
            concurrency: 16,
            rate: None,
            retry: Retry { times: 2, pause: Duration::from_millis(250), within: Duration::from_secs(10) },
            breaker: None,
        }
    }
}

impl Limits {
    /// What notifiers are given: a minute a call, 64 calls at once, and half a minute's rest for a destination that let five calls
    /// in a row wait for two seconds or longer. The outbox repeats, not the layer.
    pub fn of_notifiers() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            concurrency: 64,
            rate: None,
            retry: Retry::NEVER,
            breaker: Some(Trip { failures: 5, slow: Duration::from_secs(2), rest: Duration::from_secs(30) }),
        }
    }
}
