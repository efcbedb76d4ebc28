//! Freeze windows: times in which nothing is renewed by itself.

use super::renewal::{Moment, part};
use crate::domain::{FreezeWindow, Timestamp};

/// What the freeze windows did to a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thaw {
    /// It falls into none.
    NotFrozen,
    /// It was moved behind one that ends before the last moment of the policy.
    After {
        /// When that window ends.
        ends_at: Timestamp,
    },
    /// It was moved before one that lies over the last moment of the policy.
    Before {
        /// When that window starts.
        starts_at: Timestamp,
    },
    /// One lies over the last moment of the policy, and the certificate was issued too lately to be renewed before it: it waits for
    /// its end, or until half of the policy's time is left.
    Through {
        /// Until when.
        until: Timestamp,
    },
    /// One has begun already: it waits for its end, or until half of the policy's time is left.
    Held {
        /// Until when.
        until: Timestamp,
    },
    /// One has begun, and less than half of the policy's time is left: it is renewed all the same.
    GivesWay {
        /// When that window ends.
        ends_at: Timestamp,
    },
}

impl Thaw {
    /// Until when renewal is held back although it is due.
    pub const fn held_until(self) -> Option<Timestamp> {
        if let Self::Held { until } = self { Some(until) } else { None }
    }
}

/// The moment that the stages before decided, and between what it may be moved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) moment: Moment,
    /// Not moved to before this: half of the time from the issuance to the policy's moment. A window that is longer than the
    /// certificate lives would else have it renewed without end before it begins.
    pub(super) from: Timestamp,
    pub(super) now: Timestamp,
    /// From here on no window holds it back.
    pub(super) last_call: Timestamp,
}

/// Moves a renewal out of the freeze windows: behind one that ends early enough, else before it, else, when it has begun
/// already, to its end or the last call.
pub(super) fn thaw(windows: &[FreezeWindow], mut span: Span, random: u64) -> (Thaw, Moment) {
    let mut moment = span.moment;
    if windows.is_empty() {
        return (Thaw::NotFrozen, moment);
    }
    let windows = joined(windows);
    if let Some((_, end)) = frozen(&windows, span.now) {
        if span.now >= span.last_call {
            return (Thaw::GivesWay { ends_at: end }, moment);
        }
        let until = end.min(span.last_call);
        moment.earliest = moment.earliest.max(until);
        if moment.at < until {
            let most = (until.since(span.now) / 10).min(span.last_call.since(until));
            moment.at = until + part(most, random);
            moment.latest = moment.latest.max(moment.at);
            return (Thaw::Held { until }, moment);
        }
        // It is planned for later anyway; nothing is before the end of this one.
        span = Span { now: until, moment, ..span };
    }
    let (thaw, at) = moved(&windows, span, moment.at, random);
    let earliest = earliest(&windows, span).min(at);
    (thaw, Moment { at, earliest, latest: moment.latest.max(at) })
}

/// The earliest that it can be moved to, whatever the random number: before the window over the last moment, and before the one
/// over the last moment of that time, and so on.
fn earliest(windows: &[(Timestamp, Timestamp)], span: Span) -> Timestamp {
    let (mut latest, mut earliest) = (span.moment.latest, span.moment.earliest);
    for _ in 0..=windows.len() {
        let window = frozen(windows, latest).filter(|(start, _)| *start > span.now);
        let Some((first, last)) = window.and_then(|window| before(window, span)) else { break };
        earliest = earliest.min(first);
        latest = last;
    }
    earliest
}

/// Until when a window that has begun holds back whatever is renewed by itself: its end, or the last call.
pub(super) fn held(windows: &[FreezeWindow], now: Timestamp, last_call: Timestamp) -> Option<Timestamp> {
    let (_, end) = frozen(&joined(windows), now).filter(|_| now < last_call)?;
    Some(end.min(last_call))
}

fn frozen(windows: &[(Timestamp, Timestamp)], at: Timestamp) -> Option<(Timestamp, Timestamp)> {
    windows.iter().find(|(start, end)| *start <= at && at < *end).copied()
}

/// Out of windows that have not begun. Each round leaves one; a moment before one may lie in the one before that.
fn moved(windows: &[(Timestamp, Timestamp)], span: Span, mut at: Timestamp, random: u64) -> (Thaw, Timestamp) {
    let (mut thaw, mut latest) = (Thaw::NotFrozen, span.moment.latest);
    for _ in 0..=windows.len() {
        let Some((start, end)) = frozen(windows, at).filter(|(start, _)| *start > span.now) else { break };
        if end <= latest {
            at = end + part(latest.since(end), random);
            thaw = Thaw::After { ends_at: end };
        } else if let Some((first, last)) = before((start, end), span) {
            at = first + part(last.since(first), random);
            latest = last;
            thaw = Thaw::Before { starts_at: start };
        } else {
            let until = end.min(span.last_call).max(at);
            at = until + part((until.since(start) / 10).min(span.last_call.since(until)), random);
            thaw = Thaw::Through { until };
            break;
        }
    }
    (thaw, at)
}

/// The time before a window in which what falls into it is renewed: as long as the window, and over a tenth before it begins.
/// `None` where that would be too soon after the issuance.
fn before((start, end): (Timestamp, Timestamp), span: Span) -> Option<(Timestamp, Timestamp)> {
    if start <= span.from {
        return None;
    }
    let length = end.since(start);
    let last = start - length.min(start.since(span.from)) / 20 - std::time::Duration::from_micros(1);
    let last = last.max(span.now.min(start));
    let first = (start - length).max(span.from).max(span.now).min(last);
    Some((first, last))
}

/// The windows in order, those that touch or overlap as one.
fn joined(windows: &[FreezeWindow]) -> Vec<(Timestamp, Timestamp)> {
    let mut sorted: Vec<_> = windows.iter().map(|window| (window.starts_at, window.ends_at)).collect();
    sorted.sort_unstable();
    let mut joined: Vec<(Timestamp, Timestamp)> = Vec::with_capacity(sorted.len());
    for (start, end) in sorted {
        match joined.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    joined
}
