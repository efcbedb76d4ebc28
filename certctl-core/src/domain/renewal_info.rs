//! Renewal information (RFC 9773): how a certificate is named to its CA, and the window that the CA suggested.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Certificate, CertificateFacts, CertificateId, IssuerId, Timestamp, VersionId};
use crate::entity;
use crate::entity::Index;

/// The unique identifier by which a CA knows a certificate (RFC 9773 §4.1): the key identifier of its authority and its serial
/// number, both base64url without padding, with a period between them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RenewalInfoId(String);

impl RenewalInfoId {
    /// That of a certificate; `None` where it does not name the key of its authority.
    pub fn of(facts: &CertificateFacts) -> Option<Self> {
        let authority = URL_SAFE_NO_PAD.encode(facts.authority_key_id.as_ref()?);
        // The contents of the INTEGER, so with the octet that keeps the number positive.
        let serial = URL_SAFE_NO_PAD.encode(facts.serial.to_integer());
        Some(Self(format!("{authority}.{serial}")))
    }

    /// As the CA reads it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RenewalInfoId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose order it was: a CA knows its certificates by the account that ordered them, and accounts by its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuingAccount {
    /// The URL of the CA's directory (RFC 8555 §7.1.1).
    pub directory: String,
    /// The URL of the account at that CA (RFC 8555 §7.3).
    pub account: String,
}

entity! {
    /// What a CA last said of when to renew one version, and when it is asked again.
    pub struct RenewalAdvice in "renewal_advice" as Mutable, fields RenewalAdviceFields {
        /// The version that it is about: advice is bound to it, and never to times.
        id: VersionId,
        /// The certificate that it is a version of.
        certificate_id: CertificateId,
        /// Who holds its key: an agent's id, or empty.
        key_holder: String,
        /// Who issued it and is asked.
        issuer_id: IssuerId,
        /// How the CA knows it (RFC 9773 §4.1).
        renewal_info_id: String,
        /// When it was issued, by the store's clock.
        issued_at: Timestamp,
        /// The first moment of the suggested window; absent before the first answer.
        window_start: Option<Timestamp>,
        /// Its last moment.
        window_end: Option<Timestamp>,
        /// The moment within it that was drawn, once for each window.
        selected_at: Option<Timestamp>,
        /// Where people read why.
        explanation_url: Option<String>,
        /// When the CA last answered.
        checked_at: Option<Timestamp>,
        /// When the CA is asked again.
        next_check: Timestamp,
        /// Failed questions since the last answer.
        failures: i64,
        /// Why the last question failed.
        last_error: Option<String>,
    }
    indexes [
        Index::on("renewal_advice_due", &["next_check", "id"]),
        Index::on("renewal_advice_of", &["certificate_id", "issued_at"]),
    ]
    references [certificate_id -> Certificate]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::certificate::parse;

    /// The certificate of RFC 9773, appendix A.
    const EXAMPLE: &str = "MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFtcGxlIENBMCIYDzAwMDEwMTAxMDAw\
                           MDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDASBgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD\
                           QgAEeBZu7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFfqzLQ2PPQxdTXREYEnKMj\
                           MCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4ByNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuE\
                           RV6cT4mfutXIlwTb+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK";

    #[test]
    fn the_identifier_is_that_of_the_example_of_rfc_9773_section_4_1() {
        let der = base64::engine::general_purpose::STANDARD.decode(EXAMPLE).unwrap();
        let facts = parse(&der).unwrap();
        let id = RenewalInfoId::of(&facts).unwrap();
        // The serial number 87:65:43:21 keeps the octet that makes it positive.
        assert_eq!(id.as_str(), "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
        let nameless = CertificateFacts { authority_key_id: None, ..facts };
        assert_eq!(RenewalInfoId::of(&nameless), None);
    }
}
