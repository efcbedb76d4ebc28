//! Everything a backend needs to know about a table.

use super::value::{Kind, Value};

/// A table.
#[derive(Debug)]
pub struct Schema {
    /// Its name.
    pub table: &'static str,
    /// `id` is the first column and the primary key. A mutable table also has `row_version`, which is not listed.
    pub columns: &'static [Column],
    /// Its indexes.
    pub indexes: &'static [Index],
    /// Its foreign keys.
    pub references: &'static [Reference],
    /// Whether rows may be updated and deleted; they then carry a version.
    pub mutable: bool,
}

/// A column.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it may be null.
    pub nullable: bool,
}

/// An index.
#[derive(Debug)]
pub struct Index {
    /// Its name, unique in the database.
    pub name: &'static str,
    /// What it covers, in order; `row_version` among it where all that a reader asks for is to be found in the index.
    pub columns: &'static [&'static str],
    /// Whether no two rows may agree in all columns; null agrees with nothing.
    pub unique: bool,
    /// The rows it is limited to; all when absent.
    pub only: Option<Only>,
}

/// A limit of an index to the rows whose column holds one of these names.
#[derive(Debug)]
pub struct Only {
    /// The column.
    pub column: &'static str,
    /// The names.
    pub one_of: &'static [&'static str],
}

/// A foreign key; deleting the row it points to is refused (RESTRICT).
#[derive(Debug)]
pub struct Reference {
    /// The column that refers.
    pub column: &'static str,
    /// The table it refers to. A function, because a constant may not point at a constant that points back.
    pub target: fn() -> &'static Schema,
}

impl Index {
    /// An index for look-ups and sorts.
    pub const fn on(name: &'static str, columns: &'static [&'static str]) -> Self {
        Self { name, columns, unique: false, only: None }
    }
    /// An index that refuses a second row with the same values.
    pub const fn unique(name: &'static str, columns: &'static [&'static str]) -> Self {
        Self { name, columns, unique: true, only: None }
    }
    /// The same index, limited to the rows whose `column` holds one of these names.
    pub const fn only(mut self, column: &'static str, one_of: &'static [&'static str]) -> Self {
        self.only = Some(Only { column, one_of });
        self
    }
}

impl Schema {
    /// Where a column stands, if the table has it.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == column)
    }

    /// How far the table is from one that refers to nothing: parents are written before children.
    pub fn depth(&self) -> usize {
        self.references.iter().map(|reference| (reference.target)().depth() + 1).max().unwrap_or(0)
    }

    /// The field to blame when this unique index refuses a row.
    pub fn conflicting_field(&self, index: &str) -> &'static str {
        self.indexes.iter().find(|i| i.name == index).and_then(|i| i.columns.last()).copied().unwrap_or("id")
    }
}

/// A stored row: its cells, and its version when the table has one (0 otherwise).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The cells, in the order of the schema's columns.
    pub values: Vec<Value>,
    /// Raised by every update.
    pub version: i64,
}

impl Row {
    /// The primary key; empty for a row that has none, which no schema allows.
    pub fn id(&self) -> &str {
        self.values.first().and_then(Value::as_text).unwrap_or_default()
    }
}

/// New cells for a stored row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// All cells, with the version that must still be stored.
    pub row: Row,
    /// Which of them differ from what is stored under that version; a store need not write the others.
    pub changed: Columns,
}

impl Update {
    /// New cells for all columns.
    pub fn of(row: Row) -> Self {
        // The id never changes.
        let changed = (1..row.values.len()).collect();
        Self { row, changed }
    }
}

impl std::ops::Deref for Update {
    type Target = Row;
    fn deref(&self) -> &Row {
        &self.row
    }
}

/// Some of a table's columns, by position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Columns(u64);

impl Columns {
    /// Columns that one table may have.
    pub const MOST: usize = 64;

    /// Whether the column at this position is among them.
    pub const fn contains(self, position: usize) -> bool {
        position < Self::MOST && self.0 >> position & 1 == 1
    }
}

impl FromIterator<usize> for Columns {
    fn from_iter<I: IntoIterator<Item = usize>>(positions: I) -> Self {
        Self(
            positions
                .into_iter()
                .filter(|position| *position < Self::MOST)
                .fold(0, |all, position| all | 1 << position),
        )
    }
}
