//! What a client is answered, and how what the enrolment says becomes that.

use crate::enrol::{Refusal, RefusalReason};
use crate::pki::scep::FailInfo;

/// The answer to a request, for whoever transports it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// A CertRep: success, failure or pending.
    Message {
        /// Its DER.
        octets: Vec<u8>,
        /// Whether it says no because what should prove who asks is missing or wrong, or because of what is inside, with which
        /// somebody may be trying something out.
        wrong_proof: bool,
    },
    /// To the lightweight form: SignedData that nobody signed, with the certificate and those above it.
    Certificates(Vec<u8>),
    /// To the lightweight form: somebody has to decide first. The same request is answered when they have.
    Pending,
    /// To the lightweight form: the challenge password is missing or wrong.
    Forbidden,
    /// To the lightweight form: why there is no certificate.
    Refused(String),
    /// The request is so damaged that it cannot be answered in the protocol.
    Malformed(String),
}

/// The reason in SCEP's words (RFC 8894 §3.2.1.4).
pub(super) const fn fail_info(refusal: &Refusal) -> FailInfo {
    match refusal.reason {
        RefusalReason::Predecessor => FailInfo::BadCertId,
        RefusalReason::Malformed => FailInfo::BadMessageCheck,
        _ => FailInfo::BadRequest,
    }
}

/// The reason for people, where SCEP's words are all that a client may learn.
pub(super) const fn text(fail: FailInfo) -> &'static str {
    match fail {
        FailInfo::BadAlg => "an algorithm of the message is not accepted here",
        FailInfo::BadMessageCheck => "the message is damaged, or is not signed or encrypted as it should be",
        FailInfo::BadRequest => "this is not done here",
        FailInfo::BadTime => "the message was signed at another time; set the clock",
        FailInfo::BadCertId => "there is no such certificate, or it may not be used for this",
    }
}
