//! Who asks: by password, by client certificate (RFC 7030 §3.2.3, §3.3.2).

use std::sync::Arc;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certctl_core::domain::{Fingerprint, SubjectNames};
use certctl_core::enrol::Refusal;
use certctl_core::ports::Secret;

use super::answer::Failure;
use super::trust::{self, Shown};
use super::{EstAccess, EstProfile, Operation, Way};
use crate::listen::TlsChannel;
use crate::router::Api;

/// Who has proven to be asking.
#[derive(Debug)]
pub(super) struct Client {
    /// By which certificate, if by one.
    pub(super) shown: Option<Shown>,
}

impl Client {
    /// Whose certificates are counted together. Who showed a certificate is known by it. Of all others nothing is proven, so
    /// their certificates are counted by what they are for, whatever common name is put before it.
    pub(super) fn limited_as(&self, asked: &SubjectNames) -> String {
        if self.shown.is_some() {
            return format!("certificate {}", name(self, asked));
        }
        let sans = asked.san_texts();
        let names = if sans.is_empty() { asked.common_name.clone().unwrap_or_default() } else { sans.join("\n") };
        // Of one length, however many names there are.
        format!("names {}", Fingerprint::of(names.as_bytes()))
    }
}

/// Finds out who asks, before anything of the request itself is read.
pub(super) async fn prove(
    api: &Api,
    profile: &EstProfile,
    (way, operation): (Way, Operation),
    (headers, channel): (&HeaderMap, Option<&Arc<TlsChannel>>),
) -> Result<Client, Failure> {
    let channel = channel.filter(|channel| !channel.certificates.is_empty());
    let password = Password::sent(headers);
    if operation == Operation::SimpleReenroll {
        let Some(channel) = channel else {
            let text = "show the certificate that is renewed in the TLS handshake";
            return Err(Failure::new(StatusCode::FORBIDDEN, text));
        };
        if let EstAccess::Both(known, _) = &profile.access {
            password.must_be(known)?;
        }
        let shown = trust::by_issuer(api, profile, channel).await?;
        return shown.map(|shown| Client { shown: Some(shown) }).map_err(untrusted);
    }
    let no_certificate = || {
        Failure::new(StatusCode::FORBIDDEN, "show a client certificate in the TLS handshake that this server trusts")
    };
    match (&profile.access, channel) {
        (EstAccess::Certificate(_), Some(channel)) => by_certificate(api, profile, channel).await,
        (EstAccess::Either(..), Some(channel)) if way == Way::Mtls => by_certificate(api, profile, channel).await,
        (EstAccess::Either(..), None) if way == Way::Mtls => Err(no_certificate()),
        (EstAccess::Either(..), Some(channel)) if password == Password::None => {
            let proven = by_certificate(api, profile, channel).await;
            proven.map_err(|failure| failure.with_status(StatusCode::UNAUTHORIZED).asking_for_password())
        }
        (EstAccess::Password(known) | EstAccess::Either(known, _), _) => {
            password.must_be(known)?;
            Ok(Client { shown: None })
        }
        (EstAccess::Both(known, _), Some(channel)) => {
            password.must_be(known)?;
            by_certificate(api, profile, channel).await
        }
        (EstAccess::Certificate(_) | EstAccess::Both(..), None) => Err(no_certificate()),
    }
}

async fn by_certificate(api: &Api, profile: &EstProfile, channel: &Arc<TlsChannel>) -> Result<Client, Failure> {
    let shown = trust::by_profile(api, profile, channel).await?;
    shown.map(|shown| Client { shown: Some(shown) }).map_err(untrusted)
}

fn untrusted(why: Refusal) -> Failure {
    let text = format!("the client certificate is not trusted here: {}", why.message);
    Failure::because(StatusCode::FORBIDDEN, Refusal::new(why.reason, text))
}

/// The password of a request.
#[derive(PartialEq, Eq)]
enum Password {
    /// There is none; a bearer key is none either.
    None,
    /// The header is there and cannot be read.
    Unreadable,
    Sent(Secret),
}

impl Password {
    /// RFC 7617 §2.
    fn sent(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(AUTHORIZATION) else { return Self::None };
        let Some((scheme, credentials)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
            return Self::Unreadable;
        };
        if !scheme.eq_ignore_ascii_case("basic") {
            return Self::None;
        }
        let decoded = STANDARD.decode(credentials.trim()).ok().and_then(|octets| String::from_utf8(octets).ok());
        match decoded.as_deref().and_then(|decoded| decoded.split_once(':')) {
            Some((_, password)) => Self::Sent(Secret::new(password)),
            None => Self::Unreadable,
        }
    }

    fn must_be(&self, known: &Secret) -> Result<(), Failure> {
        let failure = match self {
            Self::Sent(sent) if known.is(sent.expose()) => return Ok(()),
            Self::None => Failure::new(StatusCode::UNAUTHORIZED, "send the enrolment password by HTTP Basic"),
            Self::Unreadable => {
                let text = "the header Authorization cannot be read; send `Basic` and base64 of NAME:PASSWORD";
                Failure::denied(StatusCode::UNAUTHORIZED, text)
            }
            Self::Sent(_) => Failure::denied(StatusCode::UNAUTHORIZED, "the enrolment password is wrong"),
        };
        Err(failure.asking_for_password())
    }
}

/// What a machine is called: as its certificate says, or else as the one that it asks for.
pub(super) fn name(client: &Client, asked: &SubjectNames) -> String {
    let names = client.shown.as_ref().map_or(asked, |shown| &shown.facts.names);
    let first = || names.sans.iter().next().map(ToString::to_string);
    let subject = || client.shown.as_ref().map(|shown| shown.facts.subject.clone());
    let name = names.common_name.clone().or_else(first).or_else(subject).unwrap_or_default();
    name.chars().filter(|c| !c.is_control()).take(150).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: &str) -> Password {
        Password::sent(&HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]))
    }

    #[test]
    fn a_password_follows_the_first_colon() {
        let known = Secret::new("pass:word");
        let right = STANDARD.encode("any name:pass:word");
        assert!(sent(&format!("Basic {right}")).must_be(&known).is_ok());
        assert!(sent(&format!("bASIC  {right}")).must_be(&known).is_ok());
        for wrong in ["any name:pass", "pass:word", "x:pass:word ", "x:"] {
            let failure = sent(&format!("Basic {}", STANDARD.encode(wrong))).must_be(&known).unwrap_err();
            assert!(failure.denied.is_some(), "{wrong}");
        }
        for unreadable in ["Basic", "Basic !", "Basic YQ==", "nothing"] {
            assert!(sent(unreadable) == Password::Unreadable, "{unreadable}");
        }
        // A key of the API is ignored; whoever sends nothing has not failed.
        assert!(sent("Bearer abc") == Password::None && Password::sent(&HeaderMap::new()) == Password::None);
        assert!(Password::None.must_be(&known).unwrap_err().denied.is_none());
    }
}
