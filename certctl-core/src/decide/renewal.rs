//! When a certificate is due for renewal.
//!
//! A chain of stages, each of which moves the moment or leaves it: the policy gives the last moment (its hard deadline), advice of
//! the CA may only make it earlier, a used-up quota and freeze windows may hold it back, within limits. The verdict keeps what
//! every stage did, so that what people are told is what the loops do.

use std::time::Duration;

use super::freeze::{self, Thaw};
use crate::domain::{FreezeWindow, RenewalPolicy, Timestamp};

/// What decides about the next renewal of an issued certificate.
#[derive(Clone, Copy, Debug)]
pub struct RenewalInput<'a> {
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
    /// When it was issued, by the store's clock: CAs date the beginning back.
    pub issued_at: Timestamp,
    /// The policy's window; zero for a fraction of the lifetime.
    pub window: Duration,
    /// Whether the certificate renews by itself.
    pub auto_renew: bool,
    /// The first alert threshold of the policy, for certificates that do not renew by themselves.
    pub first_alert: Duration,
    /// The policy's times in which nothing is renewed by itself.
    pub freezes: &'a [FreezeWindow],
    /// What the CA suggests for this very certificate; of several key holders the earliest.
    pub advice: Option<Advised>,
    /// Until when the issuer's quota is used up.
    pub limited_until: Option<Timestamp>,
    /// The moment of the decision.
    pub now: Timestamp,
    /// Spreads certificates that were issued together.
    pub random: u64,
}

/// A window that a CA suggests, and the moment that was drawn in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advised {
    /// The first moment of the window: from then on the certificate is due.
    pub start: Timestamp,
    /// The moment that was drawn.
    pub selected: Timestamp,
}

impl<'a> RenewalInput<'a> {
    /// What a policy says about a certificate that is valid from `not_before` to `not_after`, without advice and quota.
    pub fn of(policy: &'a RenewalPolicy, (not_before, not_after): (Timestamp, Timestamp), random: u64) -> Self {
        let first_alert = policy.alert_thresholds_days.iter().copied().max().unwrap_or(0);
        Self {
            not_before,
            not_after,
            issued_at: not_before,
            window: days(policy.renewal_window_days),
            auto_renew: policy.auto_renew,
            first_alert: days(first_alert),
            freezes: &policy.freeze_windows,
            advice: None,
            limited_until: None,
            now: not_before,
            random,
        }
    }
}

fn days(days: i64) -> Duration {
    Duration::from_secs(u64::try_from(days).unwrap_or(0).saturating_mul(86_400))
}

/// Why renewal is due when it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewalReason {
    /// The policy says not to.
    AutoRenewOff,
    /// The policy's window.
    Window,
    /// The policy's window is longer than half of the lifetime, which is used instead.
    WindowCut,
    /// One third of the lifetime is left.
    Third,
    /// Half of a lifetime below ten days is left.
    Half,
    /// The CA suggested an earlier moment.
    Advised,
    /// The issuer's quota is used up.
    Limited,
    /// A freeze window of the policy moved it.
    Frozen,
}

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenewalVerdict {
    /// When the engine renews; `None` when it does not.
    pub renew_at: Option<Timestamp>,
    /// The earliest moment that `renew_at` could have been for another random number; `None` when the engine does not renew.
    pub earliest: Option<Timestamp>,
    /// From when the certificate counts as expiring: the renewal due moment, or the first alert where nothing renews it.
    pub expiring_at: Timestamp,
    /// The last stage that moved the moment.
    pub reason: RenewalReason,
    /// What each stage did.
    pub stages: Stages,
}

/// What the stages did, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stages {
    /// The policy's last moment, before it is spread, and why it is that.
    pub deadline: (Timestamp, RenewalReason),
    /// The moment of the CA's advice, where there is advice; it counts where it is before the policy's.
    pub advised: Option<Timestamp>,
    /// Until when the issuer's quota holds the renewal back.
    pub limited_until: Option<Timestamp>,
    /// What the freeze windows did.
    pub thaw: Thaw,
    /// Until when a freeze window that has begun holds back what is tried again, whenever it was planned.
    pub frozen_until: Option<Timestamp>,
    /// From this moment on no freeze window holds the renewal back: half of the policy's time before the end is left.
    pub last_call: Timestamp,
}

impl RenewalVerdict {
    /// Until when renewal is held back although it is due; `None` when nothing holds it back.
    pub fn held_until(&self) -> Option<Timestamp> {
        self.stages.limited_until.max(self.stages.thaw.held_until())
    }

    /// Whether renewal is due at `now`, the moment of the decision, if any random number would have it so.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.earliest.is_some_and(|earliest| earliest <= now)
    }
}

const SHORT: Duration = Duration::from_secs(10 * 86_400);
/// Advice never renews a certificate again sooner than this after it was issued: a CA whose window lies in the past for each
/// new certificate would have it renewed without end.
const LONGEST_REST: Duration = Duration::from_secs(86_400);

/// When the certificate is due for renewal.
pub fn decide(input: &RenewalInput<'_>) -> RenewalVerdict {
    let (left, reason) = policy(input);
    let deadline = (input.not_after - left).max(input.not_before);
    let last_call = input.not_after - left / 2;
    let stages = Stages {
        deadline: (deadline, reason),
        advised: None,
        limited_until: None,
        thaw: Thaw::NotFrozen,
        frozen_until: freeze::held(input.freezes, input.now, last_call),
        last_call,
    };
    if !input.auto_renew {
        let expiring_at = (input.not_after - input.first_alert).max(input.not_before);
        let reason = RenewalReason::AutoRenewOff;
        return RenewalVerdict { renew_at: None, earliest: None, expiring_at, reason, stages };
    }
    let mut moment = spread(input, left);
    let mut stages = stages;
    let mut reason = reason;
    if let Some((advised, at)) = advised(input, &mut moment) {
        stages.advised = Some(at);
        reason = if advised { RenewalReason::Advised } else { reason };
    }
    if let Some(until) = input.limited_until.filter(|until| *until > input.now) {
        stages.limited_until = Some(until);
        if moment.at < until {
            // Not all of them at the very moment that the issuer named.
            moment.at = until + part(until.since(input.now) / 10, input.random);
            reason = RenewalReason::Limited;
        }
        (moment.earliest, moment.latest) = (moment.earliest.max(until), moment.latest.max(until));
    }
    let from = (input.issued_at + deadline.since(input.issued_at) / 2).max(input.not_before);
    let span = freeze::Span { moment, from, now: input.now, last_call: stages.last_call };
    let (thaw, moment) = freeze::thaw(input.freezes, span, input.random);
    stages.thaw = thaw;
    if thaw != Thaw::NotFrozen {
        reason = RenewalReason::Frozen;
    }
    RenewalVerdict {
        renew_at: Some(moment.at),
        earliest: Some(moment.earliest),
        expiring_at: moment.at,
        reason,
        stages,
    }
}

/// A moment with the range that it was drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) earliest: Timestamp,
    pub(super) latest: Timestamp,
}

/// How long before the end the policy renews (requirements B4), and why.
fn policy(input: &RenewalInput<'_>) -> (Duration, RenewalReason) {
    let lifetime = input.not_after.since(input.not_before);
    let half = lifetime / 2;
    if !input.window.is_zero() {
        return if input.window > half {
            (half, RenewalReason::WindowCut)
        } else {
            (input.window, RenewalReason::Window)
        };
    }
    if lifetime < SHORT { (half, RenewalReason::Half) } else { (lifetime / 3, RenewalReason::Third) }
}

/// `left` before the end, and up to a tenth of that earlier: never later, so that a deadline is never jittered away.
fn spread(input: &RenewalInput<'_>, left: Duration) -> Moment {
    let earlier = |by: Duration| (input.not_after - left - by).max(input.not_before);
    let tenth = left / 10;
    Moment { at: earlier(part(tenth, input.random)), earliest: earlier(tenth), latest: earlier(Duration::ZERO) }
}

/// Advice makes it earlier or leaves it. Gives whether it did, and the moment that is advised.
fn advised(input: &RenewalInput<'_>, moment: &mut Moment) -> Option<(bool, Timestamp)> {
    let advice = input.advice?;
    let rest = (input.not_after.since(input.not_before) / 10).min(LONGEST_REST);
    let not_before = (input.issued_at + rest).max(input.not_before);
    let (at, start) = (advice.selected.max(not_before), advice.start.max(not_before));
    let earlier = at < moment.at;
    moment.at = moment.at.min(at);
    moment.earliest = moment.earliest.min(start);
    moment.latest = moment.latest.min(at);
    Some((earlier, at))
}

/// A part of a time, drawn by a random number: from nothing to all of it.
pub(super) fn part(of: Duration, random: u64) -> Duration {
    let micros = u64::try_from(of.as_micros()).unwrap_or(u64::MAX - 1);
    Duration::from_micros(random % micros.saturating_add(1))
}

#[cfg(test)]
mod tests;
