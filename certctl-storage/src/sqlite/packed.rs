//! Rows as one text: what a connection's thread sends costs a wake-up for each row and a copy for each cell.
//!
//! A cell is its length in bytes, a colon, and its bytes; one that is null has no length. So no content can be taken for
//! anything else, whatever was written to the file.

use certctl_core::entity::{Index, Kind, Row, Test, Value};
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
    let together = |rows: &str| format!("SELECT CAST(group_concat(cells, '') AS BLOB) FROM ({rows})");
    if let Some(index) = index_of_page(select) {
        // In whatever order: they are sorted when they are taken apart.
        let (table, id) = (select.schema.table, name(select, 0));
        statement.column(Alias::new(id));
        let (sql, parameters) = statement.build(SqliteQueryBuilder);
        let from = format!("FROM \"{table}\"");
        let ids = sql.replacen(&from, &format!("{from} INDEXED BY \"{}\"", index.name), 1) + &limit(select);
        let rows = format!("SELECT {cells} AS cells FROM \"{table}\" WHERE \"{id}\" IN ({ids})");
        return (together(&rows), parameters);
    }
    statement.expr_as(Expr::cust(cells), Alias::new("cells"));
    let (sql, parameters) = statement.build(SqliteQueryBuilder);
    (together(&format!("{sql}{}", limit(select))), parameters)
}

/// The index in which the ids of a page are found without a row: it begins with columns that the select sets equal to something,
/// and holds all others that it looks at. So what is looked at and passed over costs an entry and not a row, and what is sorted
/// are ids and not rows.
///
/// Behind the equal columns is the one that the select limits, or, where it asks for no limit to be used, the one that it sorts
/// by. The index is named, because SQLite, which knows nothing of the numbers, would rather sort nothing and walk past all.
fn index_of_page(select: &Select) -> Option<&'static Index> {
    let is_equal = |wanted: &&&str| {
        select.tests.iter().any(|(at, test)| name(select, *at) == **wanted && matches!(test, Test::Equals(_)))
    };
    if select.tests.iter().any(|(_, test)| matches!(test, Test::AtLeast(_))) {
        // What lies ahead is nearly all that there is.
        return None;
    }
    let limits = |(at, test): &(usize, Test)| matches!(test, Test::Below(_)) && *at != select.sort;
    let limited: Vec<&str> = select.tests.iter().filter(|test| limits(test)).map(|(at, _)| name(select, *at)).collect();
    select.schema.indexes.iter().filter(|index| index.only.is_none()).find(|index| {
        let equal = index.columns.iter().take_while(is_equal).count();
        let (first, rest) = index.columns.split_at(equal);
        let Some(next) = rest.first() else { return false };
        let leads = if limited.is_empty() { *next == name(select, select.sort) } else { limited.contains(next) };
        let looked_at = select.tests.iter().map(|(at, _)| *at).chain([select.sort, 0]).map(|at| name(select, at));
        // With nothing but the order behind the equal ones, no entry is passed over.
        equal > 0
            && leads
            && select.tests.len() > equal
            && looked_at.into_iter().all(|column| first.contains(&column) || rest.contains(&column))
    })
}

fn name(select: &Select, position: usize) -> &'static str {
    select.schema.columns.get(position).map_or("", |column| column.name)
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
