//! Plain data and pure functions. Nothing here waits, and `now` is always a value.

mod id;
mod key;
mod timestamp;
mod unknown_name;

pub use id::{
    AgentId, ApiKeyId, AuditEventId, AuthorityId, CertificateId, CertificateTargetId, EngineKeyId, EnrolTokenId,
    InvalidId, IssuerId, JobId, KeyId, NotificationId, OwnerId, ProfileId, RenewalPolicyId, SettingId, TargetId,
    TeamId, VersionId,
};
pub use key::{KeyAlgorithm, KeyFamily, SignatureAlgorithm};
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use unknown_name::{UnknownName, nearest};
