//! Why a certificate is renewed when it is: the gates that a renewal passes, in their order, each with what it says now.
//!
//! The gates tell the verdict of the very decision that the loops take; nothing is decided here.

use super::breaker::{self, BreakerState};
use super::fallback::{self, Asking, Candidate};
use super::freeze::Thaw;
use super::renewal::{RenewalReason, RenewalVerdict};
use super::replan::{self, ReplanInput};
use crate::domain::{
    EnrolSource, IssuerHealth, IssuerRecord, Job, JobState, Lifecycle, RenewalAdvice, Rollout, RolloutState,
    ShapeState, TargetId, Timestamp, Version,
};
use crate::text_enum;

text_enum! {
    /// What a renewal has to pass.
    pub enum GateName {
        /// Whether the certificate is renewed at all.
        Lifecycle = "lifecycle",
        /// Whether it renews by itself.
        AutoRenew = "auto_renew",
        /// When the policy renews it at the latest.
        Deadline = "policy",
        /// What the CA suggests (RFC 9773).
        Advice = "ari",
        /// The pause after renewals that failed.
        Failures = "failures",
        /// Whether the issuer's quota is used up.
        Quota = "quota",
        /// The policy's freeze windows.
        Freeze = "freeze",
        /// Whether the issuer can be asked.
        Issuer = "issuer",
        /// Whether somebody has to approve.
        Approval = "approval",
        /// The jobs that are under way.
        Job = "job",
        /// Whether the newest version looks like the one before it.
        Shape = "shape",
        /// How far the deployment of the newest version in waves has come.
        Rollout = "rollout",
        /// Whether the newest version is known to the CA as the successor of the one before it.
        Lineage = "lineage",
    }
}

text_enum! {
    /// What a gate says.
    pub enum GateVerdict {
        /// It lets the renewal through.
        Open = "open",
        /// It opens by itself, at the moment that is told if one is known.
        Waiting = "waiting",
        /// It stays closed until somebody does something.
        Closed = "closed",
    }
}

/// One gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Which.
    pub name: GateName,
    /// What it says.
    pub verdict: GateVerdict,
    /// Why, for people.
    pub reason: String,
    /// The moment that it is about.
    pub at: Option<Timestamp>,
}

/// What the gates are told from.
#[derive(Clone, Copy, Debug)]
pub struct ExplainInput<'a> {
    /// What the loops decide by.
    pub plan: ReplanInput<'a>,
    /// Its open issuing jobs.
    pub jobs: &'a [Job],
    /// The issuers that may be asked, its own first, each with how it fares.
    pub issuers: &'a [(&'a IssuerRecord, Option<&'a IssuerHealth>)],
    /// Whether its profile has somebody approve.
    pub requires_approval: bool,
    /// Its newest version.
    pub version: Option<&'a Version>,
    /// Its newest rollout, if it has had one.
    pub rollout: Option<&'a Rollout>,
    /// Its open deployments.
    pub deployments: &'a [Job],
}

type Rule = fn(&ExplainInput<'_>, Option<&RenewalVerdict>) -> Option<Gate>;

/// The gates in the order in which they are passed.
const RULES: &[Rule] =
    &[lifecycle, auto_renew, deadline, advice, failures, quota, freeze, issuer, approval, job, shape, rollout, lineage];

/// The gates of a certificate that have something to say.
pub fn gates(input: &ExplainInput<'_>) -> Vec<Gate> {
    let verdict = replan::verdict(&input.plan);
    RULES.iter().filter_map(|rule| rule(input, verdict.as_ref())).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "every rule ends with it")]
fn gate(name: GateName, verdict: GateVerdict, reason: impl Into<String>, at: Option<Timestamp>) -> Option<Gate> {
    Some(Gate { name, verdict, reason: reason.into(), at })
}

fn lifecycle(input: &ExplainInput<'_>, _: Option<&RenewalVerdict>) -> Option<Gate> {
    let certificate = input.plan.certificate;
    let (verdict, reason, at) = match certificate.lifecycle {
        Lifecycle::Issued if certificate.expires_at <= input.plan.now => {
            (GateVerdict::Open, "it has expired, and is renewed all the same", Some(certificate.expires_at))
        }
        Lifecycle::Issued => (GateVerdict::Open, "it is issued", Some(certificate.expires_at)),
        Lifecycle::Failed => (GateVerdict::Open, "its first issuance failed and is tried again", None),
        Lifecycle::Pending => (GateVerdict::Waiting, "it is not issued yet", None),
        Lifecycle::Revoked => {
            (GateVerdict::Closed, "it is revoked, and revoked certificates are not renewed", certificate.revoked_at)
        }
        Lifecycle::Archived => (GateVerdict::Closed, "it is archived", None),
    };
    gate(GateName::Lifecycle, verdict, reason, at)
}

fn auto_renew(input: &ExplainInput<'_>, _: Option<&RenewalVerdict>) -> Option<Gate> {
    let (policy, certificate) = (input.plan.policy, input.plan.certificate);
    if EnrolSource::is_of(certificate) && certificate.agent_id.is_none() && input.rollout.is_none() {
        let reason = format!("it was enrolled by {}; the machine that holds its key renews it", certificate.source);
        return gate(GateName::AutoRenew, GateVerdict::Waiting, reason, None);
    }
    if policy.auto_renew {
        let reason = format!("policy `{}` renews by itself", policy.id);
        return gate(GateName::AutoRenew, GateVerdict::Open, reason, None);
    }
    let reason = format!("policy `{}` renews nothing by itself; renew it, or change auto_renew", policy.id);
    gate(GateName::AutoRenew, GateVerdict::Closed, reason, None)
}

fn deadline(input: &ExplainInput<'_>, verdict: Option<&RenewalVerdict>) -> Option<Gate> {
    let (at, reason) = verdict?.stages.deadline;
    let days = input.plan.policy.renewal_window_days;
    let reason = match reason {
        RenewalReason::Window => {
            format!("the policy renews {days} days before the end, or up to a tenth of that earlier")
        }
        RenewalReason::WindowCut => {
            format!("the policy's {days} days are more than half of the lifetime, so it is renewed at half of it")
        }
        RenewalReason::Half => "lifetimes below ten days are renewed at half, or up to a twentieth earlier".to_owned(),
        _ => "it is renewed when a third of the lifetime is left, or up to a thirtieth earlier".to_owned(),
    };
    let verdict = if at <= input.plan.now { GateVerdict::Open } else { GateVerdict::Waiting };
    gate(GateName::Deadline, verdict, reason, Some(at))
}

fn advice(input: &ExplainInput<'_>, verdict: Option<&RenewalVerdict>) -> Option<Gate> {
    let stages = verdict?.stages;
    let newest = input.plan.advice.iter().max_by_key(|advice| advice.issued_at)?;
    let trouble = newest.last_error.as_ref().map(|error| format!("; the last question failed: {error}"));
    let trouble = trouble.unwrap_or_default();
    let Some(at) = stages.advised else {
        let reason = format!("the CA has suggested nothing yet{trouble}; the policy decides");
        return gate(GateName::Advice, GateVerdict::Open, reason, Some(newest.next_check));
    };
    let window = match (newest.window_start, newest.window_end) {
        (Some(start), Some(end)) => format!("the CA suggests {start} to {end}"),
        _ => "the CA suggests a window for another key holder".to_owned(),
    };
    let reason = if at > stages.deadline.0 {
        format!("{window}, which is later than the policy's moment and so does not count{trouble}")
    } else {
        format!("{window}; {at} was drawn{}{trouble}", why(newest))
    };
    let verdict = if at <= input.plan.now { GateVerdict::Open } else { GateVerdict::Waiting };
    gate(GateName::Advice, verdict, reason, Some(at))
}

fn why(advice: &RenewalAdvice) -> String {
    advice.explanation_url.as_ref().map(|url| format!(" (see {url})")).unwrap_or_default()
}

fn failures(input: &ExplainInput<'_>, _: Option<&RenewalVerdict>) -> Option<Gate> {
    let certificate = input.plan.certificate;
    if certificate.failed_renewals == 0 {
        return None;
    }
    let reason = format!("{} renewals in a row used up their attempts; the pause grows", certificate.failed_renewals);
    let waits = certificate.renew_at > input.plan.now;
    let verdict = if waits { GateVerdict::Waiting } else { GateVerdict::Open };
    gate(GateName::Failures, verdict, reason, certificate.renew_at.known())
}

fn quota(input: &ExplainInput<'_>, _: Option<&RenewalVerdict>) -> Option<Gate> {
    let until = input.plan.limited_until.filter(|until| *until > input.plan.now)?;
    let reason = "the issuer says that its quota is used up; nothing is ordered before it said";
    gate(GateName::Quota, GateVerdict::Waiting, reason, Some(until))
}

fn freeze(input: &ExplainInput<'_>, verdict: Option<&RenewalVerdict>) -> Option<Gate> {
    let thaw = verdict?.stages.thaw;
    let because = |at: Timestamp| {
        let named =
            input.plan.policy.freeze_windows.iter().filter(|window| window.starts_at <= at && at <= window.ends_at);
        let reasons: Vec<&str> =
            named.map(|window| window.reason.as_str()).filter(|reason| !reason.is_empty()).collect();
        if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) }
    };
    let (verdict, reason, at) = match thaw {
        Thaw::NotFrozen if input.plan.policy.freeze_windows.is_empty() => return None,
        Thaw::NotFrozen => (GateVerdict::Open, "no freeze window lies over it".to_owned(), None),
        Thaw::After { ends_at } => {
            (GateVerdict::Waiting, format!("moved behind a freeze window{}", because(ends_at)), Some(ends_at))
        }
        Thaw::Before { starts_at } => {
            (GateVerdict::Open, format!("moved before a freeze window{}", because(starts_at)), Some(starts_at))
        }
        Thaw::Through { until } => {
            let reason = "a freeze window lies over it, and it was issued too lately to be renewed before that";
            (GateVerdict::Waiting, reason.to_owned(), Some(until))
        }
        Thaw::Held { until } => {
            (GateVerdict::Waiting, format!("a freeze window holds it back{}", because(input.plan.now)), Some(until))
        }
        Thaw::GivesWay { ends_at } => {
            let reason = format!("a freeze window{} gives way, for the end is near", because(input.plan.now));
            (GateVerdict::Open, reason, Some(ends_at))
        }
    };
    gate(GateName::Freeze, verdict, reason, at)
}

/// Tells of the issuer that would be asked now, and why it is not the one before it.
fn issuer(input: &ExplainInput<'_>, _: Option<&RenewalVerdict>) -> Option<Gate> {
    let (own, now) = (&input.plan.certificate.issuer_id, input.plan.now);
    let asking = Asking { begun: None, retried: input.jobs.first().is_some_and(|job| job.attempts > 0) };
    let candidates: Vec<Candidate<'_>> = input
        .issuers
        .iter()
        .map(|(issuer, health)| Candidate { id: &issuer.id, usable: issuer.enabled, health: *health })
        .collect();
    let Some(asked) = candidates.get(fallback::choose(&candidates, asking, now)) else {
        return gate(GateName::Issuer, GateVerdict::Closed, format!("there is no issuer `{own}`"), None);
    };
    let others = candidates.iter().filter(|candidate| candidate.id != asked.id);
    let troubles: Vec<String> = others.filter_map(|candidate| trouble(candidate, now)).collect();
    let beside = if troubles.is_empty() { String::new() } else { format!("; {}", troubles.join("; ")) };
    if !asked.usable {
        let reason = format!("issuer `{}` is disabled; enable it or choose another{beside}", asked.id);
        return gate(GateName::Issuer, GateVerdict::Closed, reason, None);
    }
    let until = asked.health.and_then(|health| health.open_until);
    let verdict = match breaker::state(asked.health, now) {
        BreakerState::Open => GateVerdict::Waiting,
        BreakerState::Closed | BreakerState::HalfOpen => GateVerdict::Open,
    };
    let how = trouble(asked, now).unwrap_or_else(|| format!("issuer `{}` is asked", asked.id));
    gate(GateName::Issuer, verdict, format!("{how}{beside}"), until)
}

fn trouble(candidate: &Candidate<'_>, now: Timestamp) -> Option<String> {
    let id = candidate.id;
    if !candidate.usable {
        return Some(format!("issuer `{id}` is disabled"));
    }
    if let Some(until) = breaker::limited_until(candidate.health, now) {
        return Some(format!("issuer `{id}` has no quota left until {until}"));
    }
    let last = candidate.health.and_then(|health| health.last_error.as_deref()).unwrap_or("no reason is known");
    match breaker::state(candidate.health, now) {
        BreakerState::Closed => None,
        BreakerState::HalfOpen => Some(format!("issuer `{id}` failed often, and is tried again: {last}")),
        BreakerState::Open => {
            Some(format!("issuer `{id}` failed often, and is asked only where there is no other: {last}"))
        }
    }
}

fn approval(input: &ExplainInput<'_>, _: Option<&RenewalVerdict>) -> Option<Gate> {
    if !input.requires_approval {
        return None;
    }
    let waits = input.jobs.iter().find(|job| job.state == JobState::AwaitingApproval);
    match waits {
        Some(job) => {
            let reason = format!("job {} waits for somebody to approve or reject it", job.id);
            gate(GateName::Approval, GateVerdict::Closed, reason, Some(job.due_at))
        }
        None => gate(GateName::Approval, GateVerdict::Open, "the profile has each issuance approved", None),
    }
}

fn job(input: &ExplainInput<'_>, _: Option<&RenewalVerdict>) -> Option<Gate> {
    let Some(job) = input.jobs.first() else {
        let at = input.plan.certificate.renew_at.known();
        let due = at.is_some_and(|at| at <= input.plan.now);
        let reason = if due { "a job is about to be opened" } else { "no job is open" };
        return gate(GateName::Job, GateVerdict::Open, reason, at);
    };
    let waits_for = match job.state {
        JobState::AwaitingApproval => "waits for an approval",
        JobState::AwaitingCsr if job.agent_id.is_some() => "waits for its agent's signing request",
        JobState::AwaitingCsr => "waits for somebody to send a signing request",
        JobState::Failed => "failed and is tried again",
        JobState::Running => "is under way",
        _ => "waits for its turn",
    };
    let error = job.last_error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
    let reason = format!("job {} {waits_for}: attempt {} of {}{error}", job.id, job.attempts + 1, job.max_attempts);
    gate(GateName::Job, GateVerdict::Waiting, reason, job.due_at.known())
}

fn shape(input: &ExplainInput<'_>, _: Option<&RenewalVerdict>) -> Option<Gate> {
    let version = input.version?;
    let findings: Vec<&str> = version.shape_findings.iter().map(|finding| finding.detail.as_str()).collect();
    let findings = findings.join("; ");
    let (verdict, reason) = match version.shape {
        ShapeState::Fits => return None,
        ShapeState::Noted => (GateVerdict::Open, format!("the newest version looks different: {findings}")),
        ShapeState::Accepted => (GateVerdict::Open, format!("somebody accepted that it looks different: {findings}")),
        ShapeState::Held => {
            (GateVerdict::Closed, format!("the newest version is not deployed until somebody accepts it: {findings}"))
        }
    };
    gate(GateName::Shape, verdict, reason, Some(version.created_at))
}

fn rollout(input: &ExplainInput<'_>, _: Option<&RenewalVerdict>) -> Option<Gate> {
    let rollout = input.rollout?;
    let (waiting, under_way): (Vec<&Job>, Vec<&Job>) = input.deployments.iter().partition(|job| job.is_held());
    let progress = format!(
        "{} targets wait for their turn, {} are under way{}",
        waiting.len(),
        under_way.len(),
        named(&under_way)
    );
    let because = rollout.reason.as_deref().unwrap_or("no reason is known");
    let halted = |what: &str| {
        let reason = format!("{what}: {because}; deploy it to go on once the cause is mended, or renew it");
        gate(GateName::Rollout, GateVerdict::Closed, reason, Some(rollout.changed_at))
    };
    match rollout.state {
        RolloutState::Finished => None,
        RolloutState::Rolling => {
            let next = under_way.iter().map(|job| job.due_at).min().filter(|at| *at > input.plan.now);
            gate(GateName::Rollout, GateVerdict::Waiting, format!("deployed in waves: {progress}"), next)
        }
        RolloutState::RollingBack => {
            let reason = format!("the rollout was halted and is taken back: {because}; {progress}");
            gate(GateName::Rollout, GateVerdict::Waiting, reason, Some(rollout.changed_at))
        }
        RolloutState::Halted => halted("the rollout was halted"),
        RolloutState::RolledBack => halted("the rollout was halted and taken back"),
    }
}

/// The targets of some jobs, in brackets.
fn named(jobs: &[&Job]) -> String {
    let targets: Vec<&str> =
        jobs.iter().filter_map(|job| job.target_id.as_ref()).map(TargetId::as_str).take(10).collect();
    if targets.is_empty() { String::new() } else { format!(" ({})", targets.join(", ")) }
}

fn lineage(input: &ExplainInput<'_>, _: Option<&RenewalVerdict>) -> Option<Gate> {
    let why = input.version?.lineage_break.as_ref()?;
    let reason = format!("the CA does not know the newest version as a replacement: {why}");
    gate(GateName::Lineage, GateVerdict::Open, reason, None)
}
