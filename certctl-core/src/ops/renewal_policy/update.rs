//! Changing a renewal policy.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::create::{check, fallbacks_exist};
use crate::domain::{
    AuditAction, DeploymentWaves, FreezeWindow, IssuerId, RenewalPolicy, RenewalPolicyId, Replan, Severity,
};
use crate::engine::SETTLED;
use crate::entity::Json;
use crate::error::Error;
use crate::ops::merge::Merge;
use crate::ops::{Access, Context, Operation};

/// Changes what is given of a renewal policy. When it renews otherwise, the renewals of all certificates that keep to it are
/// planned anew by the loops, beginning two seconds later; until then what comes due is decided by the changed policy.
#[derive(Clone, Debug)]
pub struct Update {
    /// Which.
    pub id: RenewalPolicyId,
    /// A new name.
    pub name: Option<String>,
    /// Days before the end at which renewal is due, 0 to 365; 0 for a fraction of the lifetime.
    pub renewal_window_days: Option<i64>,
    /// Whether certificates renew by themselves.
    pub auto_renew: Option<bool>,
    /// Attempts per job, 1 to 100.
    pub max_retries: Option<i64>,
    /// The first pause between attempts, 1 to 86,400 seconds.
    pub retry_interval_seconds: Option<i64>,
    /// All days before the end at which people are told from now on.
    pub alert_thresholds_days: Option<Vec<i64>>,
    /// All tiers of thresholds from now on.
    pub alert_severity_map: Option<BTreeMap<i64, Severity>>,
    /// All kinds of notifiers that are told of a tier from now on.
    pub alert_channels: Option<BTreeMap<Severity, Vec<String>>>,
    /// All times in which nothing is renewed by itself from now on.
    pub freeze_windows: Option<Vec<FreezeWindow>>,
    /// All issuers to fall back on from now on, in this order.
    pub fallback_issuer_ids: Option<Vec<IssuerId>>,
    /// How new versions are spread over their targets from now on; `Some(None)` for all at once.
    pub deployment_waves: Option<Option<DeploymentWaves>>,
}

#[async_trait]
impl Operation for Update {
    type Output = RenewalPolicy;
    const NAME: &'static str = "renewal_policy.update";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<RenewalPolicy, Error> {
        let found = cx.unit.get::<RenewalPolicy>(self.id.as_str()).await?;
        let mut policy = found.ok_or_else(|| Error::not_found("renewal policy", &self.id))?;
        let before = timing(&policy);
        let mut merge = Merge::default();
        merge.set("name", &mut policy.name, self.name.as_ref());
        merge.set("renewal_window_days", &mut policy.renewal_window_days, self.renewal_window_days.as_ref());
        merge.set("auto_renew", &mut policy.auto_renew, self.auto_renew.as_ref());
        merge.set("max_retries", &mut policy.max_retries, self.max_retries.as_ref());
        merge.set("retry_interval_seconds", &mut policy.retry_interval_seconds, self.retry_interval_seconds.as_ref());
        merge.set("alert_thresholds_days", &mut policy.alert_thresholds_days.0, self.alert_thresholds_days.as_ref());
        merge.set("alert_severity_map", &mut policy.alert_severity_map.0, self.alert_severity_map.as_ref());
        merge.set("alert_channels", &mut policy.alert_channels.0, self.alert_channels.as_ref());
        merge.set("freeze_windows", &mut policy.freeze_windows.0, self.freeze_windows.as_ref());
        merge.set("fallback_issuer_ids", &mut policy.fallback_issuer_ids.0, self.fallback_issuer_ids.as_ref());
        let waves = self.deployment_waves.map(|waves| waves.map(Json));
        merge.set("deployment_waves", &mut policy.deployment_waves, waves.as_ref());
        check(&policy)?;
        if self.fallback_issuer_ids.is_some() {
            fallbacks_exist(cx, &policy).await?;
        }
        policy.updated_at = cx.now();
        let answer = RenewalPolicy::clone(&policy);
        if timing(&answer) != before {
            self.replan(cx).await?;
        }
        cx.unit.update(policy);
        cx.audit(AuditAction::RenewalPolicyUpdated, ("renewal_policy", self.id.as_str()), merge.details());
        Ok(answer)
    }
}

impl Update {
    /// Has the certificates planned anew, from the first: what was planned by an earlier change is not by this one.
    ///
    /// Not at once: an engine may decide for a second by what it has read, and would plan behind the back of who plans anew.
    async fn replan(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let due_at = cx.now() + SETTLED;
        match cx.unit.get::<Replan>(self.id.as_str()).await? {
            Some(mut replan) => {
                (replan.due_at, replan.next_id) = (due_at, None);
                cx.unit.update(replan);
            }
            None => cx.unit.insert(Replan { id: self.id.clone(), due_at, next_id: None }),
        }
        Ok(())
    }
}

/// What of a policy decides when its certificates renew, count as expiring, or are told of.
fn timing(policy: &RenewalPolicy) -> (bool, Option<i64>, Vec<FreezeWindow>, Vec<i64>) {
    let window = policy.auto_renew.then_some(policy.renewal_window_days);
    (policy.auto_renew, window, policy.freeze_windows.0.clone(), policy.alert_thresholds_days.0.clone())
}
