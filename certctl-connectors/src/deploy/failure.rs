//! Why a step failed, before anybody knows whether what was there before is back.

use certctl_core::connector::{DeployCause, DeployError};
use certctl_core::ports::{FileError, FileErrorKind};

/// A step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) cause: DeployCause,
    pub(super) message: String,
    pub(super) retryable: bool,
}

impl Failure {
    /// It will fail again until somebody changes something.
    pub(super) fn lasting(cause: DeployCause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into(), retryable: false }
    }

    /// It may go better next time.
    pub(super) fn passing(cause: DeployCause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into(), retryable: true }
    }

    /// The same with more to say.
    pub(super) fn and(mut self, more: &str) -> Self {
        self.message = format!("{}; {more}", self.message);
        self
    }

    pub(super) fn into_error(self, rolled_back: bool) -> DeployError {
        DeployError { cause: self.cause, message: self.message, rolled_back, retryable: self.retryable }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        match error.kind {
            FileErrorKind::DiskFull => {
                Self::passing(DeployCause::DiskFull, format!("{error}; free space on that file system"))
            }
            FileErrorKind::NoSymlinks => Self::lasting(
                DeployCause::Files,
                format!(
                    "{error}; certificate and key can only change together through symbolic links: use another file \
                     system, or one combined PEM file for both"
                ),
            ),
            FileErrorKind::PermissionDenied => Self::lasting(
                DeployCause::Files,
                format!("{error}; give the agent's user the right to change that directory"),
            ),
            _ => Self::passing(DeployCause::Files, error.to_string()),
        }
    }
}
