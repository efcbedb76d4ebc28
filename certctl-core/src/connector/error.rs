//! How a connector refuses, in a form that the job runner can act on.

use std::sync::Arc;
use std::time::Duration;

/// What kind of failure it was: it decides whether trying again makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectorErrorKind {
    /// The credentials were refused. Somebody must change the configuration.
    Auth,
    /// A quota or rate limit. Try again, not before `retry_after`.
    Quota,
    /// A fault that passes.
    Transient,
    /// It will not work however often it is tried.
    Permanent,
    /// The other side's rules forbid it, such as a name it does not certify.
    Policy,
    /// The other side cannot be reached.
    Unreachable,
    /// The order names a certificate that it replaces, and the other side does not accept that (RFC 9773 §5): the same order
    /// without it may succeed.
    Lineage,
    /// The other side did not see the proof that the names are the order's. Try again; it says nothing of the other side.
    Challenge,
}

impl ConnectorErrorKind {
    /// Whether the same call may succeed later.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Quota | Self::Transient | Self::Unreachable | Self::Challenge)
    }

    /// The name in logs, metrics and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Quota => "quota",
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Policy => "policy",
            Self::Unreachable => "unreachable",
            Self::Lineage => "lineage",
            Self::Challenge => "challenge",
        }
    }
}

/// A connector's call failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ConnectorError {
    /// What kind of failure.
    pub kind: ConnectorErrorKind,
    /// What happened, for the operator: no secrets, no bodies of answers.
    pub message: String,
    /// Not before this long from now.
    pub retry_after: Option<Duration>,
    /// Whether the order is lost: another attempt begins with a new one, not with the state of this one.
    pub begins_anew: bool,
    /// What caused it.
    #[source]
    pub source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl ConnectorError {
    /// An error of this kind.
    pub fn new(kind: ConnectorErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None, begins_anew: false, source: None }
    }
    /// It will not work however often it is tried.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(ConnectorErrorKind::Permanent, message)
    }
    /// A fault that passes.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(ConnectorErrorKind::Transient, message)
    }
    /// The other side cannot be reached.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::new(ConnectorErrorKind::Unreachable, message)
    }
    /// The message with its causes behind it, for job and delivery records that have no place for a chain of errors.
    pub fn explained(&self) -> String {
        let first = self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static));
        let causes = std::iter::successors(first, |error| error.source());
        causes.fold(self.message.clone(), |text, cause| format!("{text}: {cause}"))
    }
    /// Keeps the cause.
    pub fn because(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }
    /// The order is lost: another attempt begins with a new one.
    pub fn begin_anew(mut self) -> Self {
        self.begins_anew = true;
        self
    }
    /// Asks not to be tried again before this long from now.
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }
}

/// A connector's configuration is not usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("config{pointer}: {message}")]
pub struct ConfigError {
    /// JSON pointer (RFC 6901) within `config`; empty for the whole.
    pub pointer: String,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl ConfigError {
    /// An error of one member.
    pub fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}
