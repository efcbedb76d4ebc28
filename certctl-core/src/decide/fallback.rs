//! Which of several issuers is asked.
//!
//! The certificate's own issuer comes first, then those that its renewal policy names, in their order. One whose breaker is open or
//! whose quota is used up is passed over as long as another can be asked; where none is left, the first that can be asked at all is,
//! for a renewal that fails says more than one that is never tried.

use super::breaker::{self, BreakerState};
use crate::domain::{IssuerHealth, IssuerId, Timestamp};

/// An issuer that may be asked.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Which.
    pub id: &'a IssuerId,
    /// Whether it is there, enabled, and certifies what is ordered.
    pub usable: bool,
    /// How it fares; `None` for one that never failed.
    pub health: Option<&'a IssuerHealth>,
}

impl Candidate<'_> {
    /// Whether its breaker lets this order through at `now`.
    fn lets_through(&self, order: Asking<'_>, now: Timestamp) -> bool {
        match breaker::state(self.health, now) {
            BreakerState::Closed => true,
            BreakerState::HalfOpen => !order.retried,
            BreakerState::Open => false,
        }
    }

    /// Whether it is well enough at `now` for this order.
    fn is_well(&self, order: Asking<'_>, now: Timestamp) -> bool {
        self.usable && self.lets_through(order, now) && breaker::limited_until(self.health, now).is_none()
    }
}

/// How far an order got.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asking<'a> {
    /// Who has begun to work on it.
    pub begun: Option<&'a IssuerId>,
    /// Whether it failed before. Such an order is no trial of an issuer whose breaker's time is over: the pauses between its attempts
    /// are longer than that time, so that it would never be asked for elsewhere.
    pub retried: bool,
}

/// The place of the issuer to ask; the first when none can be asked, so that its refusal is told.
///
/// Who has begun to work on the order goes on, unless its breaker opened since.
pub fn choose(candidates: &[Candidate<'_>], order: Asking<'_>, now: Timestamp) -> usize {
    let goes_on = |candidate: &Candidate<'_>| {
        order.begun == Some(candidate.id) && candidate.usable && candidate.lets_through(order, now)
    };
    candidates
        .iter()
        .position(goes_on)
        .or_else(|| candidates.iter().position(|candidate| candidate.is_well(order, now)))
        .or_else(|| candidates.iter().position(|candidate| candidate.usable))
        .unwrap_or(0)
}

/// Until when all of them say that their quota is used up; `None` when one of them can be asked.
pub fn limited_until(candidates: &[Candidate<'_>], now: Timestamp) -> Option<Timestamp> {
    let usable = || candidates.iter().filter(|candidate| candidate.usable);
    let limits: Option<Vec<Timestamp>> =
        usable().map(|candidate| breaker::limited_until(candidate.health, now)).collect();
    limits?.into_iter().min()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_that_is_well_is_asked_and_who_has_begun_goes_on() {
        let now = Timestamp::from_unix_seconds(1_000_000_000);
        let later = now + Duration::from_secs(60);
        let (a, b): (IssuerId, IssuerId) = ("iss-a".parse().unwrap(), "iss-b".parse().unwrap());
        let open = IssuerHealth { open_until: Some(later), ..breaker::unknown(&a) };
        let limited = IssuerHealth { limited_until: Some(later), ..breaker::unknown(&a) };
        let of = |usable, health| Candidate { id: &a, usable, health };
        let other = |usable, health| Candidate { id: &b, usable, health };
        for (candidates, begun, chosen) in [
            ([of(true, None), other(true, None)], None, 0),
            ([of(true, Some(&open)), other(true, None)], None, 1),
            ([of(true, Some(&limited)), other(true, None)], None, 1),
            ([of(false, None), other(true, None)], None, 1),
            // Nobody is well: the first that can be asked is.
            ([of(true, Some(&open)), other(true, Some(&open))], None, 0),
            ([of(false, None), other(true, Some(&open))], None, 1),
            ([of(false, None), other(false, None)], None, 0),
            // Who has begun goes on, but not into an open breaker.
            ([of(true, None), other(true, None)], Some(&b), 1),
            ([of(true, None), other(true, Some(&limited))], Some(&b), 1),
            ([of(true, None), other(true, Some(&open))], Some(&b), 0),
        ] {
            let order = Asking { begun, retried: false };
            assert_eq!(choose(&candidates, order, now), chosen, "{candidates:?}");
        }
        // The breaker's time is over: the first is tried again, but not by an order that failed.
        let half_open = [of(true, Some(&open)), other(true, None)];
        assert_eq!(choose(&half_open, Asking::default(), later), 0);
        assert_eq!(choose(&half_open, Asking { begun: None, retried: true }, later), 1);
        assert_eq!(choose(&half_open, Asking { begun: Some(&a), retried: true }, later), 1);
        assert_eq!(limited_until(&[of(true, Some(&limited)), other(true, None)], now), None);
        assert_eq!(limited_until(&[of(true, Some(&limited)), other(false, None)], now), Some(later));
        assert_eq!(limited_until(&[of(true, Some(&limited))], later), None);
    }
}
