//! The engine's error: a kind that callers act on, a message for the client, and the cause for the log.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use crate::storage::{ApplyError, StorageError};

/// What a caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request is wrong; change it.
    Invalid,
    /// Nobody known is asking.
    Unauthenticated,
    /// Whoever asks may not.
    Forbidden,
    /// There is no such thing, or none that the caller may see.
    NotFound,
    /// The state of things forbids it.
    Conflict,
    /// It is not what the caller has seen; read it again.
    PreconditionFailed,
    /// It was, and will not be again.
    Gone,
    /// The request is right, but the world does not go along.
    Unprocessable,
    /// Not now; try again.
    Unavailable,
    /// The engine's own fault.
    Internal,
}

/// Whether and when the same call may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not unchanged.
    No,
    /// After this long.
    After(Duration),
}

/// One member of a request that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the request.
    pub pointer: String,
    /// A stable word, such as `required`.
    pub code: &'static str,
    /// What is wrong and how to mend it.
    pub detail: String,
}

/// An operation was refused or failed.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    code: &'static str,
    operation: &'static str,
    message: String,
    fields: Vec<FieldError>,
    retry: Retry,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind with a stable code and a message for the client.
    pub fn new(kind: ErrorKind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, code, operation: "", message: message.into(), fields: Vec::new(), retry: Retry::No, source: None }
    }
    /// A wrong request.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, "invalid_request", message)
    }
    /// A wrong member of a request.
    pub fn invalid_field(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        let field = FieldError { pointer: pointer.into(), code, detail: detail.into() };
        // An empty pointer means the whole request, which needs no name.
        let message = match field.pointer.trim_start_matches('/') {
            "" => field.detail.clone(),
            member => format!("{member}: {}", field.detail),
        };
        Self { fields: vec![field], ..Self::invalid(message) }
    }
    /// There is no such thing.
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(ErrorKind::NotFound, "not_found", format!("there is no {what} `{id}`"))
    }
    /// The state of things forbids it.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, code, message)
    }
    /// Whoever asks may not.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden, "forbidden", message)
    }
    /// The engine's own fault; the client is told no more than that.
    pub fn internal(source: impl StdError + Send + Sync + 'static) -> Self {
        Self::new(ErrorKind::Internal, "internal", "the server failed; its log has the cause").because(source)
    }

    /// Keeps the cause, for the log.
    pub fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }
    /// Says which operation it was.
    pub fn during(mut self, operation: &'static str) -> Self {
        self.operation = operation;
        self
    }
    /// Adds a wrong member.
    pub fn field(mut self, field: FieldError) -> Self {
        self.fields.push(field);
        self
    }

    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        self.code
    }
    /// The message for the client.
    pub fn message(&self) -> &str {
        &self.message
    }
    /// The members of the request that are wrong.
    pub fn fields(&self) -> &[FieldError] {
        &self.fields
    }
    /// Whether and when the same call may succeed.
    pub fn retry(&self) -> Retry {
        self.retry
    }
    /// The operation that failed; empty when it never began.
    pub fn operation(&self) -> &'static str {
        self.operation
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        match &error {
            StorageError::Unavailable { retry_after, .. } => Self {
                retry: Retry::After(*retry_after),
                ..Self::new(ErrorKind::Unavailable, "unavailable", "the store is busy or cannot be reached; try again")
                    .because(error)
            },
            StorageError::BadCursor => Self::invalid_field("/cursor", "bad_cursor", error.to_string()),
            _ => Self::internal(error),
        }
    }
}

impl From<ApplyError> for Error {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Conflict { entity, field } => {
                let what = noun(entity);
                Self::conflict(
                    "already_exists",
                    format!("a {what} with this {field} exists already; choose another {field}"),
                )
            }
            ApplyError::Stale { .. } => Self {
                retry: Retry::After(Duration::from_millis(50)),
                ..Self::conflict(
                    "changed_meanwhile",
                    "somebody else changed it at the same moment; read it again and repeat",
                )
                .because(error)
            },
            ApplyError::Referenced { by, count } => {
                let message = match count {
                    1 => format!("1 {} still refers to it; change or delete it first", noun(by)),
                    _ => format!("{count} {} still refer to it; change or delete them first", by.replace('_', " ")),
                };
                Self::conflict("in_use", message)
            }
            ApplyError::Missing { field, .. } => Self::invalid_field(
                format!("/{field}"),
                "unknown_reference",
                format!("there is nothing with this id; create it first or correct {field}"),
            ),
            ApplyError::Storage(error) => error.into(),
            ApplyError::Unaudited => Self::internal(error),
        }
    }
}

/// `managed_certificates` → `managed certificate`.
fn noun(table: &str) -> String {
    let singular = match table {
        "renewal_policies" => "renewal_policy",
        other => other.strip_suffix('s').unwrap_or(other),
    };
    singular.replace('_', " ")
}
