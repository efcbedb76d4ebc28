//! Changing a renewal policy.

use async_trait::async_trait;

use super::create::check;
use crate::domain::{AuditAction, RenewalPolicy, RenewalPolicyId};
use crate::error::Error;
use crate::ops::merge::Merge;
use crate::ops::{Access, Context, Operation};

/// Changes what is given of a renewal policy. When a certificate renews is planned anew when it is next issued.
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
}

#[async_trait]
impl Operation for Update {
    type Output = RenewalPolicy;
    const NAME: &'static str = "renewal_policy.update";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<RenewalPolicy, Error> {
        let found = cx.unit.get::<RenewalPolicy>(self.id.as_str()).await?;
        let mut policy = found.ok_or_else(|| Error::not_found("renewal policy", &self.id))?;
        let mut merge = Merge::default();
        merge.set("name", &mut policy.name, self.name.as_ref());
        merge.set("renewal_window_days", &mut policy.renewal_window_days, self.renewal_window_days.as_ref());
        merge.set("auto_renew", &mut policy.auto_renew, self.auto_renew.as_ref());
        merge.set("max_retries", &mut policy.max_retries, self.max_retries.as_ref());
        merge.set("retry_interval_seconds", &mut policy.retry_interval_seconds, self.retry_interval_seconds.as_ref());
        merge.set("alert_thresholds_days", &mut policy.alert_thresholds_days.0, self.alert_thresholds_days.as_ref());
        check(&policy)?;
        policy.updated_at = cx.now();
        let answer = RenewalPolicy::clone(&policy);
        cx.unit.update(policy);
        cx.audit(AuditAction::RenewalPolicyUpdated, ("renewal_policy", self.id.as_str()), merge.details());
        Ok(answer)
    }
}
