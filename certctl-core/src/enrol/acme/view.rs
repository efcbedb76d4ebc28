//! Accounts, orders, authorizations and challenges as clients see them (RFC 8555 §7.1).

use std::time::Duration;

use serde_json::{Value, json};

use super::Directory;
use crate::domain::{
    AcmeAccount, AcmeAuthorization, AcmeAuthorizationState, AcmeChallenge, AcmeChallengeState, AcmeIdentifier,
    AcmeOrder, AcmeOrderState, Timestamp,
};

/// When to ask again for what is under way.
pub(super) const SOON: Duration = Duration::from_secs(3);

pub(super) fn account(directory: &Directory, account: &AcmeAccount) -> Value {
    json!({
        "status": account.state, "contact": account.contact.0,
        "termsOfServiceAgreed": account.terms_agreed_at.is_some(), "orders": directory.orders(&account.id),
    })
}

/// What an order's state comes to now.
pub(crate) fn order_state(order: &AcmeOrder, now: Timestamp) -> AcmeOrderState {
    match order.state {
        AcmeOrderState::Pending | AcmeOrderState::Ready if order.expires_at <= now => AcmeOrderState::Invalid,
        state => state,
    }
}

/// An order; `replaces` is how the client named what it replaces (RFC 9773 §5).
pub(super) fn order(
    directory: &Directory,
    (order, replaces): (&AcmeOrder, Option<&str>),
    authorizations: &[AcmeAuthorization],
    now: Timestamp,
) -> Value {
    let state = order_state(order, now);
    // In the order of the names, whatever their ids.
    let of = |identifier: &AcmeIdentifier| {
        let (value, wildcard) = identifier.authorized();
        let is =
            |one: &&AcmeAuthorization| one.kind == identifier.kind && one.value == value && one.wildcard == wildcard;
        authorizations.iter().find(is).map(|one| directory.authorization(&one.id))
    };
    let authorizations: Vec<String> = order.identifiers.iter().filter_map(of).collect();
    let mut view = json!({
        "status": state, "expires": order.expires_at.floor_to_second(), "identifiers": order.identifiers.0,
        "authorizations": authorizations, "finalize": directory.finalize(&order.id),
    });
    if state == AcmeOrderState::Valid {
        view["certificate"] = json!(directory.certificate(&order.id));
    }
    if let Some(replaces) = replaces {
        view["replaces"] = json!(replaces);
    }
    if let Some(error) = order.error.as_deref().and_then(stored) {
        view["error"] = error;
    }
    view
}

pub(super) fn authorization(
    directory: &Directory,
    authorization: &AcmeAuthorization,
    challenges: &[AcmeChallenge],
    now: Timestamp,
) -> Value {
    let status = match authorization.state {
        AcmeAuthorizationState::Valid if authorization.expires_at <= now => "expired",
        AcmeAuthorizationState::Pending if authorization.expires_at <= now => "invalid",
        state => state.name(),
    };
    // Of one that has ended, only the challenge that ended it is of interest (RFC 8555 §7.1.4).
    let ended = authorization.state != AcmeAuthorizationState::Pending;
    let shown = challenges
        .iter()
        .filter(|challenge| !ended || !matches!(challenge.state, AcmeChallengeState::Pending))
        .map(|challenge| self::challenge(directory, challenge));
    let mut view = json!({
        "status": status, "expires": authorization.expires_at.floor_to_second(),
        "identifier": AcmeIdentifier { kind: authorization.kind, value: authorization.value.clone() },
        "challenges": shown.collect::<Vec<_>>(),
    });
    if authorization.wildcard {
        view["wildcard"] = json!(true);
    }
    view
}

pub(super) fn challenge(directory: &Directory, challenge: &AcmeChallenge) -> Value {
    let status = match challenge.state {
        AcmeChallengeState::Queued | AcmeChallengeState::Running => "processing",
        state => state.name(),
    };
    let mut view = json!({
        "type": challenge.kind, "url": directory.challenge(&challenge.id), "status": status, "token": challenge.token,
    });
    if let Some(at) = challenge.validated_at {
        view["validated"] = json!(at.floor_to_second());
    }
    if let Some(error) = challenge.error.as_deref().and_then(stored) {
        view["error"] = error;
    }
    view
}

/// A problem document that is stored.
fn stored(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}
