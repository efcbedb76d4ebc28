//! Giving up an authorization (RFC 8555 §7.5.2).

use async_trait::async_trait;
use serde_json::json;

use super::end;
use crate::domain::{
    AcmeAccountId, AcmeAuthorization, AcmeAuthorizationId, AcmeAuthorizationState, AcmeOrder, AcmeOrderState,
    AuditAction,
};
use crate::enrol::acme::{AcmeEvent, Problem, ProblemType};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Gives up an authorization; an order that needs it ends without a certificate.
#[derive(Debug)]
pub(crate) struct DeactivateAuthorization {
    /// Whose it is.
    pub(crate) account_id: AcmeAccountId,
    /// Which.
    pub(crate) id: AcmeAuthorizationId,
}

#[async_trait]
impl Operation for DeactivateAuthorization {
    /// Its id, and what is to be counted.
    type Output = Result<(AcmeAuthorizationId, Vec<AcmeEvent>), Problem>;
    const NAME: &'static str = "acme.deactivate_authorization";
    const ACCESS: Access = Access::OPEN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Self::Output, Error> {
        let found = cx.unit.get::<AcmeAuthorization>(self.id.as_str()).await?;
        let Some(mut authorization) = found.filter(|found| found.account_id == self.account_id) else {
            return Ok(Err(Problem::not_found("authorization")));
        };
        if authorization.state == AcmeAuthorizationState::Deactivated {
            return Ok(Ok((self.id.clone(), Vec::new())));
        }
        if !authorization.state.can_become(AcmeAuthorizationState::Deactivated) {
            let detail = format!("the authorization is {}; there is nothing to give up", authorization.state);
            return Ok(Err(Problem::malformed(detail)));
        }
        authorization.state =
            authorization.state.transition(AcmeAuthorizationState::Deactivated).map_err(Error::internal)?;
        let (now, mut events) = (cx.now(), vec![AcmeEvent::AuthorizationDeactivated]);
        if let Some(mut order) = cx.unit.get::<AcmeOrder>(authorization.order_id.as_str()).await?
            && matches!(order.state, AcmeOrderState::Pending | AcmeOrderState::Ready)
        {
            let why = Problem::new(ProblemType::Unauthorized, "an authorization of this order was given up");
            end(&mut order, (AcmeOrderState::Invalid, now), Some(&why))?;
            cx.unit.update(order);
            events.push(AcmeEvent::OrderInvalid);
        }
        let details = json!({
            "account_id": self.account_id, "name": authorization.value, "order_id": authorization.order_id,
        });
        cx.audit(AuditAction::AcmeAuthorizationDeactivated, ("acme_authorization", self.id.as_str()), details);
        cx.unit.update(authorization);
        Ok(Ok((self.id.clone(), events)))
    }
}
