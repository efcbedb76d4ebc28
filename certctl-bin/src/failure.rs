//! Why the program ended: a sentence, and the causes below it.

use std::error::Error;
use std::io::Write;

use certctl_core::domain::InvalidId;
use certctl_http::client::ClientError;

/// What the program's exit codes mean.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed, for another reason than those below
  2  the command line is wrong
  3  there is no such thing, or it is gone (404, 410)
  4  refused: no key, a wrong one, or one whose role may not (401, 403)
  5  the state of things forbids it (409, 412)
  6  no answer, or the server cannot work now (502, 503, 504); try again later
  7  `audit verify` found that the trail is not what it was";

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const NOT_FOUND: u8 = 3;
const REFUSED: u8 = 4;
const CONFLICT: u8 = 5;
const UNREACHABLE: u8 = 6;

/// The program cannot go on.
#[derive(Debug)]
pub(crate) struct Failure {
    error: Box<dyn Error + Send + Sync>,
    /// What it ends with, when the error does not say so itself.
    code: Option<u8>,
}

impl Failure {
    /// A failure that nothing caused but what it says.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { error: message.into().into(), code: None }
    }

    /// The command line cannot be meant.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { error: message.into().into(), code: Some(USAGE) }
    }

    /// The state of things forbids it.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self { error: message.into().into(), code: Some(CONFLICT) }
    }

    /// What was being done, above the cause.
    pub(crate) fn during(what: impl Into<String>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { error: Box::new(During { what: what.into(), cause: cause.into() }), code: None }
    }

    /// What the program ends with; [`EXIT_CODES`] says what it means.
    pub(crate) fn exit_code(&self) -> u8 {
        let mut error: Option<&(dyn Error + 'static)> = Some(&*self.error);
        while let Some(cause) = error.filter(|_| self.code.is_none()) {
            if let Some(told) = cause.downcast_ref::<ClientError>() {
                return code(told);
            }
            if cause.is::<InvalidId>() {
                return USAGE;
            }
            error = cause.source();
        }
        self.code.unwrap_or(FAILED)
    }

    /// Writes the failure and its causes, one a line.
    pub(crate) fn report(&self, out: &mut dyn Write) {
        let _ = writeln!(out, "error: {}", self.error);
        let mut cause = self.error.source();
        while let Some(error) = cause {
            let _ = writeln!(out, "  because: {error}");
            cause = error.source();
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: Box::new(error), code: None }
    }
}

fn code(error: &ClientError) -> u8 {
    match error.status() {
        Some(404 | 410) => NOT_FOUND,
        Some(401 | 403) => REFUSED,
        Some(409 | 412) => CONFLICT,
        Some(502..=504) => UNREACHABLE,
        None if matches!(error, ClientError::Transport(_)) => UNREACHABLE,
        None if matches!(error, ClientError::Unwritable(_)) => USAGE,
        _ => FAILED,
    }
}

#[derive(Debug)]
struct During {
    what: String,
    cause: Box<dyn Error + Send + Sync>,
}

impl std::fmt::Display for During {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for During {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}
