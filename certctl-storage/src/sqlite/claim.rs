//! Leases in SQLite. The writer is alone, so a claim may take several statements.

use certctl_core::domain::Timestamp;
use certctl_core::storage::{Claim, Claimed, ClaimedRow, DueQuery, Fence, QueueSchema};
use sea_orm::{DbErr, QueryResult, RuntimeErr, Statement};
use sqlx::{AssertSqlSafe, Error, Row as _, SqliteConnection, query};

use crate::dialect::Dialect;
use crate::rows;

/// The partitions among the given ones in which a row is due.
pub(super) fn partitions_due<'a>(
    queue: &QueueSchema,
    partitions: impl Iterator<Item = &'a str>,
    now: Timestamp,
) -> Statement {
    let sql = format!(
        "SELECT value FROM json_each($1) WHERE EXISTS (SELECT 1 FROM \"{}\" WHERE {} AND \"partition\" = value \
         AND \"due_at\" <= $2)",
        queue.schema.table,
        open(queue)
    );
    statement(sql, [rows::encode_texts(partitions).into(), now.0.into()])
}

/// The earliest due time in the given partitions.
pub(super) fn next_due(query: &DueQuery) -> Statement {
    let queue = query.queue;
    let sql = format!(
        "SELECT min((SELECT min(\"due_at\") FROM \"{}\" WHERE {} AND \"partition\" = value)) FROM json_each($1)",
        queue.schema.table,
        open(queue)
    );
    statement(sql, [rows::encode_texts(query.partitions.iter().map(String::as_str)).into()])
}

pub(super) async fn claim(connection: &mut SqliteConnection, claim: &Claim, now: Timestamp) -> Result<Claimed, Error> {
    let queue = claim.queue;
    let table = queue.schema.table;
    let select = format!(
        "SELECT \"id\", \"state\" = '{}' FROM \"{table}\" WHERE {} AND \"partition\" = $1 AND \"due_at\" <= $2 \
         ORDER BY \"due_at\", \"id\" LIMIT ",
        queue.running,
        open(queue)
    );
    let mut due = Vec::new();
    for (partition, permits) in claim.permits() {
        // The limit is no parameter, or SQLite would plan anew for each claim.
        let select = format!("{select}{permits}");
        let rows = query(AssertSqlSafe(select)).bind(partition).bind(now.0);
        for row in rows.fetch_all(&mut *connection).await? {
            due.push((row.try_get::<String, _>(0)?, row.try_get::<bool, _>(1)?));
        }
    }
    if due.is_empty() {
        return Ok(Claimed { now, rows: Vec::new() });
    }
    let names: Vec<String> = rows::column_names(queue.schema).map(|name| format!("\"{name}\"")).collect();
    let update = format!(
        "UPDATE \"{table}\" SET \"state\" = '{}', \"attempt\" = \"attempt\" + 1, \"row_version\" = \"row_version\" + 1, \
         \"holder\" = $2, \"due_at\" = $3 WHERE \"id\" IN (SELECT value FROM json_each($1)) RETURNING {}",
        queue.running,
        names.join(", ")
    );
    let results = query(AssertSqlSafe(update))
        .bind(rows::encode_texts(due.iter().map(|(id, _)| id.as_str())))
        .bind(&claim.holder)
        .bind((now + claim.lease).0)
        .fetch_all(&mut *connection)
        .await?;
    let decoded =
        results.into_iter().map(|row| rows::decode(&QueryResult::from(row), queue.schema, 0).map_err(decode_error));
    let mut decoded: std::collections::BTreeMap<String, _> =
        decoded.map(|row| row.map(|row| (row.id().to_owned(), row))).collect::<Result<_, _>>()?;
    // RETURNING has no order; what was selected has.
    let claimed = |(id, abandoned): (String, bool)| Some(ClaimedRow { row: decoded.remove(&id)?, abandoned });
    Ok(Claimed { now, rows: due.into_iter().filter_map(claimed).collect() })
}

/// Whether the lease was there to be prolonged.
pub(super) async fn prolong(connection: &mut SqliteConnection, fence: &Fence, until: Timestamp) -> Result<bool, Error> {
    let queue = fence.queue;
    let sql = format!(
        "UPDATE \"{}\" SET \"due_at\" = $4 WHERE \"id\" = $1 AND \"attempt\" = $2 AND \"holder\" = $3 \
         AND \"state\" = '{}'",
        queue.schema.table, queue.running
    );
    let update = query(AssertSqlSafe(sql)).bind(&fence.id).bind(fence.attempt).bind(&fence.holder).bind(until.0);
    Ok(update.execute(connection).await?.rows_affected() == 1)
}

/// The same constant as the limit of the queue's index, written into the text: a parameter could not use the index.
fn open(queue: &QueueSchema) -> String {
    let names: Vec<String> = queue.open.iter().map(|name| format!("'{name}'")).collect();
    format!("\"state\" IN ({})", names.join(", "))
}

fn statement<const N: usize>(sql: String, values: [sea_orm::Value; N]) -> Statement {
    Statement::from_sql_and_values(Dialect::Sqlite.backend(), sql, values)
}

fn decode_error(error: DbErr) -> Error {
    match error {
        DbErr::Query(RuntimeErr::SqlxError(error)) => {
            std::sync::Arc::try_unwrap(error).unwrap_or_else(|error| Error::Decode(error.to_string().into()))
        }
        error => Error::Decode(error.to_string().into()),
    }
}
