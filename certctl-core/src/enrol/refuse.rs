//! Recording what a door refused by itself.

use async_trait::async_trait;
use serde_json::json;

use super::{Refusal, RefusalReason};
use crate::domain::{AuditAction, EnrolSource};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Records that a machine was refused before its request was looked at: a wrong password, a foreign certificate, too many
/// requests. Whoever calls it limits how often strangers can have it called.
#[derive(Clone, Debug)]
pub struct Refuse {
    /// The protocol.
    pub source: EnrolSource,
    /// What it was about: the name of the door's profile and the operation.
    pub subject: String,
    /// Why.
    pub refusal: Refusal,
    /// From which address the request came, if that is known.
    pub address: Option<String>,
}

#[async_trait]
impl Operation for Refuse {
    type Output = ();
    const NAME: &'static str = "enrol.refuse";
    const ACCESS: Access = Access::OPEN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let Refusal { reason, message } = &self.refusal;
        let details = json!({
            "source": self.source, "reason": reason, "message": shortened(message), "address": self.address,
        });
        cx.audit(AuditAction::EnrolmentRefused, ("enrolment", &shortened(&self.subject)), details);
        Ok(())
    }
}

/// Records a refusal of the enrolment itself.
pub(super) fn record(cx: &mut Context<'_>, source: EnrolSource, label: &str, refusal: &Refusal) {
    let Refusal { reason, message } = refusal;
    let details = json!({ "source": source, "reason": reason, "message": shortened(message) });
    cx.audit(AuditAction::EnrolmentRefused, ("enrolment", label), details);
    // Beside the audit trail, for whoever looks at the log because machines complain.
    if matches!(reason, RefusalReason::Closed | RefusalReason::Issuer) {
        tracing::warn!(%source, enrolment = label, reason = reason.name(), why = %message, "an enrolment was refused");
    } else {
        tracing::info!(%source, enrolment = label, reason = reason.name(), why = %message, "an enrolment was refused");
    }
}

/// What comes from a request has no bound of its own.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(500).collect()
}
