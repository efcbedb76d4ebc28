//! The chain that makes the audit trail tamper-evident: what is hashed, and how a row follows the one before it.
//!
//! Each row carries a digest of its own cells, made when it is written. The sealer gives it the next number and
//! `hash = SHA-256(domain ‖ previous hash ‖ seq ‖ digest)`, each part with its length. So the hash covers the stored bytes
//! through the digest, and a row that is edited before it is sealed does not fit its digest any more.

use aws_lc_rs::digest::{Context, SHA256};

use crate::entity::Value;

/// The `seq` of a row that has no place in the chain yet. Above every other, so that newest first begins with them.
pub const UNSEALED: i64 = i64::MAX;

/// How many columns of an audit row, from the first, its digest covers: all that tell what happened.
pub const CONTENT: usize = 8;

const ROW: &[u8] = b"certctl audit row v1";
const LINK: &[u8] = b"certctl audit link v1";

/// The end of a chain, which the next row follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// The number of the last sealed row; 0 when there is none.
    pub seq: i64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// The place that a row gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The row.
    pub id: String,
    /// Its number.
    pub seq: i64,
    /// Its hash.
    pub hash: [u8; 32],
}

impl ChainHead {
    /// Before the first row.
    pub const GENESIS: Self = Self { seq: 0, hash: [0; 32] };
}

/// SHA-256 over the first [`CONTENT`] cells of a row as they are stored, each with its kind and length.
pub fn digest(values: &[Value]) -> [u8; 32] {
    let mut hash = Hash::new(ROW);
    for value in values.iter().take(CONTENT) {
        match value {
            Value::Null => hash.part(0, &[]),
            Value::Boolean(flag) => hash.part(1, &[u8::from(*flag)]),
            Value::Integer(number) => hash.part(2, &number.to_be_bytes()),
            Value::Text(text) => hash.part(3, text.as_bytes()),
            Value::Bytes(bytes) => hash.part(4, bytes),
        }
    }
    hash.finish()
}

/// As [`digest`], of cells that are only borrowed: the texts, and then the timestamp in microseconds.
pub(crate) fn digest_of(texts: [Option<&str>; CONTENT - 1], timestamp: Option<i64>) -> [u8; 32] {
    let mut hash = Hash::new(ROW);
    for text in texts {
        match text {
            Some(text) => hash.part(3, text.as_bytes()),
            None => hash.part(0, &[]),
        }
    }
    match timestamp {
        Some(timestamp) => hash.part(2, &timestamp.to_be_bytes()),
        None => hash.part(0, &[]),
    }
    hash.finish()
}

/// The hash of the row with this number and digest behind a row with the hash `previous`.
pub fn link(previous: &[u8], seq: i64, digest: &[u8]) -> [u8; 32] {
    let mut hash = Hash::new(LINK);
    hash.part(4, previous);
    hash.part(2, &seq.to_be_bytes());
    hash.part(4, digest);
    hash.finish()
}

/// The places that rows get behind `head`, by id and digest and in this order.
pub fn links(head: ChainHead, rows: impl IntoIterator<Item = (String, Vec<u8>)>) -> Vec<Link> {
    let mut end = head;
    let next = |(id, digest): (String, Vec<u8>)| {
        let seq = end.seq + 1;
        end = ChainHead { seq, hash: link(&end.hash, seq, &digest) };
        Link { id, seq, hash: end.hash }
    };
    rows.into_iter().map(next).collect()
}

/// Hashes in small parts: most rows fit in one buffer, and one call costs less than many.
struct Hash {
    context: Context,
    buffer: Vec<u8>,
}

impl Hash {
    fn new(domain: &[u8]) -> Self {
        let mut buffer = Vec::with_capacity(512);
        buffer.extend_from_slice(domain);
        Self { context: Context::new(&SHA256), buffer }
    }

    fn part(&mut self, kind: u8, bytes: &[u8]) {
        self.buffer.push(kind);
        self.buffer.extend_from_slice(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.buffer.extend_from_slice(bytes);
    }

    fn finish(mut self) -> [u8; 32] {
        self.context.update(&self.buffer);
        let mut octets = [0; 32];
        octets.iter_mut().zip(self.context.finish().as_ref()).for_each(|(to, from)| *to = *from);
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::AuditEvent;
    use crate::entity::Entity;

    #[test]
    fn the_digest_covers_each_column_before_it_and_where_it_ends() {
        let names: Vec<_> = AuditEvent::SCHEMA.columns.iter().map(|column| column.name).collect();
        assert_eq!(names.get(CONTENT), Some(&"digest"));
        let row: Vec<Value> = (0..CONTENT).map(|n| Value::Text(format!("cell {n}"))).collect();
        for position in 0..CONTENT {
            for other in [Value::Text("other".into()), Value::Null, Value::Integer(0)] {
                let mut edited = row.clone();
                edited[position] = other;
                assert_ne!(digest(&edited), digest(&row), "column {position}");
            }
        }
        let text = |text: &str| Value::Text(text.into());
        assert_ne!(digest(&[text("ab"), text("c")]), digest(&[text("a"), text("bc")]));
    }

    #[test]
    fn a_digest_of_borrowed_cells_is_the_same() {
        let texts = ["a", "", "c", "\0", "e", "f", "{}"];
        let mut row: Vec<Value> = texts.iter().map(|text| Value::Text((*text).into())).collect();
        row.push(Value::Integer(-7));
        assert_eq!(digest_of(texts.map(Some), Some(-7)), digest(&row));
        assert_eq!(digest_of([None; CONTENT - 1], None), digest(&[const { Value::Null }; CONTENT]));
    }

    #[test]
    fn a_link_depends_on_place_predecessor_and_row() {
        let sealed = links(ChainHead::GENESIS, [("a".into(), vec![1; 32]), ("b".into(), vec![2; 32])]);
        assert_eq!(sealed.iter().map(|link| (link.id.as_str(), link.seq)).collect::<Vec<_>>(), [("a", 1), ("b", 2)]);
        let (first, second) = (&sealed[0].hash, &sealed[1].hash);
        assert_eq!(*second, link(first, 2, &[2; 32]));
        for other in [link(&[0; 32], 2, &[2; 32]), link(first, 3, &[2; 32]), link(first, 2, &[3; 32])] {
            assert_ne!(*second, other);
        }
    }
}
