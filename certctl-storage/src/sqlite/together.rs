//! Several selects in one trip to a reader: SQLite runs several statements of one text, one after the other.

use certctl_core::storage::Select;
use sea_orm::Statement;
use sea_orm::sea_query::{Alias, Expr, SqliteQueryBuilder};

use crate::dialect::Dialect;
use crate::read::{Together, limit, paged};
use crate::rows;

/// How SQLite does it. Each statement takes as many of the parameters as it has, in their order.
pub(super) const TOGETHER: Together = Together { statement, decode: |result, schema| rows::decode(result, schema, 1) };

fn statement(selects: &[Select]) -> Statement {
    let (mut text, mut parameters) = (String::new(), Vec::new());
    for (place, select) in selects.iter().enumerate() {
        let mut statement = paged(select);
        // Written into the text: one text per shape all the same, and one parameter less.
        statement.expr(Expr::cust(place.to_string()));
        statement.columns(rows::column_names(select.schema).map(Alias::new));
        let (sql, values) = statement.build(SqliteQueryBuilder);
        if place > 0 {
            text.push_str("; ");
        }
        text.push_str(&sql);
        text.push_str(&limit(select));
        parameters.extend(values.0);
    }
    Statement::from_sql_and_values(Dialect::Sqlite.backend(), text, parameters)
}
