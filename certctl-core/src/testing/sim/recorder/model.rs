//! What must be true, kept apart from how the store does it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::Setting;
use super::log::{self, EventLog};
use crate::domain::{
    ActorType, Agent, ApiKey, AuditEvent, AuthorityRecord, Certificate, ChallengeRecord, ConnectorStateRecord, Crl,
    EngineKey, IssuerHealth, Job, JobState, LoopState, Notification, RenewalAdvice, RenewalPolicy, Replan, Revocation,
    RevocationEpoch, RevocationNotice, RevocationReason, Serial, Setting as StoredSetting, Timestamp, Version,
};
use crate::entity::{Entity, Row, Schema};
use crate::ports::{Clock, Monotonic};
use crate::storage::{AUDIT_TABLE, ApplyError, Changes, Claim, Claimed, Fence, LeaseError, QueueSchema};
use crate::testing::ManualClock;
use crate::testing::sim::config::LONGEST_HOLD;
use crate::testing::sim::executor::Node;
use crate::testing::sim::operator::UNATTENDED;
use crate::testing::sim::sabotage::set;
use crate::testing::sim::world::{Verdict, World};

/// How much happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Counts {
    pub(in super::super) versions: u64,
    pub(in super::super) deployments: u64,
    pub(in super::super) notices: u64,
    pub(in super::super) failed_attempts: u64,
    pub(in super::super) exhausted_jobs: u64,
}

pub(in super::super) struct Model {
    pub(in super::super) log: EventLog,
    pub(in super::super) counts: Counts,
    /// Versions by the day on which they were issued.
    pub(in super::super) issued_on: Vec<u64>,
    pub(super) verdict: Verdict,
    pub(super) world: Arc<World>,
    pub(super) clock: ManualClock,
    pub(super) promptness: Option<Duration>,
    /// Every row that was acknowledged, by table and id.
    rows: BTreeMap<&'static str, BTreeMap<String, Row>>,
    appended: BTreeMap<&'static str, u64>,
    /// The latest that the store's clock said.
    time: Timestamp,
    /// Open issuing jobs by certificate.
    pub(super) open: BTreeMap<String, BTreeSet<String>>,
    pub(super) serials: BTreeSet<(String, Serial)>,
    /// Since when a job is held by one claim.
    pub(super) holds: BTreeMap<String, Monotonic>,
    /// Certificates in use by their end.
    pub(super) ends: BTreeSet<(Timestamp, String)>,
    /// Alerts that were raised, by what makes each one and the same.
    pub(super) alerted: BTreeSet<String>,
    /// When each key holder of a certificate last got a version.
    pub(super) renewed: BTreeMap<(String, String), Timestamp>,
    /// When an issuing job of a certificate last ended without one.
    pub(super) failed: BTreeMap<String, Timestamp>,
    /// Why versions are revoked, by certificate and version.
    pub(super) revoked: BTreeMap<String, BTreeMap<String, RevocationReason>>,
    /// When that was last decided of each version.
    pub(super) decided: BTreeMap<String, Monotonic>,
    /// How often each kind of thing was done, by the name of its audit event.
    pub(in super::super) actions: BTreeMap<&'static str, u64>,
}

/// One set of changes, while its rules are checked.
pub(super) struct Set {
    /// Who acted, as the audit trail says.
    pub(super) actors: BTreeSet<ActorType>,
    pub(super) is_audited: bool,
    /// Certificates that must be looked at once all rows are in place.
    pub(super) touched: BTreeSet<String>,
}

impl Model {
    pub(super) fn new(setting: Setting) -> Self {
        Self {
            log: EventLog::new(setting.keep_log),
            counts: Counts::default(),
            issued_on: Vec::new(),
            verdict: setting.verdict,
            world: setting.world,
            clock: setting.clock,
            promptness: setting.promptness,
            rows: BTreeMap::new(),
            appended: BTreeMap::new(),
            time: Timestamp(i64::MIN),
            open: BTreeMap::new(),
            serials: BTreeSet::new(),
            holds: BTreeMap::new(),
            ends: BTreeSet::new(),
            alerted: BTreeSet::new(),
            renewed: BTreeMap::new(),
            failed: BTreeMap::new(),
            revoked: BTreeMap::new(),
            decided: BTreeMap::new(),
            actions: BTreeMap::new(),
        }
    }

    pub(super) fn broken(&self, what: impl Into<String>) {
        self.verdict.broken(what);
    }

    /// The entity as it was last acknowledged.
    pub(super) fn get<E: Entity>(&self, id: &str) -> Option<E> {
        self.row(E::SCHEMA, id).and_then(entity)
    }

    /// All entities of a table.
    pub(super) fn all<E: Entity>(&self) -> impl Iterator<Item = E> {
        self.rows.get(E::SCHEMA.table).into_iter().flat_map(BTreeMap::values).filter_map(entity)
    }

    fn row(&self, schema: &Schema, id: &str) -> Option<&Row> {
        self.rows.get(schema.table)?.get(id)
    }

    /// The store's clock must not go back, and must be right: it is the one that counts.
    pub(super) fn saw_time(&mut self, now: Timestamp) {
        if now < self.time {
            self.broken(format!("the store's clock went back from {} to {now}", self.time));
        }
        self.time = self.time.max(now);
    }

    /// A promise that every moment makes: nothing in use expires, and of what nobody renews people were told before.
    pub(in super::super) fn check_ends(&mut self) {
        while let Some((end, id)) = self.ends.first().filter(|(end, _)| *end <= self.clock.now()).cloned() {
            self.ends.remove(&(end, id.clone()));
            let Some(certificate) = self.get::<Certificate>(&id) else { continue };
            if self.renews(&certificate) && !is_unattended(&certificate) {
                self.broken(format!("certificate {id} expired in use at {end}"));
                return;
            }
            let version = certificate.newest_version_id.map(|version| version.to_string()).unwrap_or_default();
            if !self.alerted.iter().any(|key| key.contains(&version)) {
                self.broken(format!("certificate {id} expired at {end}, and nobody was told before"));
            }
        }
    }

    pub(super) fn applied(&mut self, node: Node, changes: &Changes) {
        let audit = changes.tables().filter(|table| table.schema.table == AUDIT_TABLE).flat_map(|table| &table.inserts);
        let events: Vec<AuditEvent> = audit.filter_map(entity).collect();
        let mut line = format!("{} n{} apply", self.clock.monotonic().0, node.0);
        for event in &events {
            line.push_str(&format!(" {}:{}/{}", event.actor_type, event.action, event.resource_id));
        }
        for event in &events {
            *self.actions.entry(event.action.name()).or_default() += 1;
        }
        let mut set = Set {
            actors: events.iter().map(|event| event.actor_type).collect(),
            is_audited: !events.is_empty(),
            touched: BTreeSet::new(),
        };
        for table in changes.tables() {
            for (id, expected) in table.expected() {
                let known = self.row(table.schema, id).map_or(0, |row| row.version);
                if known != expected {
                    let name = table.schema.table;
                    self.broken(format!("lost update: {name} {id} was decided on version {expected}, it is {known}"));
                }
            }
            for row in &table.inserts {
                line.push_str(&log::row(table.schema, None, row));
                self.inserted(table.schema, row, &mut set);
            }
            for update in &table.updates {
                let row = Row { version: update.version + 1, ..update.row.clone() };
                line.push_str(&log::row(table.schema, self.row(table.schema, row.id()), &row));
                self.updated(table.schema, row, &mut set);
            }
            for pin in &table.deletes {
                line.push_str(&format!(" delete {} {}", table.schema.table, pin.id));
                if [Version::SCHEMA.table, AuditEvent::SCHEMA.table, Job::SCHEMA.table].contains(&table.schema.table) {
                    self.broken(format!("{} {} was deleted; such rows never disappear", table.schema.table, pin.id));
                }
                let row = self.rows.entry(table.schema.table).or_default().remove(&pin.id);
                if table.schema.table == Revocation::SCHEMA.table
                    && let Some(row) = row.as_ref().and_then(entity)
                {
                    self.released(&row, &mut set);
                }
            }
        }
        self.log.line(line);
        for certificate in set.touched {
            self.consistent(&certificate);
        }
    }

    fn inserted(&mut self, schema: &'static Schema, row: &Row, set: &mut Set) {
        if !schema.mutable {
            *self.appended.entry(schema.table).or_default() += 1;
            return;
        }
        self.audited(schema, None, row, set);
        if self.rows.entry(schema.table).or_default().insert(row.id().to_owned(), row.clone()).is_some() {
            self.broken(format!("{} {} was inserted twice", schema.table, row.id()));
        }
        self.check(schema, None, row, set);
    }

    fn updated(&mut self, schema: &'static Schema, row: Row, set: &mut Set) {
        let before = self.row(schema, row.id()).cloned();
        self.audited(schema, before.as_ref(), &row, set);
        self.rows.entry(schema.table).or_default().insert(row.id().to_owned(), row.clone());
        self.check(schema, before.as_ref(), &row, set);
    }

    /// The rules of its kind.
    fn check(&mut self, schema: &'static Schema, before: Option<&Row>, after: &Row, set: &mut Set) {
        match schema.table {
            table if table == Job::SCHEMA.table => {
                if let Some(job) = entity::<Job>(after) {
                    self.job(before.and_then(entity).as_ref(), &job, set);
                }
            }
            table if table == Certificate::SCHEMA.table => {
                if let Some(certificate) = entity::<Certificate>(after) {
                    self.certificate(before.and_then(entity).as_ref(), &certificate, set);
                }
            }
            table if table == Version::SCHEMA.table => {
                if let Some(version) = entity::<Version>(after) {
                    self.version(before.is_some(), &version, set);
                }
            }
            table if table == Revocation::SCHEMA.table => {
                if let Some(revocation) = entity::<Revocation>(after) {
                    self.revoked(before.and_then(entity).as_ref(), &revocation, set);
                }
            }
            table if table == RevocationNotice::SCHEMA.table => {
                if let Some(notice) = entity::<RevocationNotice>(after) {
                    self.told(before.and_then(entity).as_ref(), &notice);
                }
            }
            table if table == Notification::SCHEMA.table => {
                if let Some(notice) = entity::<Notification>(after) {
                    self.notice(before.and_then(entity).as_ref(), &notice);
                }
            }
            _ => {}
        }
    }

    /// A change without an audit event is one of the few that leave none: signs of life, what an engine keeps for
    /// itself, and a job's steps.
    fn audited(&self, schema: &Schema, before: Option<&Row>, after: &Row, set: &Set) {
        let own = [Agent::SCHEMA, ApiKey::SCHEMA, StoredSetting::SCHEMA, EngineKey::SCHEMA, AuthorityRecord::SCHEMA];
        if set.is_audited || (own.iter().any(|own| own.table == schema.table) && before.is_some()) {
            return;
        }
        // That an issuer failed is told by the job, and that its breaker opened by an event of its own.
        // The epoch is a count of revocations, each of which has its own.
        // What connectors keep is theirs.
        let untold = [
            ChallengeRecord::SCHEMA,
            ConnectorStateRecord::SCHEMA,
            StoredSetting::SCHEMA,
            IssuerHealth::SCHEMA,
            LoopState::SCHEMA,
            RenewalAdvice::SCHEMA,
            Replan::SCHEMA,
            RevocationEpoch::SCHEMA,
        ];
        if untold.iter().any(|table| table.table == schema.table) {
            return;
        }
        let step = |job: Option<Job>, next: Option<Job>| match (job, next) {
            (Some(job), Some(next)) => {
                job.state == JobState::Running && matches!(next.state, JobState::Pending | JobState::AwaitingCsr)
            }
            _ => false,
        };
        if schema.table == Job::SCHEMA.table && step(before.and_then(entity), entity(after)) {
            return;
        }
        // That one could not be made, and when that is tried again; each that was made is told.
        let unmade = |list: Option<Crl>, next: Option<Crl>| match (list, next) {
            (None, Some(next)) => !next.is_made(),
            (Some(list), Some(next)) => {
                let Crl { failures, due_at, .. } = next;
                Crl { failures, due_at, last_error: next.last_error.clone(), ..list } == next
            }
            _ => false,
        };
        if schema.table == Crl::SCHEMA.table && unmade(before.and_then(entity), entity(after)) {
            return;
        }
        // When it is renewed and when people are told next: of the change that moved it there is an event.
        let planned = |certificate: Option<Certificate>, next: Option<Certificate>| match (certificate, next) {
            (Some(certificate), Some(next)) => {
                let Certificate { expiring_at, renew_at, alert_at, updated_at, .. } = next;
                Certificate { expiring_at, renew_at, alert_at, updated_at, ..certificate } == next
            }
            _ => false,
        };
        if schema.table == Certificate::SCHEMA.table && planned(before.and_then(entity), entity(after)) {
            return;
        }
        self.broken(format!("{} {} changed without an audit event", schema.table, after.id()));
    }

    pub(super) fn refused(&mut self, node: Node, error: &ApplyError) {
        self.log.line(format!("{} n{} refused: {error}", self.clock.monotonic().0, node.0));
        let generated = [Job::SCHEMA, Version::SCHEMA, Notification::SCHEMA, AuditEvent::SCHEMA];
        if let ApplyError::Conflict { entity, field } = error
            && generated.iter().any(|schema| schema.table == *entity)
            && ["id", "issuer_id", "fingerprint_sha256"].contains(field)
        {
            self.broken(format!("randomness repeats: a {field} of {entity} was made twice"));
        }
    }

    pub(super) fn claimed(&mut self, node: Node, claim: &Claim, claimed: &Claimed) {
        if claimed.rows.is_empty() {
            return;
        }
        self.saw_time(claimed.now);
        let (schema, now) = (claim.queue.schema, self.clock.monotonic());
        let mut line = format!("{} n{} claim {}", now.0, node.0, claim.holder);
        for row in &claimed.rows {
            let id = row.row.id().to_owned();
            let before = self.row(schema, &id).cloned();
            line.push_str(&log::row(schema, before.as_ref(), &row.row));
            let Some(before) = before else {
                self.broken(format!("{} {id} was claimed, and nobody stored it", schema.table));
                continue;
            };
            self.claim_is_right(claim, claimed.now, &before, &row.row);
            let held = claim.queue.text(&before.values, QueueSchema::STATE) == Some(claim.queue.running);
            if held != row.abandoned {
                self.broken(format!("{} {id} was claimed, abandoned: {} is wrong", schema.table, row.abandoned));
            }
            self.rows.entry(schema.table).or_default().insert(id.clone(), row.row.clone());
            self.holds.insert(id, now);
        }
        self.log.line(line);
    }

    fn claim_is_right(&self, claim: &Claim, now: Timestamp, before: &Row, after: &Row) {
        let (queue, id) = (claim.queue, after.id());
        let integer = |row: &Row, column| queue.integer(&row.values, column).unwrap_or(0);
        let state = queue.text(&before.values, QueueSchema::STATE).unwrap_or_default();
        let due = Timestamp(integer(before, QueueSchema::DUE_AT));
        let table = queue.schema.table;
        if due > now {
            self.broken(format!("{table} {id} was claimed at {now}, before it was due at {due}"));
        }
        if !queue.open.contains(&state) {
            self.broken(format!("{table} {id} was claimed in state {state}"));
        }
        let tokens = (integer(before, QueueSchema::ATTEMPT), integer(after, QueueSchema::ATTEMPT));
        if tokens.1 != tokens.0 + 1 || after.version != before.version + 1 {
            self.broken(format!("{table} {id}: the fencing token went from {} to {}", tokens.0, tokens.1));
        }
        let late = now.since(due);
        if state != queue.running && self.promptness.is_some_and(|longest| late > longest) && !is_agents(queue, before)
        {
            self.broken(format!("{table} {id} was due and overlooked for {late:?}"));
        }
    }

    pub(super) fn prolonged(&mut self, node: Node, fence: &Fence, lease: Duration, result: &Result<(), LeaseError>) {
        let (schema, now) = (fence.queue.schema, self.clock.monotonic());
        if result.is_err() {
            return;
        }
        let until = self.clock.now() + lease;
        let mut broken = None;
        if let Some(row) = self.rows.entry(schema.table).or_default().get_mut(&fence.id) {
            if fence.queue.integer(&row.values, QueueSchema::ATTEMPT) != Some(fence.attempt) {
                broken = Some(format!("fencing: a lease on {} was prolonged after a newer claim", fence.id));
            }
            set(schema, row, QueueSchema::DUE_AT, &until);
            let since = self.holds.get(&fence.id).copied().unwrap_or(now);
            if !is_agents(fence.queue, row) && since.until(now) > LONGEST_HOLD {
                broken = Some(format!(
                    "{} {} is held by one claim for {:?}, prolonged by n{}: a step may not take that long",
                    schema.table,
                    fence.id,
                    since.until(now),
                    node.0
                ));
            }
        }
        if let Some(broken) = broken {
            self.broken(broken);
        }
    }

    pub(super) fn compare(&self, schema: &'static Schema, rows: &[Row]) {
        let none = BTreeMap::new();
        let known = self.rows.get(schema.table).unwrap_or(&none);
        let stored: BTreeMap<&str, &Row> = rows.iter().map(|row| (row.id(), row)).collect();
        for (id, row) in known {
            match stored.get(id.as_str()) {
                None => self.broken(format!("acknowledged and lost: {} {id}", schema.table)),
                Some(found) if *found != row => {
                    let differs = log::row(schema, Some(row), found);
                    self.broken(format!("acknowledged and lost: the store has another state of{differs}"));
                }
                Some(_) => {}
            }
        }
        if stored.len() != known.len() {
            self.broken(format!(
                "the store has {} rows of {}, {} were put there",
                stored.len(),
                schema.table,
                known.len()
            ));
        }
    }

    pub(super) fn compare_appended(&self, schema: &'static Schema, stored: u64) {
        let known = self.appended.get(schema.table).copied().unwrap_or(0);
        if stored != known {
            self.broken(format!("acknowledged and lost: {known} rows of {}, the store has {stored}", schema.table));
        }
    }

    /// Whether a policy renews by itself.
    pub(super) fn renews(&self, certificate: &Certificate) -> bool {
        let policy = self.get::<RenewalPolicy>(certificate.renewal_policy_id.as_str());
        policy.is_some_and(|policy| policy.auto_renew)
    }
}

/// Whether nobody approves its renewals.
pub(super) fn is_unattended(certificate: &Certificate) -> bool {
    certificate.certificate_profile_id.as_ref().is_some_and(|profile| profile.as_str() == UNATTENDED)
}

/// Agents ask when they do; only engines promise to be prompt.
fn is_agents(queue: &QueueSchema, row: &Row) -> bool {
    queue.text(&row.values, QueueSchema::PARTITION).is_some_and(|partition| partition.starts_with("agent:"))
}

fn entity<E: Entity>(row: &Row) -> Option<E> {
    E::from_values(row.values.clone()).ok()
}
