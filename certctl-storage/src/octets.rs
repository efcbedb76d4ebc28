//! One column of octets out of a page of rows, joined by the database: a row that is sent costs more than its cell is read for.

use certctl_core::entity::Kind;
use certctl_core::storage::{Octets, Select, StorageError};
use sea_orm::sea_query::{Alias, Expr, JoinType, Query as SeaQuery, SelectStatement};
use sea_orm::{DbErr, QueryResult};

use crate::dialect::{self, Dialect};
use crate::read::{number, paged};
use crate::rows;

/// The octets of the page, how many rows it has, and place and id of its last row where it is full: one row, and one statement, so
/// that they are of the same moment.
pub(crate) fn statement(dialect: Dialect, select: &Select, column: usize) -> SelectStatement {
    let name = |position: usize| select.schema.columns.get(position).map_or("", |column| column.name);
    let mut page = paged(select);
    page.column(Alias::new(name(column))).limit(number(select.limit));
    let [octets, rows, place, id] = ["octets", "rows", "place", "last_id"].map(Alias::new);
    let mut all = SeaQuery::select();
    all.expr_as(Expr::cust(dialect.joined(name(column))), octets.clone()).expr_as(Expr::cust("count(*)"), rows.clone());
    all.from_subquery(page, Alias::new("page"));
    // To walk there once more along the index costs less than to compare the places of all.
    let behind = select.limit.saturating_sub(1).saturating_add(select.offset);
    let mut last = paged(&Select { offset: behind, ..select.clone() });
    last.limit(1);
    last.expr_as(Expr::col(Alias::new(name(select.sort))), place.clone());
    last.expr_as(Expr::col(Alias::new(name(0))), id.clone());
    let mut whole = SeaQuery::select();
    whole.columns([octets, rows, place, id]).from_subquery(all, Alias::new("all_rows"));
    whole.join_subquery(JoinType::LeftJoin, last, Alias::new("last_row"), Expr::cust("1 = 1"));
    whole
}

pub(crate) fn decode(result: &QueryResult, select: &Select) -> Result<Octets, StorageError> {
    let read = || -> Result<Octets, DbErr> {
        let octets: Option<Vec<u8>> = result.try_get_by(0)?;
        let rows: i64 = result.try_get_by(1)?;
        let id: Option<String> = result.try_get_by(3)?;
        let kind = select.schema.columns.get(select.sort).map_or(Kind::Text, |column| column.kind);
        let last = id.map(|id| Ok::<_, DbErr>((rows::checked(result, 2, kind)?, id))).transpose()?;
        Ok(Octets { octets: octets.unwrap_or_default(), rows: usize::try_from(rows).unwrap_or(0), last })
    };
    read().map_err(dialect::orm_error)
}
