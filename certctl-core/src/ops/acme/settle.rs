//! Bringing an order up to date whose certificate was obtained by a job.

use async_trait::async_trait;
use serde_json::json;

use super::end;
use super::finalize::{issued, problem};
use crate::domain::{AcmeOrder, AcmeOrderId, AcmeOrderState, AuditAction, Version};
use crate::enrol::acme::{Problem, ProblemType};
use crate::enrol::{Enrolled, Standing};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Looks at the job of an order that is being processed, and takes over how it ended.
#[derive(Debug)]
pub(crate) struct Settle {
    /// Which order.
    pub(crate) id: AcmeOrderId,
}

#[async_trait]
impl Operation for Settle {
    /// How the order ended, if it does now.
    type Output = Option<AcmeOrderState>;
    const NAME: &'static str = "acme.settle";
    const ACCESS: Access = Access::OPEN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Self::Output, Error> {
        let Some(mut order) = cx.unit.get::<AcmeOrder>(self.id.as_str()).await? else { return Ok(None) };
        let (AcmeOrderState::Processing, Some(job)) = (order.state, order.job_id.clone()) else { return Ok(None) };
        let now = cx.now();
        match Standing::Job(job).run(cx).await? {
            Some(Enrolled::Pending { .. }) => return Ok(None),
            Some(Enrolled::Issued { certificate_id, version_id, .. }) => {
                let version = cx.unit.peek::<Version>(version_id.as_str()).await?;
                let not_after = version.map_or(now, |version| version.not_after);
                issued(&mut order, (certificate_id, version_id), (not_after, now))?;
            }
            Some(Enrolled::Refused(refusal)) => {
                end(&mut order, (AcmeOrderState::Invalid, now), Some(&problem(&refusal)))?;
            }
            None => {
                let gone = Problem::new(ProblemType::ServerInternal, "the job of this order is gone");
                end(&mut order, (AcmeOrderState::Invalid, now), Some(&gone))?;
            }
        }
        let details = json!({ "account_id": order.account_id, "state": order.state, "version_id": order.version_id });
        cx.audit(AuditAction::AcmeOrderSettled, ("acme_order", self.id.as_str()), details);
        let state = order.state;
        cx.unit.update(order);
        Ok(Some(state))
    }
}
