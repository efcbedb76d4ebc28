//! Tells of certificates that near their end, once for each version and threshold.
//!
//! Each certificate says when to look at it (`alert_at`): at its next threshold that counts, or at once when a renewal failed or its
//! policy changed. That a threshold was told is a row of the outbox, which is unique; so neither a restart nor another replica
//! tells it again.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::decide::alerts::{self, AlertInput};
use crate::domain::{
    AuditAction, Certificate, Lifecycle, Notification, NotificationType, Principal, RenewalPolicy, Timestamp, Version,
};
use crate::engine::Engine;
use crate::error::Error;
use crate::ops::context::audit_event;
use crate::outbox::{self, About};
use crate::storage::{ApplyError, Query, UnitOfWork, View};

/// Certificates that are looked at together: stores write what comes at once in one go.
const TOGETHER: usize = 16;

/// Tells of those whose moment has come, each in its own commit; gives how many alerts.
pub(crate) async fn sweep(engine: &Engine) -> Result<usize, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let found = view.list(due(view.now()).limit(engine.cadence().sweep_batch)).await?.records;
    drop(view);
    let mut told = 0;
    for some in found.chunks(TOGETHER) {
        for outcome in join_all(some.iter().map(|certificate| tell(engine, certificate))).await {
            told += outcome?;
        }
    }
    Ok(told)
}

/// When the earliest moment comes, from now.
pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let now = view.now();
    let next = view.first(due(Timestamp(Timestamp::NEVER.0 - 1))).await?;
    Ok(next.map(|certificate| certificate.alert_at.since(now)))
}

fn due(now: Timestamp) -> Query<Certificate> {
    let fields = Certificate::FIELDS;
    Query::sorted(fields.alert_at.ascending()).filter(fields.alert_at.below(Timestamp(now.0.saturating_add(1))))
}

/// How many alerts were raised; none when somebody else was faster.
async fn tell(engine: &Engine, found: &Certificate) -> Result<usize, Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let now = unit.now();
    let Some(mut certificate) = unit.get::<Certificate>(found.id.as_str()).await? else { return Ok(0) };
    if certificate.alert_at > now {
        return Ok(0);
    }
    let mut told = 0;
    certificate.alert_at = Timestamp::NEVER;
    if let Some(subject) = Subject::read(&unit, &certificate).await? {
        let verdict = alerts::decide(&AlertInput::of(&certificate, &subject.policy, subject.version.not_before, now));
        certificate.alert_at = verdict.next.unwrap_or(Timestamp::NEVER);
        for days in verdict.passed {
            told += subject.alert(engine, &mut unit, &certificate, days).await?;
        }
    }
    if told == 0 {
        unit = unit.bookkeeping();
    }
    unit.update(certificate);
    match engine.commit(unit).await {
        Ok(()) => Ok(told),
        Err(ApplyError::Stale { .. } | ApplyError::Conflict { .. }) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// What is told of, and how.
struct Subject {
    version: Version,
    policy: RenewalPolicy,
}

impl Subject {
    /// None where there is nothing to tell of: what is revoked, put away or was never issued does not end.
    async fn read(unit: &UnitOfWork, certificate: &Certificate) -> Result<Option<Self>, Error> {
        let (Lifecycle::Issued, Some(version)) = (certificate.lifecycle, &certificate.newest_version_id) else {
            return Ok(None);
        };
        let version = unit.peek::<Version>(version.as_str()).await?;
        let policy = unit.peek::<RenewalPolicy>(certificate.renewal_policy_id.as_str()).await?;
        Ok(version
            .zip(policy)
            .map(|(version, policy)| Self { version: version.into_entity(), policy: policy.into_entity() }))
    }

    /// One threshold of one version: to all that the policy and the routes name, in this commit, or not at all.
    async fn alert(
        &self,
        engine: &Engine,
        unit: &mut UnitOfWork,
        certificate: &Certificate,
        days: i64,
    ) -> Result<usize, Error> {
        let key = format!("{}:{days}", self.version.id);
        if was_told(unit, &key).await? {
            return Ok(0);
        }
        let severity = self.policy.tier(days);
        let channels = self.policy.alert_channels.get(&severity).map(Vec::as_slice);
        let about = About {
            certificate: Some(certificate),
            kind: NotificationType::ExpirationWarning,
            key: &key,
            severity: Some(severity),
            channels,
        };
        let (subject, message) = self.text(certificate, days, unit.now());
        if outbox::notify(engine, unit, &about, &subject, &message).await? == 0 {
            // Nobody is there to be told.
            return Ok(0);
        }
        let details = json!({
            "threshold_days": days, "version_id": self.version.id, "expires_at": certificate.expires_at, "severity": severity,
        });
        let resource = ("certificate", certificate.id.as_str());
        let action = AuditAction::ExpirationAlertSent;
        unit.append(audit_event(engine, &Principal::system(), unit.now(), action, resource, details));
        Ok(1)
    }

    fn text(&self, certificate: &Certificate, days: i64, now: Timestamp) -> (String, String) {
        let (name, end) = (&certificate.name, certificate.expires_at);
        let left = end.since(now).as_secs();
        let when = match left {
            0 => "has ended".to_owned(),
            1..86_400 => "ends within a day".to_owned(),
            86_400..172_800 => "ends in 1 day".to_owned(),
            _ => format!("ends in {} days", left / 86_400),
        };
        let why = if certificate.failed_renewals > 0 {
            "Its last renewal failed"
        } else if !self.policy.auto_renew {
            "Its renewal policy does not renew it"
        } else if certificate.renewing {
            "Its renewal has begun and is not done"
        } else {
            "Its renewal is due and has not begun"
        };
        let subject = format!("{name} {when}");
        let message = format!(
            "Certificate {name} ({}) {when}: {end}. {why}. This is told {days} days before the end. Serial {}.",
            certificate.common_name, self.version.serial_number
        );
        (subject, message)
    }
}

/// Whether anybody was told of it. All are told in one commit, so one row stands for all.
async fn was_told(unit: &UnitOfWork, key: &str) -> Result<bool, Error> {
    let field = Notification::FIELDS.dedup_key;
    let begin = format!("{}:{key}:", NotificationType::ExpirationWarning);
    // The character behind the colon.
    let end = format!("{}:{key};", NotificationType::ExpirationWarning);
    let any = Query::sorted(field.ascending()).filter(field.at_least(begin)).filter(field.below(end));
    Ok(unit.first(any).await?.is_some())
}
