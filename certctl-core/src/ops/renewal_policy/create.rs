//! Creating a renewal policy.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{
    AuditAction, DeploymentWaves, FreezeWindow, IssuerId, IssuerRecord, RenewalPolicy, RenewalPolicyId, Severity,
};
use crate::entity::Json;
use crate::error::Error;
use crate::ops::{Access, Context, Operation, check};

/// Creates a renewal policy.
#[derive(Clone, Debug)]
pub struct Create {
    /// Kept when given.
    pub id: Option<RenewalPolicyId>,
    /// Unique; 1 to 255 characters.
    pub name: String,
    /// Days before the end at which renewal is due, 0 to 365; 0 for a fraction of the lifetime.
    pub renewal_window_days: i64,
    /// Whether certificates renew by themselves.
    pub auto_renew: bool,
    /// Attempts per job, 1 to 100.
    pub max_retries: i64,
    /// The first pause between attempts, 1 to 86,400 seconds.
    pub retry_interval_seconds: i64,
    /// Days before the end at which people are told, each 0 to 3,650, at most 20.
    pub alert_thresholds_days: Vec<i64>,
    /// The tiers of thresholds, at most 20; what is not named is informational above 14 days, and critical at the end.
    pub alert_severity_map: BTreeMap<i64, Severity>,
    /// The kinds of notifiers that are told of a tier, such as `Slack`; a tier that is not named is told as everything else is.
    pub alert_channels: BTreeMap<Severity, Vec<String>>,
    /// Times in which nothing is renewed by itself, at most 50, each ending after it starts.
    pub freeze_windows: Vec<FreezeWindow>,
    /// Whom to ask when a certificate's own issuer fails too often or has no quota left, at most 5.
    pub fallback_issuer_ids: Vec<IssuerId>,
    /// How new versions are spread over their targets; all at once when absent.
    pub deployment_waves: Option<DeploymentWaves>,
}

#[async_trait]
impl Operation for Create {
    type Output = RenewalPolicy;
    const NAME: &'static str = "renewal_policy.create";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<RenewalPolicy, Error> {
        let id = self.id.clone().unwrap_or_else(|| RenewalPolicyId::generate(&*cx.ports().clock, &*cx.ports().rng));
        let now = cx.now();
        let policy = RenewalPolicy {
            id,
            name: self.name.clone(),
            renewal_window_days: self.renewal_window_days,
            auto_renew: self.auto_renew,
            max_retries: self.max_retries,
            retry_interval_seconds: self.retry_interval_seconds,
            alert_thresholds_days: Json(self.alert_thresholds_days.clone()),
            alert_severity_map: Json(self.alert_severity_map.clone()),
            alert_channels: Json(self.alert_channels.clone()),
            freeze_windows: Json(self.freeze_windows.clone()),
            fallback_issuer_ids: Json(self.fallback_issuer_ids.clone()),
            deployment_waves: self.deployment_waves.map(Json),
            created_at: now,
            updated_at: now,
        };
        check(&policy)?;
        fallbacks_exist(cx, &policy).await?;
        cx.unit.insert(policy.clone());
        let details = json!({ "name": policy.name });
        cx.audit(AuditAction::RenewalPolicyCreated, ("renewal_policy", policy.id.as_str()), details);
        Ok(policy)
    }
}

/// What every renewal policy must be.
pub(super) fn check(policy: &RenewalPolicy) -> Result<(), Error> {
    check::name("/name", &policy.name, 255)?;
    check::within("/renewal_window_days", policy.renewal_window_days, 0..=365)?;
    check::within("/max_retries", policy.max_retries, 1..=100)?;
    check::within("/retry_interval_seconds", policy.retry_interval_seconds, 1..=86_400)?;
    if policy.alert_thresholds_days.len() > 20 {
        return Err(Error::invalid_field("/alert_thresholds_days", "too_many", "at most 20 thresholds are kept"));
    }
    policy
        .alert_thresholds_days
        .iter()
        .try_for_each(|days| check::within("/alert_thresholds_days", *days, 0..=3_650))?;
    alerts(policy)?;
    policy.deployment_waves.as_deref().map_or(Ok(()), waves)?;
    freezes(&policy.freeze_windows)
}

fn alerts(policy: &RenewalPolicy) -> Result<(), Error> {
    if policy.alert_severity_map.len() > 20 {
        return Err(Error::invalid_field("/alert_severity_map", "too_many", "at most 20 thresholds have a tier"));
    }
    for days in policy.alert_severity_map.keys() {
        check::within(&format!("/alert_severity_map/{days}"), *days, 0..=3_650)?;
    }
    for (tier, channels) in policy.alert_channels.iter() {
        let at = format!("/alert_channels/{tier}");
        if channels.len() > 20 {
            return Err(Error::invalid_field(at, "too_many", "at most 20 kinds of notifiers are named for a tier"));
        }
        if channels.iter().any(|channel| channel.trim().is_empty() || channel.chars().count() > 64) {
            let detail = "a kind of notifier, such as Slack, has 1 to 64 characters";
            return Err(Error::invalid_field(at, "invalid_value", detail));
        }
    }
    Ok(())
}

/// Refuses a policy that falls back on issuers that are not there. They are pinned, so that none goes away at the same moment.
pub(super) async fn fallbacks_exist(cx: &mut Context<'_>, policy: &RenewalPolicy) -> Result<(), Error> {
    let ids = &policy.fallback_issuer_ids.0;
    if ids.len() > RenewalPolicy::MOST_FALLBACKS {
        let detail = format!("at most {} issuers are kept to fall back on", RenewalPolicy::MOST_FALLBACKS);
        return Err(Error::invalid_field("/fallback_issuer_ids", "too_many", detail));
    }
    for (at, id) in ids.iter().enumerate() {
        let pointer = format!("/fallback_issuer_ids/{at}");
        if ids.iter().take(at).any(|before| before == id) {
            let detail = format!("issuer `{id}` is named twice; name each once");
            return Err(Error::invalid_field(pointer, "duplicate", detail));
        }
        if cx.unit.get::<IssuerRecord>(id.as_str()).await?.is_none() {
            let detail = format!("there is no issuer `{id}`");
            return Err(Error::invalid_field(pointer, "unknown_reference", detail));
        }
    }
    Ok(())
}

fn waves(waves: &DeploymentWaves) -> Result<(), Error> {
    let most = DeploymentWaves::MOST;
    check::within("/deployment_waves/canary", waves.canary, 0..=most)?;
    let limits = [("batch_size", waves.batch_size), ("max_unavailable", waves.max_unavailable)];
    for (name, number) in limits {
        number.map_or(Ok(()), |number| check::within(&format!("/deployment_waves/{name}"), number, 1..=most))?;
    }
    check::within("/deployment_waves/pause_seconds", waves.pause_seconds, 0..=DeploymentWaves::LONGEST_PAUSE)
}

fn freezes(windows: &[FreezeWindow]) -> Result<(), Error> {
    if windows.len() > FreezeWindow::MOST {
        let detail = format!("at most {} freeze windows are kept; leave out those that are over", FreezeWindow::MOST);
        return Err(Error::invalid_field("/freeze_windows", "too_many", detail));
    }
    for (at, window) in windows.iter().enumerate() {
        if window.ends_at <= window.starts_at {
            let detail = "a freeze window ends after it starts; exchange the two moments";
            return Err(Error::invalid_field(format!("/freeze_windows/{at}/ends_at"), "out_of_range", detail));
        }
        if window.reason.chars().count() > 255 {
            let detail = "a reason has at most 255 characters";
            return Err(Error::invalid_field(format!("/freeze_windows/{at}/reason"), "too_long", detail));
        }
    }
    Ok(())
}
