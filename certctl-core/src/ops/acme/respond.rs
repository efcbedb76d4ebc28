//! Saying that a challenge can be looked at (RFC 8555 §7.5.1).

use async_trait::async_trait;
use serde_json::json;

use super::{HOUR, config};
use crate::domain::{
    AcmeAccount, AcmeAuthorization, AcmeAuthorizationState, AcmeChallenge, AcmeChallengeId, AcmeChallengeState,
    AcmeChallengeType, AuditAction,
};
use crate::enrol::acme::Problem;
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::Query;

/// Has a challenge looked at. Again for one that is looked at already, or was: nothing happens.
#[derive(Debug)]
pub(crate) struct Respond {
    /// Whose it is.
    pub(crate) account: Record<AcmeAccount>,
    /// Which.
    pub(crate) id: AcmeChallengeId,
}

#[async_trait]
impl Operation for Respond {
    /// The type of the challenge, if this is what has it looked at.
    type Output = Result<Option<AcmeChallengeType>, Problem>;
    const NAME: &'static str = "acme.respond";
    const ACCESS: Access = Access::OPEN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Self::Output, Error> {
        let limit = config(cx.engine)?.limits.challenges_per_hour;
        cx.unit.pin(&self.account);
        let missing = || Ok(Err(Problem::not_found("challenge")));
        let found = cx.unit.get::<AcmeChallenge>(self.id.as_str()).await?;
        let Some(mut challenge) = found.filter(|found| found.account_id == self.account.id) else { return missing() };
        if challenge.state != AcmeChallengeState::Pending {
            return Ok(Ok(None));
        }
        let authorization = cx.unit.get::<AcmeAuthorization>(challenge.authorization_id.as_str()).await?;
        let Some(authorization) = authorization else { return missing() };
        let now = cx.now();
        if authorization.state != AcmeAuthorizationState::Pending {
            // Another challenge decided it.
            return Ok(Ok(None));
        }
        if authorization.expires_at <= now {
            return Ok(Err(Problem::malformed("the authorization has expired; make a new order")));
        }
        if limit > 0 {
            let fields = AcmeChallenge::FIELDS;
            let lately = Query::<AcmeChallenge>::all()
                .filter(fields.account_id.equals(self.account.id.clone()))
                .filter(fields.responded_at.at_least(Some(now - HOUR)));
            if cx.unit.total(&lately).await? >= u64::from(limit) {
                let detail = format!("an account has at most {limit} challenges looked at in an hour");
                return Ok(Err(Problem::rate_limited(detail, HOUR / 12)));
            }
        }
        challenge.state = challenge.state.transition(AcmeChallengeState::Queued).map_err(Error::internal)?;
        (challenge.due_at, challenge.responded_at) = (now, Some(now));
        let details = json!({
            "account_id": self.account.id, "type": challenge.kind, "name": authorization.value,
            "order_id": challenge.order_id,
        });
        cx.audit(AuditAction::AcmeChallengeAnswered, ("acme_challenge", self.id.as_str()), details);
        let kind = challenge.kind;
        cx.unit.update(challenge);
        Ok(Ok(Some(kind)))
    }
}
