//! What a machine is answered.

use crate::domain::{CertificateId, Chain, JobId, VersionId};
use crate::error::{Error, ErrorKind};
use crate::jobs::compromised;
use crate::text_enum;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enrolled {
    /// The certificate is there.
    Issued {
        /// The managed certificate.
        certificate_id: CertificateId,
        /// Its version.
        version_id: VersionId,
        /// The job that obtained it.
        job_id: JobId,
        /// The certificate first, then those of its issuers as the issuer gave them.
        chain: Chain,
    },
    /// It is not there yet: ask again, with the same key.
    Pending {
        /// The managed certificate.
        certificate_id: CertificateId,
        /// The job that obtains it.
        job_id: JobId,
        /// For whom it waits.
        waits_for: WaitsFor,
    },
    /// There will be none. Nothing was issued; the audit trail says why.
    Refused(Refusal),
}

/// For whom a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// Somebody has to approve.
    Approval,
    /// The issuer has not answered.
    Issuer,
}

/// Why there is no certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of reason.
    pub reason: RefusalReason,
    /// What does not fit and what would, for the client.
    pub message: String,
}

text_enum! {
    /// What kind of reason a request is refused for.
    pub enum RefusalReason {
        /// The server's issuer, profile or defaults cannot be used; its operator has to mend that.
        Closed = "closed",
        /// The proof of who asks is missing or wrong.
        Credential = "credential",
        /// An agent holds the key of this certificate.
        HeldByAgents = "held_by_agents",
        /// Another request for this certificate is under way.
        InProgress = "in_progress",
        /// The issuer refused, or cannot be reached.
        Issuer = "issuer",
        /// The key belongs to another certificate, or is compromised.
        KeyInUse = "key_in_use",
        /// The request cannot be read, or does not prove that its sender holds the key.
        Malformed = "malformed",
        /// The names are not those that may be asked for.
        Names = "names",
        /// The certificate is revoked, on hold or archived.
        NotIssuable = "not_issuable",
        /// A policy rule forbids it.
        Policy = "policy",
        /// The certificate to renew is none of this server's, or has expired.
        Predecessor = "predecessor",
        /// The profile does not allow it.
        Profile = "profile",
        /// The client asked too often.
        RateLimited = "rate_limited",
        /// Somebody rejected or cancelled the request.
        Rejected = "rejected",
        /// The client's key for repeating a request came with another one.
        Repeated = "repeated",
    }
}

impl Refusal {
    /// A refusal of this kind.
    pub fn new(reason: RefusalReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// Why an operation goes no further.
pub(super) enum Stop {
    /// The client is told, and it is recorded.
    Refused(Refusal),
    /// The engine failed.
    Failed(Error),
}

impl Stop {
    pub(super) fn because<T>(reason: RefusalReason, message: impl Into<String>) -> Result<T, Self> {
        Err(Self::Refused(Refusal::new(reason, message)))
    }
}

impl From<crate::storage::StorageError> for Stop {
    fn from(error: crate::storage::StorageError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Error> for Stop {
    /// What an order is refused for is told to the client; what is the operator's to mend is told without its details.
    fn from(error: Error) -> Self {
        let pointer = error.fields().first().map(|field| field.pointer.as_str());
        match (error.kind(), pointer) {
            (ErrorKind::Invalid, Some("")) => Self::Refused(Refusal::new(RefusalReason::Profile, error.message())),
            (ErrorKind::Invalid, Some("/sans" | "/common_name")) => {
                Self::Refused(Refusal::new(RefusalReason::Names, error.message()))
            }
            (ErrorKind::Invalid, _) => Self::Refused(Refusal::new(RefusalReason::Closed, error.message())),
            _ if matches!(error.code(), "key_in_use" | compromised::CODE) => {
                Self::Refused(Refusal::new(RefusalReason::KeyInUse, error.message()))
            }
            _ => Self::Failed(error),
        }
    }
}
