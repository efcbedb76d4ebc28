//! What connects the engine to the world's issuers, targets, notifiers and discovery sources: contracts, registry and typed configuration.
//!
//! A connector is a folder that implements one plugin trait. It never sees storage, never reads its environment, and never
//! loops on failure: its errors say what kind they are and when to try again (architecture: "Connectors").

mod answer;
mod authorities;
mod context;
mod discovery;
mod error;
mod issuer;
mod kept;
pub mod layer;
mod notifier;
mod publish;
mod registry;
mod revoker;
pub mod secret;
mod target;

pub use crate::domain::Severity;
pub use authorities::{Authorities, Authority, AuthorityOrigin, AuthorityRequest};
pub use context::ConnectorContext;
pub use discovery::{DiscoveryPlugin, DiscoverySource, SourceItem, SourcePage};
pub use error::{ConfigError, ConnectorError, ConnectorErrorKind};
pub use issuer::{
    Issuance, IssueOrder, IssuePace, Issuer, IssuerCapabilities, IssuerPlugin, LintScope, OrderState, Predecessor,
    RenewalInfo, SIGNING_CA, SuggestedWindow, TestConnection,
};
pub use kept::{ChallengeAnswer, ChallengeKey, Challenges, ConnectorState, Kept, Swap};
pub use notifier::{Audience, Notice, Notifier, NotifierPlugin};
pub use publish::{CaChain, CrlPublication, Published, StatusSigner};
pub use registry::{
    ConnectorInfo, DiscoveryEntry, IssuerEntry, NotifierEntry, Registry, TargetEntry, TargetSpecEntry, UnknownKind,
};
pub use revoker::{ReleasedCertificate, RevokedCertificate, Revoker};
pub use target::{
    DeployCause, DeployError, DeployOutcome, Deployment, ProbePoint, Target, TargetContext, TargetPlugin, TargetSpec,
};
