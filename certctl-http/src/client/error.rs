//! What can go wrong with a call.

use std::time::Duration;

use certctl_core::ports::HttpError;

use crate::wire::Problem;

/// A call did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No answer came.
    #[error("the server did not answer")]
    Transport(#[from] HttpError),
    /// The server refused or failed.
    #[error("{}", .problem.detail)]
    Refused {
        /// What it said.
        problem: Box<Problem>,
        /// When it asks to be called again.
        retry_after: Option<Duration>,
    },
    /// The server answered something that this client does not understand.
    #[error("the server's answer to {asked} cannot be read: {reason}")]
    Unreadable {
        /// The method and path.
        asked: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The request could not be made.
    #[error("the request cannot be written: {0}")]
    Unwritable(String),
}

impl ClientError {
    /// The status code, when the server refused or failed.
    pub fn status(&self) -> Option<u16> {
        if let Self::Refused { problem, .. } = self { Some(problem.status) } else { None }
    }

    /// The server's stable word for it.
    pub fn code(&self) -> Option<&str> {
        if let Self::Refused { problem, .. } = self { Some(&problem.code) } else { None }
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport(error) => !matches!(error, HttpError::Refused { .. } | HttpError::Invalid(_)),
            Self::Refused { problem, .. } => problem.status >= 500 || matches!(problem.status, 408 | 429),
            Self::Unreadable { .. } | Self::Unwritable(_) => false,
        }
    }
}
