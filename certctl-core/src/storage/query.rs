//! Lists: a filter, a sort and a page, in data that every backend can run.

use std::fmt::{Display, Formatter};
use std::marker::PhantomData;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::StorageError;
use crate::entity::{Condition, Entity, Kind, Record, Row, Schema, Sort, Test, Value};

/// A typed list request: conditions joined by AND, a total order and a page.
#[derive(Clone, Debug)]
pub struct Query<E> {
    tests: Vec<(usize, Test)>,
    sort: usize,
    descending: bool,
    limit: usize,
    offset: usize,
    after: Option<Cursor>,
    entity: PhantomData<fn() -> E>,
}

/// One page, in order.
#[derive(Clone, Debug)]
pub struct Page<E> {
    /// The records.
    pub records: Vec<Record<E>>,
    /// Where the next page begins; absent on the last page.
    pub next: Option<Cursor>,
}

/// A query without types: what a backend runs.
#[derive(Clone, Debug)]
pub struct Select {
    /// The table.
    pub schema: &'static Schema,
    /// Positions of columns and what is asked of them; all must hold.
    pub tests: Vec<(usize, Test)>,
    /// The position of the column to sort by; ties are broken by the id, in the same direction.
    pub sort: usize,
    /// Largest first.
    pub descending: bool,
    /// Sort value and id of the row before the first one wanted.
    pub after: Option<(Value, String)>,
    /// How many rows to pass over.
    pub offset: usize,
    /// How many rows to return at most.
    pub limit: usize,
}

/// An opaque place in a sorted list: the last row's sort value and id, bound to the table and the sort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl<E: Entity> Query<E> {
    /// The records in this order, 50 of them unless said otherwise.
    pub fn sorted(sort: Sort<E>) -> Self {
        Self::by(sort.position, sort.descending)
    }

    /// The records in the order of their ids.
    pub fn all() -> Self {
        Self::by(0, false)
    }

    fn by(sort: usize, descending: bool) -> Self {
        Self { tests: Vec::new(), sort, descending, limit: 50, offset: 0, after: None, entity: PhantomData }
    }

    /// Keeps the records for which this holds as well.
    pub fn filter(mut self, condition: Condition<E>) -> Self {
        self.tests.push(condition.into_parts());
        self
    }

    /// At most this many records, and at least one.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.max(1);
        self
    }

    /// Continues after a page.
    pub fn after(mut self, cursor: Option<Cursor>) -> Self {
        self.after = cursor;
        self
    }

    /// Passes over this many records, for pages by number. Costs time in proportion; a cursor does not.
    pub fn offset(mut self, offset: usize) -> Self {
        self.offset = offset;
        self
    }

    /// What a backend runs.
    ///
    /// # Errors
    /// [`StorageError::BadCursor`] when the cursor was not made by a list of this table in this order.
    pub fn into_select(self) -> Result<Select, StorageError> {
        let mut select = self.to_count();
        select.offset = self.offset;
        select.limit = self.limit;
        select.after = self.after.map(|cursor| cursor.place(&select)).transpose()?;
        Ok(select)
    }

    pub(super) fn to_count(&self) -> Select {
        let Self { sort, descending, .. } = *self;
        let tests = self.tests.clone();
        Select { schema: E::SCHEMA, tests, sort, descending, after: None, offset: 0, limit: usize::MAX }
    }
}

impl Select {
    /// The row with this id.
    pub fn by_id(schema: &'static Schema, id: &str) -> Self {
        let tests = vec![(0, Test::Equals(Value::Text(id.into())))];
        Self { schema, tests, sort: 0, descending: false, after: None, offset: 0, limit: 1 }
    }

    fn sort_name(&self) -> String {
        let name = self.schema.columns.get(self.sort).map_or("", |column| column.name);
        format!("{}{name}", if self.descending { "-" } else { "" })
    }
}

impl Cursor {
    /// The longest text that [`FromStr`] looks at, in bytes.
    pub const MAX_LENGTH: usize = 4096;

    /// The place after this row. `None` when the row has no value to sort by, which no schema allows.
    pub(super) fn after(select: &Select, row: &Row) -> Option<Self> {
        Self::at(select, row.values.get(select.sort)?, row.id())
    }

    /// The place after the row with this value to sort by and this id.
    pub(super) fn at(select: &Select, value: &Value, id: &str) -> Option<Self> {
        let value = match value {
            Value::Integer(number) => serde_json::json!(number),
            Value::Text(text) => serde_json::json!(text),
            Value::Boolean(flag) => serde_json::json!(flag),
            Value::Bytes(bytes) => serde_json::json!([hex::encode(bytes)]),
            Value::Null => return None,
        };
        let place = serde_json::json!([select.schema.table, select.sort_name(), value, id]);
        Some(Self(URL_SAFE_NO_PAD.encode(place.to_string())))
    }

    fn place(&self, select: &Select) -> Result<(Value, String), StorageError> {
        let decoded = URL_SAFE_NO_PAD.decode(&self.0).ok();
        let place =
            decoded.and_then(|json| serde_json::from_slice::<(String, String, serde_json::Value, String)>(&json).ok());
        let (table, sort, value, id) = place.ok_or(StorageError::BadCursor)?;
        let column = select.schema.columns.get(select.sort).ok_or(StorageError::BadCursor)?;
        if table != select.schema.table || sort != select.sort_name() {
            return Err(StorageError::BadCursor);
        }
        let value = match column.kind {
            Kind::Text => value.as_str().map(|text| Value::Text(text.to_owned())),
            Kind::Integer => value.as_i64().map(Value::Integer),
            Kind::Boolean => value.as_bool().map(Value::Boolean),
            Kind::Bytes => value.get(0).and_then(|v| hex::decode(v.as_str()?).ok()).map(Value::Bytes),
        };
        // No stored text holds U+0000, and a database may refuse to compare with one.
        let has_nul = id.contains('\0') || matches!(&value, Some(Value::Text(text)) if text.contains('\0'));
        value.filter(|_| !has_nul).map(|value| (value, id)).ok_or(StorageError::BadCursor)
    }
}

impl Display for Cursor {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Cursor {
    type Err = StorageError;

    /// Takes a text from outside. Whether it fits a list is known when the list is asked for.
    fn from_str(text: &str) -> Result<Self, StorageError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if text.is_empty() || text.len() > Self::MAX_LENGTH || !text.bytes().all(allowed) {
            return Err(StorageError::BadCursor);
        }
        Ok(Self(text.to_owned()))
    }
}
