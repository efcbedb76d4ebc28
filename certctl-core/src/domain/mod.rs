//! Plain data and pure functions. Nothing here waits, and `now` is always a value.

mod certificate_facts;
mod chain;
mod csr;
mod fingerprint;
mod id;
mod key;
mod name;
pub mod pem;
mod san;
mod serial;
mod timestamp;
mod unknown_name;

pub use certificate_facts::CertificateFacts;
pub use chain::{Chain, InvalidChain, MAX_CHAIN, MAX_CHAIN_OCTETS};
pub use csr::Csr;
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use id::{
    AgentId, ApiKeyId, AuditEventId, AuthorityId, CertificateId, CertificateTargetId, EngineKeyId, EnrolTokenId,
    InvalidId, IssuerId, JobId, KeyId, NotificationId, OwnerId, ProfileId, RenewalPolicyId, SettingId, TargetId,
    TeamId, VersionId,
};
pub use key::{KeyAlgorithm, KeyFamily, SignatureAlgorithm};
pub use name::{MAX_COMMON_NAME, MAX_NAMES, NameError, SubjectNames};
pub use san::{DnsName, EmailAddress, SanUri, SubjectAltName};
pub use serial::{InvalidSerial, Serial};
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use unknown_name::{UnknownName, nearest};
