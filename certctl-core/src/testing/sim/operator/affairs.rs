//! What people do where things are on the move: they approve late, forget, put dead notices back, and change the rules.

use std::time::Duration;

use serde_json::json;

use super::{FOUR_EYES, LOCAL, Operator, POLICY, PROFILE, TAGGED, UNATTENDED, parse};
use crate::Error;
use crate::domain::{
    Certificate, FreezeWindow, Job, JobState, JobType, Notification, NotificationState, PolicySeverity, PolicyType,
    RenewalPolicyId,
};
use crate::entity::Record;
use crate::ops::{job, notification, policy, profile, renewal_policy};
use crate::ports::Clock;
use crate::storage::{Query, View};
use crate::testing::sim::config::{DAY, HOUR};

/// A job that waits for longer than this is decided at last.
const PATIENCE: Duration = Duration::from_secs(10 * 3_600);

impl Operator {
    pub(super) async fn affairs_begin(&self) -> Result<(), Error> {
        let update =
            renewal_policy::Update { fallback_issuer_ids: Some(vec![parse(LOCAL)?]), ..policy(parse(POLICY)?) };
        self.insist(update).await?;
        let rule = |id: &str, kind, config, enforce| {
            Ok::<_, Error>(policy::Create {
                id: Some(parse(id)?),
                name: id.into(),
                kind,
                config,
                enabled: enforce,
                severity: PolicySeverity::Warning,
                enforce,
                agent_group_id: None,
            })
        };
        self.insist(rule(TAGGED, PolicyType::RequiredMetadata, json!({ "required_keys": ["team"] }), false)?).await?;
        let most = json!({ "max_days": 400 });
        self.insist(rule("pr-lifetime", PolicyType::CertificateLifetime, most, true)?).await
    }

    /// Approves what waits, or not; puts dead notices back; ends holds, and looks how things stand.
    pub(super) async fn look_after(&self) {
        let waiting = || Query::<Job>::all().filter(Job::FIELDS.state.equals(JobState::AwaitingApproval));
        for waiting in self.jobs(waiting).await {
            self.decide(waiting).await;
        }
        let dead = |engine: crate::engine::Engine| async move {
            let view = engine.storage().read(View::Latest).await?;
            let dead = Notification::FIELDS.state.equals(NotificationState::Dead);
            view.list(Query::<Notification>::all().filter(dead).limit(100)).await
        };
        let dead = self.wire.call(dead).await.and_then(Result::ok).map_or_else(Vec::new, |page| page.records);
        if self.weather.is_calm() {
            self.check_status().await;
        }
        self.decide_holds().await;
        for notice in dead {
            if self.weather.is_calm() || self.chance.one_in(4) {
                drop(self.ask(notification::Requeue { id: notice.id.clone() }).await);
            }
        }
    }

    async fn decide(&self, waiting: Job) {
        let id = waiting.id.clone();
        let Some(certificate) = self.certificate_of(&waiting).await else { return };
        let profile = certificate.certificate_profile_id.as_ref().map(AsRef::<str>::as_ref);
        // The first version is approved, and what follows is forgotten.
        if profile == Some(UNATTENDED) && waiting.kind != JobType::Issuance {
            return;
        }
        let now = self.clock.now();
        let late = now.since(waiting.created_at) > PATIENCE || self.is_urgent(&certificate);
        match self.chance.below(6) {
            0 if !late && waiting.kind == JobType::Renewal && !self.weather.is_calm() => {
                drop(self.ask_as("boss", job::Reject { id, reason: Some("not today".into()) }).await);
            }
            1..=3 if !late && !self.weather.is_calm() => {}
            _ => drop(self.ask_as("boss", job::Approve { id }).await),
        }
    }

    /// Whether the end is so near that nobody puts a renewal off, forgets it or calls it off: what machines do wrong may take a
    /// day, and certificates that end because people want it so prove nothing.
    pub(super) fn is_urgent(&self, certificate: &Certificate) -> bool {
        certificate.expires_at.since(self.clock.now()) < self.config.lifetime / 4
    }

    pub(super) async fn certificate_of(&self, job: &Job) -> Option<Certificate> {
        let id = job.certificate_id.to_string();
        let get = |engine: crate::engine::Engine| {
            let id = id.clone();
            async move { engine.storage().read(View::Latest).await?.get::<Certificate>(&id).await }
        };
        self.wire.call(get).await?.ok()?.map(Record::into_entity)
    }

    /// Edits a renewal policy or a profile, or switches a rule.
    pub(super) async fn change_rules(&self) {
        let Ok(id) = parse::<RenewalPolicyId>(POLICY) else { return };
        let one_of = |choices: &[i64]| self.chance.of(choices).copied();
        match self.chance.below(6) {
            0..=2 => {
                let starts_at = self.clock.now() + self.chance.within(DAY * 4);
                // From half a day to longer than certificates live.
                let ends_at = starts_at + HOUR * 12 + self.chance.within(DAY * 12);
                let window = FreezeWindow { starts_at, ends_at, reason: "the week before the holidays".into() };
                let freeze_windows = if self.chance.one_in(4) { Vec::new() } else { vec![window] };
                let update = renewal_policy::Update { freeze_windows: Some(freeze_windows), ..policy(id) };
                drop(self.ask(update).await);
            }
            3 => {
                let update = renewal_policy::Update {
                    // Never so short that a renewal may come due with the last warning.
                    renewal_window_days: one_of(&[0, 3, 4]),
                    alert_thresholds_days: self.chance.of(&[vec![1], vec![3, 1], vec![2, 1]]).cloned(),
                    ..policy(id)
                };
                drop(self.ask(update).await);
            }
            4 => {
                let Ok(id) = parse(if self.chance.one_in(2) { PROFILE } else { FOUR_EYES }) else { return };
                let update = profile::Update { requires_approval: Some(self.chance.one_in(2)), ..unchanged(id) };
                drop(self.ask(update).await);
            }
            _ => {
                let update = policy::Update {
                    id: parse(TAGGED).ok(),
                    name: None,
                    kind: None,
                    config: None,
                    enabled: Some(self.chance.one_in(2)),
                    severity: None,
                    enforce: None,
                    agent_group_id: None,
                };
                drop(self.ask(update).await);
            }
        }
    }
}

/// An edit of a renewal policy that changes nothing.
fn policy(id: RenewalPolicyId) -> renewal_policy::Update {
    renewal_policy::Update {
        id,
        name: None,
        renewal_window_days: None,
        auto_renew: None,
        max_retries: None,
        retry_interval_seconds: None,
        alert_thresholds_days: None,
        alert_severity_map: None,
        alert_channels: None,
        freeze_windows: None,
        fallback_issuer_ids: None,
        deployment_waves: None,
    }
}

/// An edit of a profile that changes nothing.
fn unchanged(id: crate::domain::ProfileId) -> profile::Update {
    profile::Update {
        id,
        name: None,
        description: None,
        allowed_key_algorithms: None,
        max_ttl_seconds: None,
        allowed_ekus: None,
        required_san_patterns: None,
        spiffe_uri_pattern: None,
        allow_short_lived: None,
        must_staple: None,
        requires_approval: None,
        enabled: None,
    }
}
