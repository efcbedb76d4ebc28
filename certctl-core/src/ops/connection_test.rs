//! How trying a connector out ended.

use crate::domain::TestStatus;

/// The outcome of a connection test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionTest {
    /// Whether it would work.
    pub passed: bool,
    /// What was found, or what stands in the way; for people.
    pub message: String,
}

impl ConnectionTest {
    /// From what was found, or what stands in the way.
    pub(crate) fn of(found: Result<String, String>) -> Self {
        let passed = found.is_ok();
        let (Ok(message) | Err(message)) = found;
        Self { passed, message }
    }

    /// What is stored of it.
    pub(crate) fn status(&self) -> TestStatus {
        if self.passed { TestStatus::Success } else { TestStatus::Failed }
    }
}
