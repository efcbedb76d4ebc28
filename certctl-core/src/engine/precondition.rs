//! What must still be stored for an operation to run.

use crate::entity::{Entity, Mutable, Schema};
use crate::error::{Error, ErrorKind};
use crate::storage::UnitOfWork;

/// The version of a record that a caller has seen, which must still be the stored one when the operation commits: `If-Match`
/// of HTTP (RFC 9110 §13.1.1).
#[derive(Clone, Debug)]
pub struct Precondition {
    schema: &'static Schema,
    id: String,
    /// Any of these; any at all when absent.
    versions: Option<Vec<i64>>,
}

impl Precondition {
    /// The record of this kind and id must have one of these versions.
    pub fn versions<E: Mutable>(id: impl Into<String>, versions: Vec<i64>) -> Self {
        Self { schema: E::SCHEMA, id: id.into(), versions: Some(versions) }
    }

    /// The record of this kind and id must exist.
    pub fn exists<E: Entity>(id: impl Into<String>) -> Self {
        Self { schema: E::SCHEMA, id: id.into(), versions: None }
    }

    /// Looks, and pins what was seen: the commit is refused when it changes meanwhile. What does not exist is the
    /// operation's to refuse.
    pub(crate) async fn hold(&self, unit: &mut UnitOfWork) -> Result<(), Error> {
        let Some(version) = unit.version(self.schema, &self.id).await? else { return Ok(()) };
        if self.versions.as_ref().is_none_or(|versions| versions.contains(&version)) {
            unit.pin_version(self.schema, &self.id, version);
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::PreconditionFailed,
            "precondition_failed",
            "it was changed since it was read; read it again, and repeat the change with its new ETag",
        ))
    }
}
