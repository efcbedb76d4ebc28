//! Why the program ended: a sentence, and the causes below it.

use std::error::Error;
use std::io::Write;

/// The program cannot go on.
#[derive(Debug)]
pub(crate) struct Failure(Box<dyn Error + Send + Sync>);

impl Failure {
    /// A failure that nothing caused but what it says.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into().into())
    }

    /// What was being done, above the cause.
    pub(crate) fn during(what: impl Into<String>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Box::new(During { what: what.into(), cause: cause.into() }))
    }

    /// Writes the failure and its causes, one a line.
    pub(crate) fn report(&self, out: &mut dyn Write) {
        let _ = writeln!(out, "error: {}", self.0);
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let _ = writeln!(out, "  because: {error}");
            cause = error.source();
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error))
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
