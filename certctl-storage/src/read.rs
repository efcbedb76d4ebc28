//! Selects, on any connection: a pool for the latest state, a transaction for a point in time.

use std::collections::BTreeMap;

use async_trait::async_trait;
use certctl_core::domain::{Day, Timestamp};
use certctl_core::entity::{Row, Test, Value};
use certctl_core::storage::{Octets, Select, Snapshot, StorageError};
use sea_orm::sea_query::{
    Alias, Condition, Expr, ExprTrait, IntoCondition, Order, Query as SeaQuery, SelectStatement, SimpleExpr,
};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement};

use crate::dialect::{self, Dialect, before_nul};
use crate::{octets, rows};

/// The time of a view: fixed for a point in time, running for the latest state.
pub(crate) type Now = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// Rows over a sea-orm connection.
pub(crate) struct SeaSnapshot<C> {
    pub(crate) connection: C,
    pub(crate) now: Now,
    pub(crate) together: Together,
}

/// The rows of several selects.
pub(crate) type Answers = Result<Vec<Vec<Row>>, DbErr>;

/// How a database answers several selects in one trip.
#[derive(Clone, Copy)]
pub(crate) struct Together {
    /// One statement for all of them.
    pub(crate) statement: fn(&[Select]) -> Statement,
    /// Whether its answer is a single row.
    pub(crate) one_row: bool,
    /// Takes the answer apart.
    pub(crate) decode: fn(&[QueryResult], &[Select]) -> Answers,
    /// How it answers a large page, where there is a better way than row by row.
    pub(crate) packed: Option<Packed>,
}

/// How a database answers one select in a single cell.
#[derive(Clone, Copy)]
pub(crate) struct Packed {
    /// The statement.
    pub(crate) statement: fn(&Select) -> Statement,
    /// Takes the cell apart; `None` for one that cannot be, whose rows are then read one by one.
    pub(crate) decode: fn(&[u8], &Select) -> Option<Vec<Row>>,
}

/// A page of so many rows is large.
const LARGE: usize = 50;

#[async_trait]
impl<C: ConnectionTrait + Send + Sync> Snapshot for SeaSnapshot<C> {
    async fn select(&self, select: &Select) -> Result<Vec<Row>, StorageError> {
        if let Some(packed) = self.together.packed
            && select.limit >= LARGE
            && select.offset == 0
            && let Some(rows) = self.packed(packed, select).await?
        {
            return Ok(rows);
        }
        let mut statement = paged(select);
        statement.columns(rows::column_names(select.schema).map(Alias::new));
        let mut statement = self.connection.get_database_backend().build(&statement);
        statement.sql.push_str(&limit(select));
        let results = self.connection.query_all_raw(statement).await.map_err(dialect::orm_error)?;
        let rows = results.iter().map(|result| rows::decode(result, select.schema, 0));
        rows.collect::<Result<_, _>>().map_err(dialect::orm_error)
    }

    async fn select_all(&self, selects: &[Select]) -> Result<Vec<Vec<Row>>, StorageError> {
        if let [select] = selects {
            return Ok(vec![self.select(select).await?]);
        }
        let Together { statement, one_row, decode, packed: _ } = self.together;
        let statement = statement(selects);
        let results = if one_row {
            self.connection.query_one_raw(statement).await.map(|row| row.into_iter().collect())
        } else {
            self.connection.query_all_raw(statement).await
        };
        let results: Vec<QueryResult> = results.map_err(dialect::orm_error)?;
        decode(&results, selects).map_err(dialect::orm_error)
    }

    async fn octets(&self, select: &Select, column: usize) -> Result<Octets, StorageError> {
        let dialect = Dialect::of(self.connection.get_database_backend());
        let statement = octets::statement(dialect, select, column);
        let row = self.connection.query_one(&statement).await.map_err(dialect::orm_error)?;
        octets::decode(&row.ok_or_else(|| StorageError::fatal("a page returned no row"))?, select)
    }

    async fn count(&self, select: &Select) -> Result<u64, StorageError> {
        let mut statement = matching(select);
        statement.expr(Expr::cust("count(*)"));
        let row = self.connection.query_one(&statement).await.map_err(dialect::orm_error)?;
        let row = row.ok_or_else(|| StorageError::fatal("a count returned no row"))?;
        let count: i64 = row.try_get_by(0).map_err(dialect::orm_error)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn count_by_day(&self, select: &Select, column: usize) -> Result<BTreeMap<Day, u64>, StorageError> {
        let name = select.schema.columns.get(column).map_or("", |column| column.name);
        let mut statement = matching(select);
        statement.and_where(Expr::col(Alias::new(name)).is_not_null());
        statement.expr(day(name)).expr(Expr::cust("count(*)")).add_group_by([day(name)]);
        let rows = self.connection.query_all(&statement).await.map_err(dialect::orm_error)?;
        let count = |row: &QueryResult| {
            let (day, count): (i64, i64) = (row.try_get_by(0)?, row.try_get_by(1)?);
            Ok((Day(day), u64::try_from(count).unwrap_or(0)))
        };
        rows.iter().map(count).collect::<Result<_, _>>().map_err(dialect::orm_error)
    }

    fn now(&self) -> Timestamp {
        (self.now)()
    }
}

impl<C: ConnectionTrait + Send + Sync> SeaSnapshot<C> {
    /// The rows out of a single cell; `None` when they do not fit in one or it cannot be taken apart.
    async fn packed(&self, packed: Packed, select: &Select) -> Result<Option<Vec<Row>>, StorageError> {
        let answer = match self.connection.query_one_raw((packed.statement)(select)).await {
            Ok(answer) => answer.ok_or_else(|| StorageError::fatal("a page returned no row"))?,
            Err(error) if dialect::is_too_big_for_sqlite(&error) => return Ok(None),
            Err(error) => return Err(dialect::orm_error(error)),
        };
        let cell: Option<Vec<u8>> = answer.try_get_by(0).map_err(dialect::orm_error)?;
        // No rows make no cell.
        Ok(cell.map_or(Some(Vec::new()), |cell| (packed.decode)(&cell, select)))
    }
}

fn matching(select: &Select) -> SelectStatement {
    with_tests(select, select.tests.iter())
}

fn with_tests<'a>(select: &Select, tests: impl Iterator<Item = &'a (usize, Test)>) -> SelectStatement {
    let mut statement = SeaQuery::select();
    statement.from(Alias::new(select.schema.table));
    for (position, test) in tests {
        statement.cond_where(condition(&column(select, *position), test));
    }
    statement
}

/// Whether the place that a page goes on from says the same and more. Given two places to begin at, SQLite takes the one that it
/// reads first, and walks from there past all pages before.
fn is_implied(select: &Select, (position, test): &(usize, Test)) -> bool {
    let Some((place, _)) = &select.after else { return false };
    *position == select.sort
        && before_nul(place).is_none()
        && match test {
            Test::AtLeast(first) => !select.descending && *first != Value::Null && first <= place,
            Test::Below(behind) => select.descending && *place != Value::Null && place < behind,
            _ => false,
        }
}

/// The select without the columns that it returns, and without its [`limit`] where it passes over no rows.
pub(crate) fn paged(select: &Select) -> SelectStatement {
    let mut statement = with_tests(select, select.tests.iter().filter(|test| !is_implied(select, test)));
    if let Some((value, id)) = &select.after {
        let holds = |(position, test): &(usize, Test)| {
            *position == select.sort && matches!(test, Test::Equals(one) if one == value)
        };
        let (here, last) = if select.tests.iter().any(holds) {
            // All rows have the same value there. Of a row comparison that says so again SQLite would not use the id.
            (column(select, 0), Expr::value(id.as_str()))
        } else {
            // A row comparison walks the composite index straight to the place.
            let here = Expr::tuple([column(select, select.sort), column(select, 0)]);
            (here, Expr::tuple([Expr::value(bind(value)), Expr::value(id.as_str())]))
        };
        statement.and_where(if select.descending { here.lt(last) } else { here.gt(last) });
    }
    let order = if select.descending { Order::Desc } else { Order::Asc };
    if select.sort != 0 {
        statement.order_by_expr(column(select, select.sort), order.clone());
    }
    statement.order_by_expr(column(select, 0), order);
    if select.offset > 0 {
        statement.limit(number(select.limit)).offset(number(select.offset));
    }
    statement
}

/// The limit of a select that does not pass over rows, to be written behind it.
///
/// As a number rather than a parameter: SQLite looks at the number when it plans, and plans anew whenever a parameter that
/// it has looked at is bound. Page sizes are few, so texts stay few. SQLite has no offset without a limit, and its place is
/// behind it, so there both are parameters.
pub(crate) fn limit(select: &Select) -> String {
    if select.offset > 0 { String::new() } else { format!(" LIMIT {}", number(select.limit)) }
}

/// SQLite has no number above this one.
pub(crate) fn number(n: usize) -> u64 {
    i64::try_from(n).unwrap_or(i64::MAX).unsigned_abs()
}

fn column(select: &Select, position: usize) -> SimpleExpr {
    Expr::col(Alias::new(select.schema.columns.get(position).map_or("", |column| column.name)))
}

/// The day of a moment. Both databases round the quotient of integers towards zero, and days begin below.
fn day(column: &str) -> SimpleExpr {
    let length = Day::MICROSECONDS;
    Expr::cust(format!("\"{column}\" / {length} - CASE WHEN \"{column}\" % {length} < 0 THEN 1 ELSE 0 END"))
}

fn condition(column: &SimpleExpr, test: &Test) -> Condition {
    let column = || column.clone();
    match test {
        Test::Below(Value::Null) | Test::NotAtLeast(Value::Null) => never(),
        Test::Equals(Value::Null) => column().is_null().into_condition(),
        Test::Differs(Value::Null) | Test::AtLeast(Value::Null) | Test::NotBelow(Value::Null) => {
            column().is_not_null().into_condition()
        }
        Test::Equals(value) if before_nul(value).is_some() => never(),
        Test::Equals(value) => column().eq(bind(value)).into_condition(),
        Test::Differs(value) if before_nul(value).is_some() => Condition::all(),
        // Null differs from every value.
        Test::Differs(value) => Condition::any().add(column().ne(bind(value))).add(column().is_null()),
        Test::OneOf(values) => one_of(&column, values),
        Test::Below(value) | Test::NotAtLeast(value) if before_nul(value).is_some() => {
            column().lte(before_nul(value)).into_condition()
        }
        Test::Below(value) => column().lt(bind(value)).into_condition(),
        Test::NotAtLeast(value) => Condition::all().not().add(column().gte(bind(value))),
        Test::AtLeast(value) | Test::NotBelow(value) if before_nul(value).is_some() => {
            column().gt(before_nul(value)).into_condition()
        }
        Test::AtLeast(value) => column().gte(bind(value)).into_condition(),
        Test::NotBelow(value) => Condition::all().not().add(column().lt(bind(value))),
    }
}

fn one_of(column: &impl Fn() -> SimpleExpr, values: &[Value]) -> Condition {
    let mut known: Vec<sea_orm::Value> =
        values.iter().filter(|value| **value != Value::Null && before_nul(value).is_none()).map(bind).collect();
    let mut condition = Condition::any();
    if let Some(last) = known.last().cloned() {
        // Few lengths make few texts, which keeps the statement caches useful.
        known.resize(known.len().next_power_of_two(), last);
        condition = condition.add(column().is_in(known));
    } else {
        condition = condition.add(never());
    }
    if values.contains(&Value::Null) { condition.add(column().is_null()) } else { condition }
}

fn never() -> Condition {
    Expr::cust("1 = 0").into_condition()
}

fn bind(value: &Value) -> sea_orm::Value {
    match value {
        Value::Null => sea_orm::Value::String(None),
        Value::Boolean(flag) => (*flag).into(),
        Value::Integer(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Bytes(bytes) => bytes.clone().into(),
    }
}
