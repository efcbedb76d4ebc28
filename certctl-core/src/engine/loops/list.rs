//! Every loop. What is not here does not run.

use std::time::Duration;

use futures_util::future::{BoxFuture, ready};

use super::{Loop, Run};
use crate::domain::{
    AcmeChallenge, Certificate, DiscoverySchedule, HealthCheck, Job, Notification, RenewalAdvice, Replan,
    RevocationChange, RevocationNotice, Timestamp,
};
use crate::entity::{Entity, Row, Schema, Value};
use crate::error::Error;
use crate::storage::Leased;
use crate::{jobs, outbox, reconcile, revocation};

/// A loop finds no more than this at once of what nobody tells it.
const RARELY: Duration = Duration::from_secs(3600);
/// Nothing of what is looked for as often is urgent.
const MINUTE: Duration = Duration::from_secs(60);
/// How often each engine looks for audit rows that another one left unsealed.
const LEFT_BEHIND: Duration = Duration::from_secs(10);

/// In the order in which a step looks at them.
pub(crate) const LOOPS: &[Loop] = &[
    Loop {
        name: "renewal-check",
        does: "Begins the renewals that are due",
        run: Run::Leased,
        interval: |cadence| cadence.renewal_check,
        sweep: |engine| Box::pin(reconcile::renewals::sweep(engine)),
        next_due: |engine| Box::pin(reconcile::renewals::next_due(engine)),
        watches: Some((Certificate::SCHEMA.table, |schema, row| moment(schema, row, "renew_at"))),
        count: |progress| &mut progress.renewals_begun,
    },
    Loop {
        name: "renewal-replan",
        does: "Plans the renewals of certificates anew whose renewal policy changed",
        run: Run::Leased,
        interval: |cadence| cadence.renewal_check,
        sweep: |engine| Box::pin(reconcile::replans::sweep(engine)),
        next_due: |engine| Box::pin(reconcile::replans::next_due(engine)),
        watches: Some((Replan::SCHEMA.table, |schema, row| moment(schema, row, "due_at"))),
        count: |progress| &mut progress.replanned,
    },
    Loop {
        name: "renewal-advice",
        does: "Asks CAs when they want to see certificates renewed; each question is stored with when it is due",
        run: Run::Each,
        interval: |cadence| cadence.poll.max(MINUTE),
        sweep: |engine| Box::pin(reconcile::advice::sweep(engine)),
        next_due: |engine| Box::pin(reconcile::advice::next_due(engine)),
        watches: Some((RenewalAdvice::SCHEMA.table, |schema, row| moment(schema, row, "next_check"))),
        count: |progress| &mut progress.advice_asked,
    },
    Loop {
        name: "expiry-alerts",
        does: "Tells of certificates that near their end",
        run: Run::Leased,
        interval: |cadence| cadence.renewal_check,
        sweep: |engine| Box::pin(reconcile::alerts::sweep(engine)),
        next_due: |engine| Box::pin(reconcile::alerts::next_due(engine)),
        watches: Some((Certificate::SCHEMA.table, |schema, row| moment(schema, row, "alert_at"))),
        count: |progress| &mut progress.alerts_raised,
    },
    Loop {
        name: "short-lived-expiry",
        does: "Records the end of certificates of short-lived profiles: it is their revocation",
        run: Run::Leased,
        interval: |cadence| cadence.short_lived_expiry,
        sweep: |engine| Box::pin(reconcile::short_lived::sweep(engine)),
        next_due: |engine| Box::pin(reconcile::short_lived::next_due(engine)),
        watches: Some((Certificate::SCHEMA.table, |schema, row| moment(schema, row, "expires_at"))),
        count: |progress| &mut progress.short_lived_ended,
    },
    Loop {
        name: "crl-generation",
        does: "Makes revocation lists: after revocations, and before the lists end",
        run: Run::LeasedTask,
        interval: |cadence| cadence.crl_generation,
        sweep: |engine| Box::pin(reconcile::crls::sweep(engine)),
        next_due: |engine| Box::pin(reconcile::crls::next_due(engine)),
        watches: Some((RevocationChange::SCHEMA.table, |schema, row| moment(schema, row, "created_at"))),
        count: |progress| &mut progress.crls_made,
    },
    Loop {
        name: "job-timeout",
        does: "Ends jobs that waited too long for a request or an approval",
        run: Run::Leased,
        interval: |cadence| cadence.job_timeout,
        sweep: |engine| Box::pin(reconcile::waiting::sweep(engine)),
        next_due: |engine| Box::pin(reconcile::waiting::next_due(engine)),
        watches: Some((Job::SCHEMA.table, |schema, row| {
            let waits = text(schema, row, "state").is_some_and(|state| Job::WAITING.contains(&state));
            moment(schema, row, "due_at").filter(|_| waits)
        })),
        count: |progress| &mut progress.jobs_timed_out,
    },
    Loop {
        name: "agent-health",
        does: "Notes which agents went silent",
        run: Run::Leased,
        interval: |cadence| cadence.agent_health,
        sweep: |engine| Box::pin(reconcile::agent_health::sweep(engine)),
        next_due: |engine| Box::pin(reconcile::agent_health::next_due(engine)),
        watches: None,
        count: |progress| &mut progress.agents_silent,
    },
    Loop {
        name: "endpoint-health",
        does: "Probes the endpoints of health checks",
        run: Run::LeasedTask,
        interval: |cadence| cadence.health.as_ref().map_or(cadence.poll.max(RARELY), |health| health.look),
        sweep: |engine| Box::pin(reconcile::endpoint_health::sweep(engine)),
        next_due: |engine| Box::pin(reconcile::endpoint_health::next_due(engine)),
        watches: Some((HealthCheck::SCHEMA.table, |schema, row| moment(schema, row, "due_at"))),
        count: |progress| &mut progress.endpoints_probed,
    },
    Loop {
        name: "idempotent-calls",
        does: "Forgets the answers to named calls whose day is over",
        run: Run::Leased,
        interval: |cadence| cadence.poll.max(RARELY),
        sweep: |engine| Box::pin(reconcile::calls::sweep(engine)),
        next_due: |engine| Box::pin(reconcile::calls::next_due(engine)),
        watches: None,
        count: |progress| &mut progress.calls_forgotten,
    },
    Loop {
        name: ISSUING,
        does: "Takes up issuing jobs that are due, first runs and retries; each job is leased",
        run: Run::EachAlways,
        interval: |cadence| cadence.job_processor,
        sweep: |engine| Box::pin(jobs::claim_and_start(engine)),
        next_due: |engine| Box::pin(jobs::next_due(engine)),
        watches: Some((Job::SCHEMA.table, |schema, row| {
            // Agents ask for theirs.
            let agents = text(schema, row, "partition").is_some_and(|partition| partition.starts_with("agent:"));
            let open = text(schema, row, "state").is_some_and(|state| Job::OPEN.contains(&state));
            moment(schema, row, "due_at").filter(|_| open && !agents)
        })),
        count: |progress| &mut progress.jobs_started,
    },
    Loop {
        name: DELIVERING,
        does: "Delivers notifications that are due, first attempts and retries; each notification is leased",
        run: Run::EachAlways,
        interval: |cadence| cadence.notification_process,
        sweep: |engine| Box::pin(outbox::claim_and_start(engine)),
        next_due: |engine| Box::pin(outbox::next_due(engine)),
        watches: Some((Notification::SCHEMA.table, |schema, row| moment(schema, row, "due_at"))),
        count: |progress| &mut progress.deliveries_started,
    },
    Loop {
        name: REVOKING,
        does: "Tells issuers of revocations, first attempts and retries; each notice is leased",
        run: Run::Each,
        interval: |cadence| cadence.poll.max(MINUTE),
        sweep: |engine| Box::pin(revocation::tell::claim_and_start(engine)),
        next_due: |engine| Box::pin(revocation::tell::next_due(engine)),
        watches: Some((RevocationNotice::SCHEMA.table, |schema, row| moment(schema, row, "due_at"))),
        count: |progress| &mut progress.revocations_told,
    },
    Loop {
        name: VALIDATING,
        does: "Looks at the challenges that ACME clients have answered; each challenge is leased",
        run: Run::Each,
        interval: |cadence| cadence.poll.max(MINUTE),
        sweep: |engine| Box::pin(reconcile::acme_challenges::claim_and_start(engine)),
        next_due: |engine| Box::pin(reconcile::acme_challenges::next_due(engine)),
        watches: Some((AcmeChallenge::SCHEMA.table, |schema, row| moment(schema, row, "due_at"))),
        count: |progress| &mut progress.challenges_taken_up,
    },
    Loop {
        name: "acme-gc",
        does: "Ends ACME orders that have expired, and forgets those that are long over",
        run: Run::Leased,
        interval: |cadence| cadence.acme_gc,
        sweep: |engine| Box::pin(reconcile::acme_orders::sweep(engine)),
        next_due: |engine| Box::pin(reconcile::acme_orders::next_due(engine)),
        watches: None,
        count: |progress| &mut progress.orders_collected,
    },
    Loop {
        name: "notification-retry",
        does: "Ends notifications whose notifier is not configured any more",
        run: Run::Leased,
        interval: |cadence| cadence.notification_retry,
        sweep: |engine| Box::pin(outbox::strays::sweep(engine)),
        next_due: |engine| Box::pin(outbox::strays::next_due(engine)),
        watches: None,
        count: |progress| &mut progress.undeliverable,
    },
    Loop {
        name: SEARCHING,
        does: "Begins the searches of networks and clouds that are due; each of them is leased",
        run: Run::Each,
        interval: |cadence| cadence.poll.max(MINUTE),
        sweep: |engine| Box::pin(reconcile::searches::claim_and_start(engine)),
        next_due: |engine| Box::pin(reconcile::searches::next_due(engine)),
        watches: Some((DiscoverySchedule::SCHEMA.table, |schema, row| moment(schema, row, "due_at"))),
        count: |progress| &mut progress.searches_started,
    },
    Loop {
        name: "digest",
        does: "Records the messages of the digest",
        run: Run::Leased,
        interval: |cadence| cadence.poll.max(RARELY),
        sweep: |engine| Box::pin(reconcile::digests::sweep(engine)),
        next_due: |engine| Box::pin(reconcile::digests::next_due(engine)),
        watches: None,
        count: |progress| &mut progress.digests_recorded,
    },
    Loop {
        name: "agent-lookout",
        does: "Wakes agents whose requests this server holds and that have work",
        run: Run::Each,
        interval: |cadence| cadence.poll,
        sweep: |engine| Box::pin(engine.look_out()),
        next_due: |engine| known(engine.next_look()),
        watches: None,
        count: |progress| &mut progress.agents_woken,
    },
    Loop {
        name: "audit-reads",
        does: "Records who read what at this server",
        run: Run::Each,
        interval: |cadence| cadence.reads,
        sweep: |engine| Box::pin(reconcile::reads::sweep(engine)),
        next_due: |engine| known(reconcile::reads::next_due(engine)),
        watches: None,
        count: |progress| &mut progress.reads_recorded,
    },
    Loop {
        name: SEALING,
        does: "Seals the audit trail and signs how far it has come; the trail is locked meanwhile",
        run: Run::EachAlways,
        interval: |cadence| cadence.seal.max(LEFT_BEHIND),
        sweep: |engine| Box::pin(reconcile::sealing::sweep(engine)),
        next_due: |engine| known(reconcile::sealing::next_due(engine)),
        watches: None,
        count: |progress| &mut progress.audit_sealed,
    },
];

/// The loop that seals: the first event after its look asks for it.
pub(in crate::engine) const SEALING: &str = "audit-seal";
/// The loop that takes up issuing jobs, when one more may run.
pub(super) const ISSUING: &str = "job-processor";
/// The loop that begins searches, when one more may run.
pub(super) const SEARCHING: &str = "network-scan";
/// The loop that tells issuers of revocations, when one more may be told.
pub(super) const REVOKING: &str = "revocation-notice";
/// The loop that looks at ACME challenges, when one more may be looked at.
pub(super) const VALIDATING: &str = "acme-validation";
/// The loop that delivers notifications, when one more may run.
pub(super) const DELIVERING: &str = "notification-process";

fn known(due: Option<Duration>) -> BoxFuture<'static, Result<Option<Duration>, Error>> {
    Box::pin(ready(Ok(due)))
}

fn moment(schema: &Schema, row: &Row, column: &str) -> Option<Timestamp> {
    match row.values.get(schema.position(column)?) {
        Some(Value::Integer(at)) => Some(Timestamp(*at)),
        _ => None,
    }
}

fn text<'a>(schema: &Schema, row: &'a Row, column: &str) -> Option<&'a str> {
    row.values.get(schema.position(column)?)?.as_text()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::LoopId;

    #[test]
    fn every_loop_has_a_name_of_its_own_and_watches_columns_that_there_are() {
        let names: BTreeSet<&str> = LOOPS.iter().map(|one| one.name).collect();
        assert_eq!(names.len(), LOOPS.len());
        assert!(names.iter().all(|name| LoopId::parse(*name).is_ok()) && names.contains(SEALING));
        for one in LOOPS {
            let Some((table, due)) = one.watches else { continue };
            let schema = crate::domain::SCHEMAS.iter().find(|schema| schema.table == table).unwrap();
            let fill = |name: &str| match name {
                "state" => vec!["Pending", "AwaitingCSR", "pending"],
                _ => vec!["issuer:x"],
            };
            // In one of its states a row that is due at 7 gives it something to do at 7.
            let found = (0..3).any(|turn| {
                let values = schema.columns.iter().map(|column| {
                    if column.kind == crate::entity::Kind::Integer {
                        return Value::Integer(7);
                    }
                    let choices = fill(column.name);
                    Value::Text(choices[turn % choices.len()].into())
                });
                due(schema, &Row { values: values.collect(), version: 1 }) == Some(Timestamp(7))
            });
            assert!(found, "{}", one.name);
        }
    }
}
