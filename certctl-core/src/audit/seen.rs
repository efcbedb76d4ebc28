//! A row as a verification sees it.

use crate::domain::audit::{self, CONTENT};
use crate::entity::Value;

/// A row of the trail: what it says of itself, and what its cells say.
#[derive(Clone, Debug)]
pub struct SeenRow<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its number.
    pub seq: i64,
    /// The digest of its cells.
    pub content: [u8; 32],
    /// The digest that it carries.
    pub digest: &'a [u8],
    /// The hash that it carries; empty when there is none.
    pub hash: &'a [u8],
}

impl<'a> SeenRow<'a> {
    /// A row as it is stored. A cell that cannot be is taken for empty, so that it fits nothing.
    pub fn stored(values: &'a [Value]) -> Self {
        let bytes = |position: usize| match values.get(position) {
            Some(Value::Bytes(bytes)) => bytes.as_slice(),
            _ => &[],
        };
        Self {
            id: values.first().and_then(Value::as_text).unwrap_or_default(),
            seq: if let Some(Value::Integer(seq)) = values.get(CONTENT + 1) { *seq } else { 0 },
            content: audit::digest(values),
            digest: bytes(CONTENT),
            hash: bytes(CONTENT + 2),
        }
    }
}
