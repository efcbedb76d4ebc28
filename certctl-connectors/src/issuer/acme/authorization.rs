//! Which challenge of an authorization is answered.

use certctl_core::connector::{ConnectorError, ConnectorErrorKind};

use super::challenge::Offer;
use super::config::{AcmeChallenge, AcmeTerms};
use super::problem::plain;
use super::wire::{Authorization, Challenge, Identifier};

/// The challenge to answer; `None` where the CA believes us already (RFC 8555 §7.4.1).
///
/// # Errors
/// What an authorization ended with; a permanent error where it is for a name that was not ordered; a policy error where the CA
/// offers no challenge of the kind that is configured.
pub(super) fn chosen(
    terms: &AcmeTerms,
    ordered: &[Identifier],
    authorization: &Authorization,
) -> Result<Option<Offer>, ConnectorError> {
    match authorization.status.as_str() {
        "valid" => return Ok(None),
        "pending" => {}
        _ => return Err(ended(authorization)),
    }
    let identifier = shown(ordered, authorization)?;
    let offered = |kind: AcmeChallenge| authorization.challenges.iter().find(|challenge| challenge.kind == kind.name());
    let found = match terms.challenge {
        AcmeChallenge::DnsPersist01 => match offered(AcmeChallenge::DnsPersist01) {
            Some(challenge) => Some((AcmeChallenge::DnsPersist01, challenge)),
            // A CA that has no standing records yet.
            None => offered(AcmeChallenge::Dns01).map(|challenge| (AcmeChallenge::Dns01, challenge)),
        },
        kind => offered(kind).map(|challenge| (kind, challenge)),
    };
    let Some((kind, challenge)) = found else {
        let kinds: Vec<&str> = authorization.challenges.iter().map(|challenge| challenge.kind.as_str()).collect();
        let why = format!(
            "for {} the CA offers {}, and challenge_type is {}; configure one that it offers",
            identifier.value,
            if kinds.is_empty() { "no challenge".to_owned() } else { kinds.join(", ") },
            terms.challenge.name()
        );
        return Err(ConnectorError::new(ConnectorErrorKind::Policy, why));
    };
    check(terms, kind, challenge)?;
    Ok(Some(Offer {
        kind,
        identifier,
        wildcard: authorization.wildcard,
        url: challenge.url.clone(),
        token: challenge.token.clone(),
    }))
}

/// What is to be shown to be ours, as it was ordered: a name, or the name that a wildcard is of (RFC 8555 §7.1.4). It becomes the
/// name of a record, and part of the environment of programs, so a CA has no other say in it.
fn shown(ordered: &[Identifier], authorization: &Authorization) -> Result<Identifier, ConnectorError> {
    let named = &authorization.identifier;
    let is_named = |ours: &Identifier| match (ours.address(), named.address()) {
        (Some(ours), Some(named)) => ours == named,
        _ => ours.kind == named.kind && ours.value.eq_ignore_ascii_case(&named.value),
    };
    let mut candidates = ordered.iter().filter_map(|ours| match (ours.of_wildcard(), authorization.wildcard) {
        (Some(name), true) => Some(name),
        (None, false) => Some(ours.clone()),
        _ => None,
    });
    candidates.find(is_named).ok_or_else(|| {
        let why = format!("the CA wants to be shown {}, which was not ordered", plain(&named.value));
        ConnectorError::permanent(why).begin_anew()
    })
}

fn check(terms: &AcmeTerms, kind: AcmeChallenge, challenge: &Challenge) -> Result<(), ConnectorError> {
    if kind != AcmeChallenge::DnsPersist01 {
        // RFC 8555 §8.1: base64url, at least 128 bits. It becomes part of a path, and of the environment of programs.
        let token = &challenge.token;
        let plain = token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if plain && (22..=128).contains(&token.len()) {
            return Ok(());
        }
        return Err(ConnectorError::permanent("the CA's challenge has a token that is none (RFC 8555 §8.1)"));
    }
    let ours = terms.persist_issuer.as_deref().unwrap_or_default();
    let names = &challenge.issuer_domain_names;
    if names.is_empty() || names.iter().any(|name| name.trim_end_matches('.').eq_ignore_ascii_case(ours)) {
        return Ok(());
    }
    let why =
        format!("in standing records the CA is called {}; put that into dns_persist_issuer_domain", names.join(" or "));
    Err(ConnectorError::new(ConnectorErrorKind::Policy, why))
}

/// Why an authorization came to nothing. Its order is lost with it.
pub(super) fn ended(authorization: &Authorization) -> ConnectorError {
    let name = plain(&authorization.identifier.value);
    let problem =
        authorization.challenges.iter().find_map(|challenge| challenge.error.as_ref().map(|p| (challenge, p)));
    let (kind, why) = if let Some((challenge, problem)) = problem {
        let why = format!("the CA does not believe that {name} is ours ({}): {}", challenge.kind, problem.text());
        (problem.ended(), why)
    } else {
        (ConnectorErrorKind::Challenge, format!("the CA's authorization for {name} is {}", authorization.status))
    };
    ConnectorError::new(kind, why).begin_anew()
}
