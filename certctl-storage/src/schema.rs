//! Tables and indexes from the description of entities, through sea-query's builders.

use certctl_core::entity::{Kind, Reference, Schema};
use sea_orm::sea_query::{
    Alias, ColumnDef, ConditionalStatement, Expr, ExprTrait, ForeignKey, ForeignKeyAction, Index, IndexCreateStatement,
    Table, TableCreateStatement,
};

use crate::dialect::Dialect;

pub(crate) fn table(dialect: Dialect, schema: &Schema) -> TableCreateStatement {
    let mut table = Table::create().table(Alias::new(schema.table)).to_owned();
    for (position, column) in schema.columns.iter().enumerate() {
        let mut definition = dialect.column(column);
        if position == 0 {
            definition.primary_key();
        }
        table.col(definition);
        if position == 0 && schema.mutable {
            // Before what may be large: a row that does not fit on its page is read up to the last column that is wanted, and
            // this one always is.
            let integer = dialect.sql_type(Kind::Integer);
            table.col(ColumnDef::new(Alias::new("row_version")).custom(Alias::new(integer)).not_null());
        }
    }
    for reference in schema.references {
        table.foreign_key(
            ForeignKey::create()
                .name(format!("{}_{}", schema.table, reference.column))
                .from(Alias::new(schema.table), Alias::new(reference.column))
                .to(Alias::new((reference.target)().table), Alias::new("id"))
                .on_delete(ForeignKeyAction::Restrict),
        );
    }
    if let Some(suffix) = dialect.table_suffix(schema) {
        table.extra(suffix);
    }
    table
}

/// Statements that make SQLite refuse the deletion of what is referred to on every connection: it checks foreign keys only
/// on those that ask for it, and its own shell does not.
pub(crate) fn guards(dialect: Dialect, schema: &Schema) -> Vec<String> {
    let guarded = if dialect.checks_always() { &[] } else { schema.references };
    let guard = |reference: &Reference| {
        let (child, column, parent) = (schema.table, reference.column, (reference.target)().table);
        format!(
            "CREATE TRIGGER \"{child}_{column}_guard\" BEFORE DELETE ON \"{parent}\" \
             WHEN EXISTS (SELECT 1 FROM \"{child}\" WHERE \"{column}\" = OLD.\"id\") \
             BEGIN SELECT RAISE(ABORT, 'FOREIGN KEY constraint failed'); END"
        )
    };
    guarded.iter().map(guard).collect()
}

pub(crate) fn indexes(schema: &Schema) -> impl Iterator<Item = IndexCreateStatement> {
    schema.indexes.iter().map(move |index| {
        let mut statement = Index::create().name(index.name).table(Alias::new(schema.table)).to_owned();
        for column in index.columns {
            statement.col(Alias::new(*column));
        }
        if index.unique {
            statement.unique();
        }
        if let Some(only) = &index.only {
            statement.and_where(Expr::col(Alias::new(only.column)).is_in(only.one_of.iter().copied()));
        } else if let Some(column) = absent_in_most(schema, index) {
            statement.and_where(Expr::col(Alias::new(column)).is_not_null());
        }
        statement
    })
}

/// The only column of a unique index, if it may be null. Null agrees with nothing, so such rows need no entry.
fn absent_in_most(schema: &Schema, index: &certctl_core::entity::Index) -> Option<&'static str> {
    let [column] = index.columns else { return None };
    let nullable = schema.columns.iter().any(|c| c.name == *column && c.nullable);
    (index.unique && nullable).then_some(*column)
}
