//! Local processes.

use std::time::Duration;

use async_trait::async_trait;

/// A process to run: an argument vector, never a shell line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandSpec {
    /// Program and arguments; the first is looked up on `PATH` when it has no slash.
    pub argv: Vec<String>,
    /// Killed after this long.
    pub timeout: Duration,
    /// The most that is kept of each of the two outputs, in bytes; the rest is read and dropped.
    pub max_output: usize,
    /// Fed to standard input, which is then closed.
    pub stdin: Vec<u8>,
    /// Variables of its environment besides `PATH` and `LANG`.
    pub environment: Vec<(String, String)>,
}

impl CommandSpec {
    /// A command with 30 s, 64 KiB of output and no input.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            timeout: Duration::from_secs(30),
            max_output: 64 << 10,
            stdin: Vec::new(),
            environment: Vec::new(),
        }
    }
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOutput {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output, with what is no UTF-8 replaced.
    pub stdout: String,
    /// Standard error, with what is no UTF-8 replaced.
    pub stderr: String,
}

impl CommandOutput {
    /// Whether the exit code is 0.
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }
}

/// A process did not run to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// There is no such program.
    #[error("{program} is not installed or not on PATH")]
    NotFound {
        /// The first argument.
        program: String,
    },
    /// It could not be started.
    #[error("cannot start {program}: {reason}")]
    Start {
        /// The first argument.
        program: String,
        /// What went wrong.
        reason: String,
    },
    /// This process may not run it.
    #[error("this server may not run {program}; add it to [issuers] programs if it should")]
    Refused {
        /// The first argument.
        program: String,
    },
    /// It was killed for taking too long.
    #[error("{program} took longer than {after:?} and was killed")]
    Timeout {
        /// The first argument.
        program: String,
        /// The limit.
        after: Duration,
    },
}

/// Runs processes.
#[async_trait]
pub trait Commands: Send + Sync {
    /// Runs one to its end. A non-zero exit is an `Ok`: what it means is for the caller to say.
    async fn run(&self, command: &CommandSpec) -> Result<CommandOutput, CommandError>;
}
