//! Several selects in one trip to a reader, and in one row: what a connection's thread sends costs a wake-up for each row
//! and each statement.

use certctl_core::entity::{Kind, Row, Schema, Value};
use certctl_core::storage::Select;
use sea_orm::sea_query::{Alias, Expr, SqliteQueryBuilder};
use sea_orm::{DbErr, QueryResult, Statement};
use serde_json::Value as Json;

use super::packed::PACKED;
use crate::dialect::Dialect;
use crate::read::{Answers, Together, limit, paged};
use crate::rows;

/// How SQLite does it: each select becomes a JSON array of rows.
pub(super) const TOGETHER: Together = Together { statement, one_row: true, decode, packed: Some(PACKED) };

fn statement(selects: &[Select]) -> Statement {
    let (mut text, mut parameters) = ("SELECT ".to_owned(), Vec::new());
    for (place, select) in selects.iter().enumerate() {
        let mut statement = paged(select);
        statement.columns(rows::column_names(select.schema).map(Alias::new));
        statement.expr_as(Expr::cust(cells(select.schema)), Alias::new("cells"));
        let (sql, values) = statement.build(SqliteQueryBuilder);
        let sort = select.schema.columns.get(select.sort).map_or("id", |column| column.name);
        let direction = if select.descending { "DESC" } else { "ASC" };
        text.push_str(if place > 0 { ", (" } else { "(" });
        text.push_str(&format!(
            "SELECT '[' || coalesce(group_concat(cells, ',' ORDER BY \"{sort}\" {direction}, \"id\" {direction}), '') \
             || ']' FROM ({sql}{})",
            limit(select)
        ));
        text.push(')');
        parameters.extend(values.0);
    }
    Statement::from_sql_and_values(Dialect::Sqlite.backend(), text, parameters)
}

/// The row as JSON; bytes in hexadecimal digits.
fn cells(schema: &Schema) -> String {
    let cells = rows::column_names(schema).enumerate().map(|(position, name)| match schema.columns.get(position) {
        Some(column) if column.kind == Kind::Bytes => format!("iif(\"{name}\" IS NULL, NULL, hex(\"{name}\"))"),
        _ => format!("\"{name}\""),
    });
    format!("json_array({})", cells.collect::<Vec<_>>().join(", "))
}

fn decode(results: &[QueryResult], selects: &[Select]) -> Answers {
    let [result] = results else { return Err(DbErr::Type("one row was asked for".to_owned())) };
    let mut all = Vec::with_capacity(selects.len());
    for (place, select) in selects.iter().enumerate() {
        let text: String = result.try_get_by(place)?;
        let rows: Vec<Vec<Json>> = serde_json::from_str(&text).map_err(|error| DbErr::Json(error.to_string()))?;
        all.push(rows.into_iter().map(|cells| row(select.schema, cells)).collect::<Result<_, _>>()?);
    }
    Ok(all)
}

fn row(schema: &Schema, cells: Vec<Json>) -> Result<Row, DbErr> {
    let mut cells = cells.into_iter();
    let mut values = Vec::with_capacity(schema.columns.len());
    for column in schema.columns {
        let value = cells.next().and_then(|cell| value(column.kind, cell));
        values.push(value.ok_or_else(|| DbErr::Type(format!("{}.{} cannot be read", schema.table, column.name)))?);
    }
    let version = cells.next().and_then(|cell| cell.as_i64()).unwrap_or(0);
    Ok(Row { values, version })
}

fn value(kind: Kind, cell: Json) -> Option<Value> {
    match (kind, cell) {
        (_, Json::Null) => Some(Value::Null),
        (Kind::Bytes, Json::String(digits)) => hex::decode(digits).ok().map(Value::Bytes),
        (Kind::Text, Json::String(text)) => Some(Value::Text(text)),
        (Kind::Integer, cell) => cell.as_i64().map(Value::Integer),
        (Kind::Boolean, cell) => cell.as_i64().map(|flag| Value::Boolean(flag != 0)),
        _ => None,
    }
}
