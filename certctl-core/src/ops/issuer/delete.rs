//! Deleting an issuer.

use async_trait::async_trait;
use serde_json::json;

use crate::domain::{
    AuditAction, AuthorityRecord, AuthorityState, ConnectorStateRecord, IssuerId, IssuerRecord, RenewalPolicy,
    RevocationNotice, RevocationNoticeState, VersionSerial,
};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::Query;

/// Renewal policies that are looked at.
const POLICIES: usize = 1_000;
/// What an issuer keeps: an account for each CA that it was configured with.
const KEPT: usize = 1_000;

/// Deletes an issuer that no certificate names, and of which nothing is valid.
#[derive(Clone, Debug)]
pub struct Delete {
    /// Which.
    pub id: IssuerId,
}

#[async_trait]
impl Operation for Delete {
    type Output = ();
    const NAME: &'static str = "issuer.delete";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let found = cx.unit.get::<IssuerRecord>(self.id.as_str()).await?;
        let issuer = found.ok_or_else(|| Error::not_found("issuer", &self.id))?;
        // Few policies, and no reference of the store looks into their lists.
        for policy in cx.unit.list(Query::<RenewalPolicy>::all().limit(POLICIES)).await?.records {
            if policy.fallback_issuer_ids.contains(&self.id) {
                let message = format!(
                    "renewal policy `{}` falls back on issuer `{}`; take it out there first",
                    policy.id, self.id
                );
                return Err(Error::conflict("in_use", message));
            }
        }
        // Nobody could tell it any more.
        let fields = RevocationNotice::FIELDS;
        let untold = Query::<RevocationNotice>::all()
            .filter(fields.partition.equals(RevocationNotice::partition(&self.id)))
            .filter(fields.state.one_of([
                RevocationNoticeState::Pending,
                RevocationNoticeState::Failed,
                RevocationNoticeState::Telling,
            ]));
        let untold = cx.unit.total(&untold).await?;
        if untold > 0 {
            let message = format!("issuer `{}` has yet to be told of {untold} revocations; wait for that", self.id);
            return Err(Error::conflict("in_use", message));
        }
        // What it made may belong to certificates that others renew now: who else would tell of its revocation?
        let fields = VersionSerial::FIELDS;
        let valid = Query::sorted(fields.not_after.ascending())
            .filter(fields.issuer_id.equals(self.id.clone()))
            .filter(fields.not_after.at_least(cx.now()));
        if let Some(version) = cx.unit.first::<VersionSerial>(valid).await? {
            let message = format!(
                "certificate {} of issuer `{}` is valid until {}; delete the issuer when nothing is valid that it made, and \
                 disable it until then",
                version.serial_number, self.id, version.not_after
            );
            return Err(Error::conflict("in_use", message));
        }
        cx.unit.delete(&issuer);
        // Another issuer that takes its id is another CA.
        let fields = AuthorityRecord::FIELDS;
        let own = Query::<AuthorityRecord>::all()
            .filter(fields.owner.equals(self.id.to_string()))
            .filter(fields.state.equals(AuthorityState::Active));
        for mut authority in cx.unit.list(own.limit(KEPT)).await?.records {
            authority.state = AuthorityState::Superseded;
            cx.unit.update(authority);
        }
        // What it kept means nothing to another issuer that takes its id.
        let fields = ConnectorStateRecord::FIELDS;
        let kept = Query::<ConnectorStateRecord>::all().filter(fields.connector.equals(self.id.to_string()));
        for kept in cx.unit.list(kept.limit(KEPT)).await?.records {
            cx.unit.delete(&kept);
        }
        cx.audit(AuditAction::IssuerDeleted, ("issuer", self.id.as_str()), json!({ "name": issuer.name }));
        Ok(())
    }
}
