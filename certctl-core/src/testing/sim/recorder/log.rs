//! The event log: text that is the same for the same seed, and its digest.

use std::collections::VecDeque;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::entity::{Row, Schema, Value};

const TAIL: usize = 40;
/// Texts and bytes longer than this are shortened, with their digest behind them.
const LONGEST: usize = 60;

/// What happened, in order.
#[derive(Default)]
pub(in super::super) struct EventLog {
    digest: Sha256,
    lines: u64,
    tail: VecDeque<String>,
    full: Option<String>,
}

impl EventLog {
    pub(super) fn new(keep: bool) -> Self {
        Self { full: keep.then(String::new), ..Self::default() }
    }

    pub(super) fn line(&mut self, line: String) {
        self.digest.update(line.as_bytes());
        self.digest.update(b"\n");
        self.lines += 1;
        if let Some(full) = &mut self.full {
            full.push_str(&line);
            full.push('\n');
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    pub(in super::super) fn lines(&self) -> u64 {
        self.lines
    }

    pub(in super::super) fn digest(&self) -> String {
        hex::encode(self.digest.clone().finalize())
    }

    pub(in super::super) fn tail(&self) -> Vec<String> {
        self.tail.iter().cloned().collect()
    }

    pub(in super::super) fn take(&mut self) -> Option<String> {
        self.full.take()
    }
}

/// A row as text: its id, and the cells that differ from those before.
pub(super) fn row(schema: &Schema, before: Option<&Row>, after: &Row) -> String {
    let mut text = format!(" {} {} v{}", schema.table, after.id(), after.version);
    for (position, column) in schema.columns.iter().enumerate().skip(1) {
        let (old, new) = (before.and_then(|row| row.values.get(position)), after.values.get(position));
        if let Some(new) = new.filter(|new| old.map_or(**new != Value::Null, |old| old != *new)) {
            let _ = write!(text, " {}={}", column.name, cell(new));
        }
    }
    text
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Integer(i64::MAX) => "never".into(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) if text.len() <= LONGEST => format!("{text:?}"),
        Value::Text(text) => digest(text.as_bytes()),
        Value::Bytes(bytes) => digest(bytes),
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("{}#{}", bytes.len(), hex::encode(Sha256::digest(bytes)).get(..12).unwrap_or_default())
}
