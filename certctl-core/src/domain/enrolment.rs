//! Certificates that machines ask for themselves, through a protocol of their own.

use super::{Certificate, CertificateId, EnrolmentId, JobId, KeyId, Timestamp};
use crate::{entity, text_enum};

text_enum! {
    /// The protocol through which a machine asked for a certificate. [`Certificate::source`] stores its name.
    pub enum EnrolSource {
        /// ACME (RFC 8555).
        Acme = "ACME",
        /// EST (RFC 7030).
        Est = "EST",
        /// SCEP (RFC 8894).
        Scep = "SCEP",
    }
}

impl EnrolSource {
    /// Whether a certificate entered through any of them.
    pub fn is_of(certificate: &Certificate) -> bool {
        Self::ALL.iter().any(|source| source.name() == certificate.source)
    }
}

entity! {
    /// A request for a certificate under a key of its sender: sent again, it is answered with what became of it.
    pub struct Enrolment in "enrolments" as Mutable, fields EnrolmentFields {
        /// SHA-256 over the protocol, who asked, and the sender's key, in lower-case hex.
        id: EnrolmentId,
        /// The certificate that it is about.
        certificate_id: CertificateId,
        /// The job that obtains or obtained the version.
        job_id: JobId,
        /// The public key of the request: another one under the same key is another request.
        key_id: KeyId,
        /// When it was asked for, by the store's clock.
        created_at: Timestamp,
    }
    indexes []
    references [certificate_id -> Certificate]
}
