//! Rows out of a result, and rows into one JSON parameter.

use std::collections::BTreeMap;
use std::fmt::Write;

use certctl_core::domain::Link;
use certctl_core::entity::{Column, Columns, Kind, Row, Schema, Update, Value};
use sea_orm::{DbErr, QueryResult};
use sqlx::postgres::{PgValueFormat, PgValueRef};
use sqlx::{Row as _, ValueRef as _};

/// Reads the columns of the schema in their order, then the version, behind `first` other columns.
pub(crate) fn decode(result: &QueryResult, schema: &Schema, first: usize) -> Result<Row, DbErr> {
    let mut values = Vec::with_capacity(schema.columns.len());
    let postgres = result.try_as_pg_row();
    for (position, column) in schema.columns.iter().enumerate() {
        let position = first + position;
        let plain = postgres.and_then(|row| plain(row.try_get_raw(position).ok()?, column.kind));
        values.push(match plain {
            Some(value) => value,
            None => checked(result, position, column.kind)?,
        });
    }
    let version = if schema.mutable { result.try_get_by(first + schema.columns.len())? } else { 0 };
    Ok(Row { values, version })
}

/// The cell as PostgreSQL sent it, without asking for each cell anew whether its type is the column's; `None` where it is not
/// as expected, which [`checked`] then says.
fn plain(cell: PgValueRef<'_>, kind: Kind) -> Option<Value> {
    if cell.is_null() {
        return Some(Value::Null);
    }
    if cell.format() != PgValueFormat::Binary {
        return None;
    }
    match kind {
        Kind::Text => cell.as_str().ok().map(|text| Value::Text(text.to_owned())),
        Kind::Integer => Some(Value::Integer(i64::from_be_bytes(cell.as_bytes().ok()?.try_into().ok()?))),
        Kind::Boolean => match cell.as_bytes() {
            Ok([flag]) => Some(Value::Boolean(*flag != 0)),
            _ => None,
        },
        Kind::Bytes => cell.as_bytes().ok().map(|bytes| Value::Bytes(bytes.to_vec())),
    }
}

/// The cell at this place, whose type must be the column's.
pub(crate) fn checked(result: &QueryResult, position: usize, kind: Kind) -> Result<Value, DbErr> {
    let value = match kind {
        Kind::Text => result.try_get_by::<Option<String>, _>(position)?.map(Value::Text),
        Kind::Integer => result.try_get_by::<Option<i64>, _>(position)?.map(Value::Integer),
        Kind::Boolean => result.try_get_by::<Option<bool>, _>(position)?.map(Value::Boolean),
        Kind::Bytes => result.try_get_by::<Option<Vec<u8>>, _>(position)?.map(Value::Bytes),
    };
    Ok(value.unwrap_or(Value::Null))
}

/// The names of the columns in the order that [`decode`] expects.
pub(crate) fn column_names(schema: &Schema) -> impl Iterator<Item = &'static str> {
    schema.columns.iter().map(|column| column.name).chain(schema.mutable.then_some("row_version"))
}

/// What an update sets from a table expression named `r`, which also gives the version that is expected.
pub(crate) fn assignments(schema: &Schema, columns: Columns) -> String {
    let changed = schema.columns.iter().enumerate().filter(|(position, _)| columns.contains(*position));
    let assign = changed.map(|(_, column)| format!("\"{0}\" = r.\"{0}\"", column.name));
    let version = "\"row_version\" = r.\"row_version\" + 1".to_owned();
    assign.chain([version]).collect::<Vec<_>>().join(", ")
}

/// The id and the columns that an update writes, by position.
pub(crate) fn written(schema: &Schema, columns: Columns) -> impl Iterator<Item = (usize, &'static Column)> {
    schema.columns.iter().enumerate().filter(move |(position, _)| *position == 0 || columns.contains(*position))
}

/// The updates of a table by the columns that they write: few kinds, each with a statement of its own.
pub(crate) fn by_columns<'a>(updates: impl Iterator<Item = &'a Update>) -> BTreeMap<Columns, Vec<&'a Row>> {
    let mut kinds: BTreeMap<Columns, Vec<&Row>> = BTreeMap::new();
    for update in updates {
        kinds.entry(update.changed).or_default().push(&update.row);
    }
    kinds
}

/// The cells at some positions of rows, and their versions, as a JSON array of arrays; bytes as hexadecimal digits.
pub(crate) fn encode_cells<'a>(schema: &Schema, positions: &[usize], rows: impl Iterator<Item = &'a Row>) -> String {
    let mut json = JsonRows::new();
    for row in rows {
        json.row(|json| {
            for value in positions.iter().filter_map(|position| row.values.get(*position)) {
                json.cell(value);
            }
            if schema.mutable {
                json.integer(row.version);
            }
        });
    }
    json.finish()
}

/// Ids and versions as a JSON array of pairs.
pub(crate) fn encode_pins<'a>(pins: impl Iterator<Item = (&'a str, i64)>) -> String {
    let mut json = JsonRows::new();
    for (id, version) in pins {
        json.row(|json| {
            json.string(id);
            json.integer(version);
        });
    }
    json.finish()
}

/// Places in the chain as a JSON array of ids, numbers and hashes.
pub(crate) fn encode_links(links: &[Link]) -> String {
    let mut json = JsonRows::new();
    for link in links {
        json.row(|json| {
            json.string(&link.id);
            json.integer(link.seq);
            json.string(&hex::encode(link.hash));
        });
    }
    json.finish()
}

/// Texts as a JSON array.
pub(crate) fn encode_texts<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut json = JsonRows::new();
    for text in texts {
        json.string(text);
    }
    json.finish()
}

struct JsonRows {
    text: String,
    first: bool,
}

impl JsonRows {
    fn new() -> Self {
        Self { text: "[".into(), first: true }
    }

    fn row(&mut self, cells: impl FnOnce(&mut Self)) {
        self.separate();
        self.text.push('[');
        self.first = true;
        cells(self);
        self.text.push(']');
        self.first = false;
    }

    fn cell(&mut self, value: &Value) {
        match value {
            Value::Text(text) => self.string(text),
            Value::Integer(number) => self.integer(*number),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::Null => self.word("null"),
            Value::Boolean(true) => self.word("true"),
            Value::Boolean(false) => self.word("false"),
        }
    }

    fn word(&mut self, word: &str) {
        self.separate();
        self.text.push_str(word);
    }

    fn integer(&mut self, number: i64) {
        self.separate();
        // A string takes all that is written to it.
        let _ = write!(self.text, "{number}");
    }

    fn bytes(&mut self, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.separate();
        self.text.reserve(bytes.len() * 2 + 2);
        self.text.push('"');
        for byte in bytes {
            self.text.push(DIGITS[usize::from(byte >> 4)].into());
            self.text.push(DIGITS[usize::from(byte & 15)].into());
        }
        self.text.push('"');
    }

    fn string(&mut self, text: &str) {
        self.separate();
        self.text.reserve(text.len() + 2);
        self.text.push('"');
        let mut plain = 0;
        for (at, byte) in text.bytes().enumerate() {
            if byte >= 0x20 && byte != b'"' && byte != b'\\' {
                continue;
            }
            self.text.push_str(text.get(plain..at).unwrap_or_default());
            let _ = write!(self.text, "\\u{byte:04x}");
            plain = at + 1;
        }
        self.text.push_str(text.get(plain..).unwrap_or_default());
        self.text.push('"');
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.text.push(',');
        }
    }

    fn finish(mut self) -> String {
        self.text.push(']');
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_json() {
        let texts = ["", "a", "\"", "\\", "\n\u{1}\u{1f}", "ä\u{10ffff}\u{7f}", "end\\"];
        let decoded: Vec<String> = serde_json::from_str(&encode_texts(texts.into_iter())).unwrap();
        assert_eq!(decoded, texts);
    }

    #[test]
    fn pins_are_pairs() {
        let json = encode_pins([("a", 1), ("b", i64::MIN)].into_iter());
        assert_eq!(json, r#"[["a",1],["b",-9223372036854775808]]"#);
        assert_eq!(encode_pins([].into_iter()), "[]");
    }
}
