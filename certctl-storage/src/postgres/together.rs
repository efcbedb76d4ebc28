//! Several selects in one trip: a union whose rows carry their cells as an array of texts, since tables differ in columns.

use certctl_core::entity::{Kind, Row, Schema, Value};
use certctl_core::storage::Select;
use sea_orm::sea_query::{Alias, Expr, PostgresQueryBuilder, Query, UnionType};
use sea_orm::{DbErr, QueryResult, Statement};
use sqlx::Row as _;

use crate::dialect::Dialect;
use crate::read::{Answers, Together, paged};

/// How PostgreSQL does it.
pub(super) const TOGETHER: Together = Together { statement, one_row: false, decode, packed: None };

fn statement(selects: &[Select]) -> Statement {
    let mut parts = selects.iter().enumerate().map(|(place, select)| {
        let mut part = paged(select);
        if select.offset == 0 {
            part.limit(i64::try_from(select.limit).unwrap_or(i64::MAX).unsigned_abs());
        }
        part.expr_as(Expr::cust(format!("{place}::bigint")), Alias::new("place"));
        part.expr_as(Expr::cust(cells(select.schema)), Alias::new("cells"));
        part
    });
    // A part with an order and a limit of its own has to be a table of the union.
    let whole = |part, place: usize| {
        let mut whole = Query::select();
        whole.columns(["place", "cells"].map(Alias::new)).from_subquery(part, Alias::new(format!("part_{place}")));
        whole
    };
    let mut union = whole(parts.next().unwrap_or_default(), 0);
    for (place, part) in parts.enumerate() {
        union.union(UnionType::All, whole(part, place + 1));
    }
    let (sql, values) = union.build(PostgresQueryBuilder);
    Statement::from_sql_and_values(Dialect::Postgres.backend(), sql, values)
}

/// The row as texts; bytes in hexadecimal digits, whatever the server's setting for them.
fn cells(schema: &Schema) -> String {
    let version = schema.mutable.then_some(("row_version", Kind::Integer));
    let columns = schema.columns.iter().map(|column| (column.name, column.kind)).chain(version);
    let texts = columns.map(|(name, kind)| match kind {
        Kind::Bytes => format!("encode(\"{name}\", 'hex')"),
        Kind::Text => format!("\"{name}\""),
        Kind::Integer | Kind::Boolean => format!("\"{name}\"::text"),
    });
    format!("ARRAY[{}]", texts.collect::<Vec<_>>().join(", "))
}

fn decode(results: &[QueryResult], selects: &[Select]) -> Answers {
    let mut all = vec![Vec::new(); selects.len()];
    for result in results {
        let place: i64 = result.try_get_by(0)?;
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        let (Some(select), Some(rows)) = (selects.get(place), all.get_mut(place)) else {
            return Err(DbErr::Type("a row answers a question that was not asked".to_owned()));
        };
        rows.push(row(result, select.schema)?);
    }
    Ok(all)
}

fn row(result: &QueryResult, schema: &'static Schema) -> Result<Row, DbErr> {
    let unreadable = |reason: &str| DbErr::Type(format!("a row of {} cannot be read: {reason}", schema.table));
    let row = result.try_as_pg_row().ok_or_else(|| unreadable("it is not PostgreSQL's"))?;
    let cells: Vec<Option<String>> = row.try_get(1).map_err(|error| unreadable(&error.to_string()))?;
    let mut cells = cells.into_iter();
    let mut values = Vec::with_capacity(schema.columns.len());
    for column in schema.columns {
        let value = match cells.next().flatten() {
            None => Some(Value::Null),
            Some(text) => parse(column.kind, text),
        };
        values.push(value.ok_or_else(|| unreadable(column.name))?);
    }
    let version = cells.next().flatten().and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok(Row { values, version })
}

fn parse(kind: Kind, text: String) -> Option<Value> {
    match kind {
        Kind::Text => Some(Value::Text(text)),
        Kind::Integer => text.parse().ok().map(Value::Integer),
        Kind::Boolean => text.parse().ok().map(Value::Boolean),
        Kind::Bytes => hex::decode(text).ok().map(Value::Bytes),
    }
}
