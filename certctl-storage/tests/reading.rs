//! Which way PostgreSQL goes to the rows of a long list, by what it counts: its planner knows little of new rows, and a way past
//! rows that nobody asked for costs nothing on a small table.

use std::sync::Arc;
use std::time::Duration;

use certctl_core::domain::{KeyId, ListedRevocation, Revocation, SCHEMAS, Timestamp};
use certctl_core::storage::{Query, Storage, View};
use certctl_storage::{DatabaseConfig, SeaStorage};
use libtest_mimic::Trial;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, QueryResult, Statement};

use crate::clock::SystemClock;
use crate::{Server, on_postgres};

pub(crate) fn trials(server: &Server) -> Vec<Trial> {
    vec![on_postgres(server, "a_revocation_list_is_read_out_of_its_index", read_from_the_index)]
}

const ROWS: u64 = 20_000;
const SHARDS: u64 = 4;

async fn read_from_the_index(url: String) {
    let (authority, config) = (KeyId::of(b"an authority"), DatabaseConfig::new(&url));
    let open = async || SeaStorage::connect(&config, SCHEMAS, Arc::new(SystemClock)).await.unwrap();
    open().await.close().await;
    let raw = Database::connect(&url).await.unwrap();
    let list = Revocation::list(&authority, None);
    let rows = format!(
        "INSERT INTO certificate_revocations (id, row_version, issuer_id, serial_number, crl_list, crl_entry, certificate_id, \
         version_id, reason, revoked_at, revoked_by, not_after, short_lived, changed_at) \
         SELECT 'rev-' || lpad(n::text, 8, '0'), 1, 'iss-1', n::text, '{list}' || lpad((n % {SHARDS})::text, 5, '0'), \
         '\\x30030201ff', 'mc-1', 'cv-1', 'superseded', 0, 'test', 9, false, 0 FROM generate_series(1, {ROWS}) n"
    );
    raw.execute_unprepared(&rows).await.unwrap();
    let fields = ListedRevocation::FIELDS;
    let query =
        || Query::sorted(fields.crl_list.ascending()).filter(fields.not_after.not_below(Timestamp(1))).limit(1_000);
    let (first, behind) = Revocation::lists(&authority);
    let complete = query().filter(fields.crl_list.at_least(first)).filter(fields.crl_list.below(behind));
    let shard = query().filter(fields.crl_list.equals(Revocation::list(&authority, Some(1))));
    for prepared in ["SELECT 1", "VACUUM ANALYZE certificate_revocations"] {
        raw.execute_unprepared(prepared).await.unwrap();
        for (query, wanted) in [(&complete, ROWS), (&shard, ROWS / SHARDS)] {
            let (before, store) = (counted(&raw).await, open().await);
            let view = store.read(View::PointInTime).await.unwrap();
            let (mut records, mut after) = (0, None);
            loop {
                let page = view.joined(query.clone().after(after), fields.crl_entry).await.unwrap();
                records += page.records as u64;
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(records, wanted);
            drop(view);
            store.close().await;
            // What a connection counted is known for certain when the server has let go of it.
            while connected(&raw).await > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let after = counted(&raw).await;
            let (past, read) = (after.0 - before.0, after.1 - before.1);
            assert_eq!(past, 0, "{prepared}: rows were read one after the other");
            // Once for the cells, and once for the place of each page.
            assert!((wanted..=2 * wanted).contains(&read), "{prepared}: {read} entries were read for {wanted} rows");
        }
    }
    raw.close().await.unwrap();
}

/// Rows that were read in the order of the table, and entries of the index.
async fn counted(raw: &DatabaseConnection) -> (u64, u64) {
    let sql = "SELECT seq_tup_read, pg_stat_get_tuples_returned('certificate_revocations_listed'::regclass) \
               FROM pg_stat_user_tables WHERE relname = 'certificate_revocations'";
    let row = one_row(raw, sql).await;
    let count = |place: usize| u64::try_from(row.try_get_by::<i64, _>(place).unwrap()).unwrap();
    (count(0), count(1))
}

/// Connections of stores.
async fn connected(raw: &DatabaseConnection) -> i64 {
    let sql =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'certctl'";
    one_row(raw, sql).await.try_get_by(0).unwrap()
}

async fn one_row(raw: &DatabaseConnection, sql: &str) -> QueryResult {
    let statement = Statement::from_string(raw.get_database_backend(), sql);
    raw.query_one_raw(statement).await.unwrap().unwrap()
}
