//! What accounts have proven by challenges (RFC 8555 §7.1.4). An authorization that was made where accounts are trusted is valid
//! without any, and counts for nothing once its directory asks for proofs.

use std::collections::BTreeSet;

use crate::domain::{
    AcmeAccountId, AcmeAuthorization, AcmeAuthorizationId, AcmeAuthorizationState, AcmeChallenge, AcmeChallengeState,
    AcmeOrder, MAX_NAMES, SubjectAltName, Timestamp,
};
use crate::entity::Condition;
use crate::error::Error;
use crate::storage::{Query, Reads, UnitOfWork};

/// Authorizations of one question.
const PAGE: usize = 500;

/// Whether each name of an order was proven, and still counts as that.
pub(super) async fn order(unit: &UnitOfWork, order: &AcmeOrder) -> Result<bool, Error> {
    let mut reads = Reads::default();
    let fields = AcmeAuthorization::FIELDS;
    let authorizations = Query::<AcmeAuthorization>::all()
        .filter(fields.order_id.equals(order.id.clone()))
        .filter(fields.state.equals(AcmeAuthorizationState::Valid))
        .filter(is_good(unit.now()));
    let authorizations = reads.list(authorizations.limit(MAX_NAMES))?;
    let fields = AcmeChallenge::FIELDS;
    let met = Query::<AcmeChallenge>::all()
        .filter(fields.order_id.equals(order.id.clone()))
        .filter(fields.state.equals(AcmeChallengeState::Valid));
    // An authorization is decided by one challenge.
    let met = reads.list(met.limit(MAX_NAMES))?;
    let mut found = unit.read(reads).await?;
    let met: BTreeSet<AcmeAuthorizationId> =
        found.all(&met)?.into_iter().map(|challenge| challenge.into_entity().authorization_id).collect();
    let proven = found.all(&authorizations)?.iter().filter(|one| met.contains(&one.id)).count();
    Ok(proven == order.identifiers.len())
}

/// Whether an account has proven that it controls a name.
pub(super) async fn name(unit: &UnitOfWork, account: &AcmeAccountId, san: &SubjectAltName) -> Result<bool, Error> {
    let text = san.to_string();
    let (value, wildcard) = match text.strip_prefix("*.") {
        Some(name) => (name.to_owned(), true),
        None => (text, false),
    };
    let fields = AcmeAuthorization::FIELDS;
    let authorizations = Query::<AcmeAuthorization>::all()
        .filter(fields.account_id.equals(account.clone()))
        .filter(fields.value.equals(value))
        .filter(fields.wildcard.equals(wildcard))
        .filter(fields.state.equals(AcmeAuthorizationState::Valid))
        .filter(is_good(unit.now()));
    for page in unit.all(authorizations).await?.chunks(PAGE) {
        let fields = AcmeChallenge::FIELDS;
        let met = Query::<AcmeChallenge>::all()
            .filter(fields.authorization_id.one_of(page.iter().map(|one| one.id.clone())))
            .filter(fields.state.equals(AcmeChallengeState::Valid));
        if unit.first(met).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// That an authorization has not expired.
fn is_good(now: Timestamp) -> Condition<AcmeAuthorization> {
    AcmeAuthorization::FIELDS.expires_at.at_least(Timestamp(now.0.saturating_add(1)))
}
