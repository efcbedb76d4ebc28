//! Leases in PostgreSQL: one statement each.

use std::time::Duration;

use certctl_core::domain::Timestamp;
use certctl_core::storage::{Claim, Claimed, ClaimedRow, DueQuery, Fence, QueueSchema};
use sea_orm::QueryResult;
use sqlx::{AssertSqlSafe, Error, PgPool, Row as _, query};

use crate::dialect::POSTGRES_NOW;
use crate::rows;

/// Takes up to the free permits of each partition in one statement. Rows that another claim is taking are passed over;
/// `otherwise` is the time when nothing was due.
///
/// A common table expression that locks is evaluated once, unlike a subquery in `IN (…)`. The lock is the one that an
/// update of other columns than keys takes, so rows that refer to these do not hinder it.
pub(super) async fn claim(pool: &PgPool, claim: &Claim, otherwise: impl Fn() -> Timestamp) -> Result<Claimed, Error> {
    let queue = claim.queue;
    let table = queue.schema.table;
    let (partitions, permits): (Vec<&str>, Vec<i64>) =
        claim.permits().into_iter().map(|(name, free)| (name, i64::from(free))).unzip();
    if partitions.is_empty() {
        return Ok(Claimed { now: otherwise(), rows: Vec::new() });
    }
    let names: Vec<String> = rows::column_names(queue.schema).map(|name| format!("t.\"{name}\"")).collect();
    let columns = names.len();
    let sql = format!(
        "WITH due AS (SELECT d.* FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS w(\"partition\", free, place) \
           CROSS JOIN LATERAL (SELECT q.\"id\", q.\"due_at\", q.\"state\" = '{running}' AS abandoned, w.place \
             FROM \"{table}\" AS q WHERE {open} AND q.\"partition\" = w.\"partition\" AND q.\"due_at\" <= {POSTGRES_NOW} \
             ORDER BY q.\"due_at\", q.\"id\" LIMIT w.free FOR NO KEY UPDATE SKIP LOCKED) AS d) \
         UPDATE \"{table}\" AS t SET \"state\" = '{running}', \"attempt\" = t.\"attempt\" + 1, \
           \"row_version\" = t.\"row_version\" + 1, \"holder\" = $3, \"due_at\" = {POSTGRES_NOW} + $4::bigint \
         FROM due WHERE t.\"id\" = due.\"id\" \
         RETURNING {names}, due.abandoned, {POSTGRES_NOW}, due.place, due.\"due_at\"",
        running = queue.running,
        open = open(queue),
        names = names.join(", "),
    );
    let results = query(AssertSqlSafe(sql))
        .bind(partitions)
        .bind(permits)
        .bind(&claim.holder)
        .bind(micros(claim.lease))
        .fetch_all(pool)
        .await?;
    let mut claimed = Vec::with_capacity(results.len());
    let mut now = None;
    for result in results {
        let abandoned = result.try_get(columns)?;
        now = Some(Timestamp(result.try_get(columns + 1)?));
        let place: (i64, i64) = (result.try_get(columns + 2)?, result.try_get(columns + 3)?);
        let row = rows::decode(&QueryResult::from(result), queue.schema, 0)
            .map_err(|error| Error::Decode(error.to_string().into()))?;
        claimed.push((place, ClaimedRow { row, abandoned }));
    }
    // RETURNING has no order.
    claimed.sort_by(|(a, left), (b, right)| (a, left.row.id()).cmp(&(b, right.row.id())));
    Ok(Claimed { now: now.unwrap_or_else(otherwise), rows: claimed.into_iter().map(|(_, row)| row).collect() })
}

/// Whether the lease was there to be prolonged.
pub(super) async fn prolong(pool: &PgPool, fence: &Fence, lease: Duration) -> Result<bool, Error> {
    let queue = fence.queue;
    let sql = format!(
        "UPDATE \"{}\" SET \"due_at\" = {POSTGRES_NOW} + $4::bigint WHERE \"id\" = $1 AND \"attempt\" = $2::bigint \
         AND \"holder\" = $3 AND \"state\" = '{}'",
        queue.schema.table, queue.running
    );
    let update = query(AssertSqlSafe(sql)).bind(&fence.id).bind(fence.attempt).bind(&fence.holder).bind(micros(lease));
    Ok(update.execute(pool).await?.rows_affected() == 1)
}

/// How long until something is due in these partitions.
pub(super) async fn next_due(pool: &PgPool, due: &DueQuery) -> Result<Option<Duration>, Error> {
    let queue = due.queue;
    let sql = format!(
        "SELECT min(d.due), {POSTGRES_NOW} FROM unnest($1::text[]) AS w(\"partition\") CROSS JOIN LATERAL \
         (SELECT min(q.\"due_at\") AS due FROM \"{}\" AS q WHERE {} AND q.\"partition\" = w.\"partition\") AS d",
        queue.schema.table,
        open(queue)
    );
    let row = query(AssertSqlSafe(sql)).bind(&due.partitions).fetch_one(pool).await?;
    let (first, now): (Option<i64>, i64) = (row.try_get(0)?, row.try_get(1)?);
    Ok(first.map(|first| Timestamp(first).since(Timestamp(now))))
}

/// The same constant as the limit of the queue's index, written into the text: a parameter could not use the index.
fn open(queue: &QueueSchema) -> String {
    let names: Vec<String> = queue.open.iter().map(|name| format!("'{name}'")).collect();
    format!("q.\"state\" IN ({})", names.join(", "))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
