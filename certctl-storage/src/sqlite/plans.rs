//! Which way SQLite goes to the rows of large lists: asked of its planner, since a wrong way costs nothing on a small table.

use certctl_core::domain::{KeyId, ListedRevocation, Revocation, SCHEMAS, Timestamp};
use certctl_core::entity::Value;
use certctl_core::storage::{Query, Select};
use sea_orm::sea_query::SqliteQueryBuilder;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use super::connect;
use crate::dialect::Dialect;
use crate::{DatabaseConfig, migrations, octets};

async fn opened() -> (tempfile::TempDir, DatabaseConnection) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("certctl.db");
    let config = DatabaseConfig::new(format!("sqlite:{}", path.display()));
    let connection = connect(&path, &config, false).await.unwrap();
    migrations::open(&connection, Dialect::Sqlite, SCHEMAS).await.unwrap();
    (directory, connection)
}

/// The steps of a plan, as SQLite words them.
async fn plan(connection: &DatabaseConnection, select: &Select) -> Vec<String> {
    let joined = select.schema.position("crl_entry").unwrap();
    let (sql, parameters) = octets::statement(Dialect::Sqlite, select, joined).build(SqliteQueryBuilder);
    let sql = format!("EXPLAIN QUERY PLAN {sql}");
    let statement = Statement::from_sql_and_values(Dialect::Sqlite.backend(), sql, parameters);
    let rows = connection.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get::<String>("", "detail").unwrap()).collect()
}

#[tokio::test]
async fn a_revocation_list_is_read_out_of_its_index_alone_from_the_place_of_each_page() {
    let (_directory, connection) = opened().await;
    let (fields, authority) = (ListedRevocation::FIELDS, KeyId::of(b"an authority"));
    let query = || {
        Query::<ListedRevocation>::sorted(fields.crl_list.ascending())
            .filter(fields.not_after.not_below(Timestamp(1)))
            .limit(4_096)
    };
    let (first, behind) = Revocation::lists(&authority);
    let complete = query().filter(fields.crl_list.at_least(first)).filter(fields.crl_list.below(behind));
    let shard = Revocation::list(&authority, Some(7));
    let complete = complete.into_select().unwrap();
    let shard_alone = query().filter(fields.crl_list.equals(shard.clone())).into_select().unwrap();
    let after = |select: &Select| {
        let mut next = select.clone();
        next.after = Some((Value::Text(shard.clone()), "rev-1".to_owned()));
        next
    };
    let index = "SEARCH certificate_revocations USING COVERING INDEX certificate_revocations_listed";
    for (select, place) in [
        (&complete, "(crl_list>? AND crl_list<?)"),
        (&after(&complete), "((crl_list,id)>(?,?) AND crl_list<?)"),
        (&shard_alone, "(crl_list=?)"),
        (&after(&shard_alone), "(crl_list=? AND id>?)"),
    ] {
        let plan = plan(&connection, select).await;
        // The page, and the way to its last row.
        let searches = plan.iter().filter(|step| **step == format!("{index} {place}")).count();
        assert_eq!(searches, 2, "{plan:?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "it is sorted: {plan:?}");
    }
}
