//! One column of octets out of many rows, joined by the store: for what is millions of rows and is wanted as a whole.

use super::{Cursor, Select, StorageError};
use crate::entity::{Row, Value};

/// What a column of octets holds in the rows of one page, as a backend gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Octets {
    /// The cells one behind the other, in no certain order; of one that is null nothing.
    pub octets: Vec<u8>,
    /// How many rows they are from.
    pub rows: usize,
    /// Sort value and id of the page's last row; absent where no other page can follow.
    pub last: Option<(Value, String)>,
}

/// What a column of octets holds in the records of one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OctetPage {
    /// The cells one behind the other, in no certain order.
    pub octets: Vec<u8>,
    /// How many records they are from.
    pub records: usize,
    /// Where the next page begins, which may be empty; absent on the last page.
    pub next: Option<Cursor>,
}

impl Octets {
    /// Out of the rows of a page.
    pub(super) fn of(select: &Select, column: usize, rows: &[Row]) -> Result<Self, StorageError> {
        let mut octets = Vec::new();
        for row in rows {
            match row.values.get(column) {
                Some(Value::Bytes(cell)) => octets.extend_from_slice(cell),
                Some(Value::Null) => {}
                _ => {
                    let column = select.schema.columns.get(column).map_or("", |column| column.name);
                    return Err(StorageError::Corrupt { entity: select.schema.table, column });
                }
            }
        }
        let last = rows.last().filter(|_| rows.len() >= select.limit);
        let last = last.and_then(|row| Some((row.values.get(select.sort)?.clone(), row.id().to_owned())));
        Ok(Self { octets, rows: rows.len(), last })
    }

    pub(super) fn into_page(self, select: &Select) -> OctetPage {
        let next = self.last.and_then(|(place, id)| Cursor::at(select, &place, &id));
        OctetPage { octets: self.octets, records: self.rows, next }
    }
}
