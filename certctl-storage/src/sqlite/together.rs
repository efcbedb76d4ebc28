//! Several selects in one trip to a reader, and in one row.

use certctl_core::storage::Select;
use sea_orm::{DbErr, QueryResult, Statement};

use super::packed::{self, PACKED};
use crate::dialect::Dialect;
use crate::read::{Answers, Together};

/// How SQLite does it: each select becomes a cell.
pub(super) const TOGETHER: Together = Together { statement, one_row: true, decode, packed: Some(PACKED) };

fn statement(selects: &[Select]) -> Statement {
    let (mut text, mut parameters) = ("SELECT ".to_owned(), Vec::new());
    for (place, select) in selects.iter().enumerate() {
        let (sql, values) = packed::rows_of(select);
        text.push_str(if place > 0 { ", (" } else { "(" });
        text.push_str(&sql);
        text.push(')');
        parameters.extend(values.0);
    }
    Statement::from_sql_and_values(Dialect::Sqlite.backend(), text, parameters)
}

fn decode(results: &[QueryResult], selects: &[Select]) -> Answers {
    let [result] = results else { return Err(DbErr::Type("one row was asked for".to_owned())) };
    let cell = |(place, select): (usize, &Select)| {
        // No rows make no cell.
        let Some(cell) = result.try_get_by::<Option<Vec<u8>>, _>(place)? else { return Ok(Vec::new()) };
        let unreadable = || DbErr::Type(format!("a row of {} cannot be read", select.schema.table));
        packed::decode(&cell, select).ok_or_else(unreadable)
    };
    selects.iter().enumerate().map(cell).collect()
}
