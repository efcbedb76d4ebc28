//! Rows as one text: what a connection's thread sends costs a wake-up for each row and a copy for each cell.
//!
//! A cell is its length in bytes, a colon, and its bytes; one that is null has no length. So no content can be taken for
//! anything else, whatever was written to the file.

use certctl_core::entity::{Kind, Row, Value};
use certctl_core::storage::Select;
use sea_orm::Statement;
use sea_orm::sea_query::{Alias, Expr, SqliteQueryBuilder, Values};

use crate::dialect::Dialect;
use crate::read::{Packed, limit, paged};
use crate::rows;

/// How SQLite does it.
pub(super) const PACKED: Packed = Packed { statement, decode };

fn statement(select: &Select) -> Statement {
    let (sql, parameters) = rows_of(select);
    Statement::from_sql_and_values(Dialect::Sqlite.backend(), sql, parameters)
}

/// A statement for all rows of a select in one cell.
pub(super) fn rows_of(select: &Select) -> (String, Values) {
    // A null is the empty text to `concat`, and has no length; of bytes it takes each as it is.
    let cells = rows::column_names(select.schema).map(|name| format!("octet_length(\"{name}\"), ':', \"{name}\""));
    let cells = format!("concat({})", cells.collect::<Vec<_>>().join(", "));
    let mut statement = paged(select);
    statement.expr_as(Expr::cust(cells), Alias::new("cells"));
    let (sql, parameters) = statement.build(SqliteQueryBuilder);
    (format!("SELECT CAST(group_concat(cells, '') AS BLOB) FROM ({sql}{})", limit(select)), parameters)
}

/// The rows; `None` for an answer that cannot be taken apart.
pub(super) fn decode(answer: &[u8], select: &Select) -> Option<Vec<Row>> {
    let schema = select.schema;
    let mut cells = Cells(answer);
    let mut rows = Vec::with_capacity(select.limit.min(answer.len() / schema.columns.len().max(1)));
    while !cells.0.is_empty() {
        let mut values = Vec::with_capacity(schema.columns.len());
        for column in schema.columns {
            values.push(cells.take(|cell| value(column.kind, cell))?);
        }
        let version = if schema.mutable { cells.take(|cell| integer(cell?))? } else { 0 };
        rows.push(Row { values, version });
    }
    // SQLite puts texts together in the order in which they come, and does not promise to. Where they came in order, a sort
    // is one look at each.
    rows.sort_by(|one, next| {
        let ascending = place(one, select.sort).cmp(&place(next, select.sort));
        if select.descending { ascending.reverse() } else { ascending }
    });
    Some(rows)
}

fn place(row: &Row, sort: usize) -> (Option<&Value>, &str) {
    (row.values.get(sort), row.id())
}

/// Cells one behind the other.
struct Cells<'a>(&'a [u8]);

impl<'a> Cells<'a> {
    /// What is made of the next cell, or of `None` for null; `None` when there is no cell or nothing can be made of it.
    fn take<T>(&mut self, read: impl Fn(Option<&'a [u8]>) -> Option<T>) -> Option<T> {
        let mut length: Option<usize> = None;
        loop {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            match byte {
                b'0'..=b'9' => {
                    let digit = usize::from(byte - b'0');
                    length = Some(length.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
                }
                b':' => break,
                _ => return None,
            }
        }
        let Some(length) = length else { return read(None) };
        let (cell, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        read(Some(cell))
    }
}

fn value(kind: Kind, cell: Option<&[u8]>) -> Option<Value> {
    let Some(cell) = cell else { return Some(Value::Null) };
    match kind {
        Kind::Text => std::str::from_utf8(cell).ok().map(|text| Value::Text(text.to_owned())),
        Kind::Integer => integer(cell).map(Value::Integer),
        Kind::Boolean => integer(cell).map(|flag| Value::Boolean(flag != 0)),
        Kind::Bytes => Some(Value::Bytes(cell.to_vec())),
    }
}

fn integer(cell: &[u8]) -> Option<i64> {
    std::str::from_utf8(cell).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
