//! What the ACME server of this process has done, counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::problem::ProblemType;
use crate::domain::AcmeChallengeType;
use crate::text_enum;

text_enum! {
    /// What is counted together.
    pub enum AcmeFamily {
        /// Accounts, by what became of them.
        Accounts = "accounts",
        /// Authorizations, by what became of them.
        Authorizations = "authorizations",
        /// Looks at CAA records, by what they said.
        Caa = "caa_checks",
        /// Certificates, by what was done with them.
        Certificates = "certificates",
        /// Challenges, by their type and what became of them.
        Challenges = "challenges",
        /// Orders that clients finalized, by what followed at once.
        Finalizations = "finalizations",
        /// Changes of the keys of accounts.
        KeyChanges = "key_changes",
        /// Nonces, by what became of them.
        Nonces = "nonces",
        /// Orders, by what became of them.
        Orders = "orders",
        /// Refusals, by their type.
        Problems = "problems",
        /// Requests, by their resource.
        Requests = "requests",
        /// Revocations, by what proved that they were rightful.
        Revocations = "revocations",
    }
}

text_enum! {
    /// A resource that was called (RFC 8555 §7.1).
    pub enum AcmeResource {
        /// An account.
        Account = "account",
        /// An authorization.
        Authorization = "authz",
        /// The certificate of an order.
        Certificate = "cert",
        /// A challenge.
        Challenge = "challenge",
        /// The directory.
        Directory = "directory",
        /// Where an order is finalized.
        Finalize = "finalize",
        /// Where the key of an account is changed.
        KeyChange = "key-change",
        /// Where accounts are made and found.
        NewAccount = "new-account",
        /// Where nonces come from.
        NewNonce = "new-nonce",
        /// Where orders are made.
        NewOrder = "new-order",
        /// An order.
        Order = "order",
        /// The orders of an account.
        Orders = "orders",
        /// When a certificate should be renewed (RFC 9773).
        RenewalInfo = "renewal-info",
        /// Where certificates are revoked.
        RevokeCertificate = "revoke-cert",
    }
}

/// Something that is counted, after it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum AcmeEvent {
    /// An account was made.
    AccountCreated,
    /// An account was closed by its holder.
    AccountDeactivated,
    /// Somebody asked for an account that there was.
    AccountFound,
    /// An account has other contacts.
    AccountUpdated,
    /// An authorization was given up.
    AuthorizationDeactivated,
    /// A challenge of an authorization was not met.
    AuthorizationInvalid,
    /// A name was proven.
    AuthorizationValid,
    /// The DNS did not say whether there are CAA records.
    CaaFailed,
    /// CAA records forbid a certificate.
    CaaForbidden,
    /// CAA records, or that there are none, allow a certificate.
    CaaPermitted,
    /// A certificate was issued for an order.
    CertificateIssued,
    /// A client fetched its certificate.
    CertificateFetched,
    /// A client said that a challenge can be looked at.
    ChallengeAnswered(AcmeChallengeType),
    /// A challenge was not met for the last time.
    ChallengeInvalid(AcmeChallengeType),
    /// A challenge was not met, and is looked at again.
    ChallengeRepeated(AcmeChallengeType),
    /// A challenge was met.
    ChallengeValid(AcmeChallengeType),
    /// An order was finalized, and had its certificate at once.
    FinalizationIssued,
    /// An order was finalized, and its certificate is being obtained.
    FinalizationProcessing,
    /// An order was not finalized.
    FinalizationRefused,
    /// An account has another key.
    KeyChanged,
    /// A nonce was not accepted.
    NonceBad,
    /// A nonce was made.
    NonceMade,
    /// A nonce was used up.
    NonceUsed,
    /// An order was made.
    OrderCreated,
    /// An order was not finalized in time.
    OrderExpired,
    /// An order ended without a certificate.
    OrderInvalid,
    /// An order has its certificate.
    OrderValid,
    /// A request was refused.
    Refused(ProblemType),
    /// A request came.
    Requested(AcmeResource),
    /// A certificate was revoked by an account.
    RevokedByAccount,
    /// A certificate was revoked by whoever has its key.
    RevokedByKey,
}

/// A number for each event.
#[derive(Debug)]
pub(crate) struct Counts(BTreeMap<AcmeEvent, AtomicU64>);

impl AcmeFamily {
    /// What is counted, as a sentence.
    pub const fn help(self) -> &'static str {
        match self {
            Self::Accounts => "ACME accounts, by what became of them.",
            Self::Authorizations => "ACME authorizations, by what became of them.",
            Self::Caa => "Looks of the ACME server at CAA records, by what they said.",
            Self::Certificates => "Certificates for ACME orders, by what was done with them.",
            Self::Challenges => "ACME challenges, by their type and what became of them.",
            Self::Finalizations => "ACME orders that clients finalized, by what followed at once.",
            Self::KeyChanges => "Changes of the keys of ACME accounts.",
            Self::Nonces => "ACME nonces of this server, by what became of them.",
            Self::Orders => "ACME orders, by what became of them.",
            Self::Problems => "Refusals of the ACME server, by the type of the problem.",
            Self::Requests => "Requests to the ACME server, by resource.",
            Self::Revocations => "Revocations by ACME, by whose key asked for them.",
        }
    }

    /// What it counts.
    pub fn events(self) -> impl Iterator<Item = AcmeEvent> {
        events().filter(move |event| event.family() == self)
    }
}

impl AcmeEvent {
    /// What it is counted with.
    pub const fn family(self) -> AcmeFamily {
        self.place().0
    }

    /// By which labels it is told from others of its family, with their values.
    pub fn labels(self) -> Vec<(&'static str, &'static str)> {
        let (_, label, value) = self.place();
        let result = (!label.is_empty()).then_some((label, value));
        let kind = match self {
            Self::ChallengeAnswered(kind)
            | Self::ChallengeInvalid(kind)
            | Self::ChallengeRepeated(kind)
            | Self::ChallengeValid(kind) => Some(("type", kind.name())),
            _ => None,
        };
        kind.into_iter().chain(result).collect()
    }

    /// The family, and the label that it has there with its value.
    const fn place(self) -> (AcmeFamily, &'static str, &'static str) {
        use AcmeFamily as F;
        const RESULT: &str = "result";
        match self {
            Self::AccountCreated => (F::Accounts, RESULT, "created"),
            Self::AccountDeactivated => (F::Accounts, RESULT, "deactivated"),
            Self::AccountFound => (F::Accounts, RESULT, "found"),
            Self::AccountUpdated => (F::Accounts, RESULT, "updated"),
            Self::AuthorizationDeactivated => (F::Authorizations, RESULT, "deactivated"),
            Self::AuthorizationInvalid => (F::Authorizations, RESULT, "invalid"),
            Self::AuthorizationValid => (F::Authorizations, RESULT, "valid"),
            Self::CaaFailed => (F::Caa, RESULT, "failed"),
            Self::CaaForbidden => (F::Caa, RESULT, "forbidden"),
            Self::CaaPermitted => (F::Caa, RESULT, "permitted"),
            Self::CertificateIssued => (F::Certificates, RESULT, "issued"),
            Self::CertificateFetched => (F::Certificates, RESULT, "fetched"),
            Self::ChallengeAnswered(_) => (F::Challenges, RESULT, "answered"),
            Self::ChallengeInvalid(_) => (F::Challenges, RESULT, "invalid"),
            Self::ChallengeRepeated(_) => (F::Challenges, RESULT, "repeated"),
            Self::ChallengeValid(_) => (F::Challenges, RESULT, "valid"),
            Self::FinalizationIssued => (F::Finalizations, RESULT, "issued"),
            Self::FinalizationProcessing => (F::Finalizations, RESULT, "processing"),
            Self::FinalizationRefused => (F::Finalizations, RESULT, "refused"),
            Self::KeyChanged => (F::KeyChanges, "", ""),
            Self::NonceBad => (F::Nonces, RESULT, "bad"),
            Self::NonceMade => (F::Nonces, RESULT, "made"),
            Self::NonceUsed => (F::Nonces, RESULT, "used"),
            Self::OrderCreated => (F::Orders, RESULT, "created"),
            Self::OrderExpired => (F::Orders, RESULT, "expired"),
            Self::OrderInvalid => (F::Orders, RESULT, "invalid"),
            Self::OrderValid => (F::Orders, RESULT, "valid"),
            Self::Refused(kind) => (F::Problems, "type", kind.name()),
            Self::Requested(resource) => (F::Requests, "resource", resource.name()),
            Self::RevokedByAccount => (F::Revocations, "by", "account"),
            Self::RevokedByKey => (F::Revocations, "by", "key"),
        }
    }
}

impl Counts {
    pub(super) fn note(&self, event: AcmeEvent) {
        if let Some(count) = self.0.get(&event) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn of(&self, event: AcmeEvent) -> u64 {
        self.0.get(&event).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

impl Default for Counts {
    /// Zero of everything.
    fn default() -> Self {
        Self(events().map(|event| (event, AtomicU64::default())).collect())
    }
}

/// Everything that is counted, family by family.
fn events() -> impl Iterator<Item = AcmeEvent> {
    use AcmeEvent as E;
    let challenges = [E::ChallengeAnswered, E::ChallengeValid, E::ChallengeInvalid, E::ChallengeRepeated];
    let challenges = AcmeChallengeType::ALL.iter().flat_map(move |kind| challenges.map(|event| event(*kind)));
    let refusals = ProblemType::ALL.iter().map(|kind| E::Refused(*kind));
    let requests = AcmeResource::ALL.iter().map(|resource| E::Requested(*resource));
    PLAIN.iter().copied().chain(challenges).chain(refusals).chain(requests)
}

/// The events without a type or resource.
const PLAIN: &[AcmeEvent] = &[
    AcmeEvent::AccountCreated,
    AcmeEvent::AccountDeactivated,
    AcmeEvent::AccountFound,
    AcmeEvent::AccountUpdated,
    AcmeEvent::AuthorizationDeactivated,
    AcmeEvent::AuthorizationInvalid,
    AcmeEvent::AuthorizationValid,
    AcmeEvent::CaaFailed,
    AcmeEvent::CaaForbidden,
    AcmeEvent::CaaPermitted,
    AcmeEvent::CertificateIssued,
    AcmeEvent::CertificateFetched,
    AcmeEvent::FinalizationIssued,
    AcmeEvent::FinalizationProcessing,
    AcmeEvent::FinalizationRefused,
    AcmeEvent::KeyChanged,
    AcmeEvent::NonceBad,
    AcmeEvent::NonceMade,
    AcmeEvent::NonceUsed,
    AcmeEvent::OrderCreated,
    AcmeEvent::OrderExpired,
    AcmeEvent::OrderInvalid,
    AcmeEvent::OrderValid,
    AcmeEvent::RevokedByAccount,
    AcmeEvent::RevokedByKey,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_counted_by_itself() {
        let counts = Counts::default();
        for event in events() {
            assert_eq!(counts.of(event), 0, "{event:?}");
            counts.note(event);
            assert_eq!(counts.of(event), 1, "{event:?}");
        }
        let mut told: Vec<_> = events().map(|event| (event.family(), event.labels())).collect();
        let all = told.len();
        told.sort();
        told.dedup();
        assert_eq!(told.len(), all, "two events have the same labels");
        assert!(AcmeFamily::ALL.iter().all(|family| family.events().next().is_some()));
    }
}
