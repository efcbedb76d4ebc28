//! Sealing in PostgreSQL: one short transaction, under a lock that ends with it.
//!
//! A transaction that commits is visible to every later snapshot, so what one pass finds was committed before what only the
//! next one finds. A transaction that was under way is found by a later pass, however late it commits: its rows say of
//! themselves that they have no place yet.

use certctl_core::domain::audit::{ChainHead, Link, UNSEALED, links};
use certctl_core::storage::{SealAudit, SealedAudit, StorageError};
use sqlx::{AssertSqlSafe, Error, PgPool, Row as _, query};

use crate::dialect::{self, POSTGRES_SEAL_LOCK};

/// Seals. Whoever finds another one at it leaves it to that one; a sealer that dies lets go with its connection.
pub(super) async fn seal(pool: &PgPool, request: SealAudit) -> Result<SealedAudit, StorageError> {
    let failed = |error: Error| dialect::storage_error(&error);
    attempt(pool, request).await.map_err(failed)?
}

async fn attempt(pool: &PgPool, request: SealAudit) -> Result<Result<SealedAudit, StorageError>, Error> {
    let SealAudit { events, limit } = request;
    let table = events.table;
    let mut transaction = pool.begin().await?;
    // Each statement after this one sees what the sealer before has committed: the lock is let go after the commit.
    if !query(POSTGRES_SEAL_LOCK).fetch_one(&mut *transaction).await?.try_get::<bool, _>(0)? {
        return Ok(Ok(SealedAudit { rows: 0, head: None }));
    }
    let last =
        format!("SELECT \"seq\", \"hash\" FROM \"{table}\" WHERE \"seq\" < {UNSEALED} ORDER BY \"seq\" DESC LIMIT 1");
    let head = match query(AssertSqlSafe(last)).fetch_optional(&mut *transaction).await? {
        None => ChainHead::GENESIS,
        Some(row) => {
            let (seq, hash): (i64, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
            let Ok(hash) = hash.try_into() else {
                return Ok(Err(StorageError::Corrupt { entity: table, column: SealAudit::HASH }));
            };
            ChainHead { seq, hash }
        }
    };
    let found =
        format!("SELECT \"id\", \"digest\" FROM \"{table}\" WHERE \"seq\" = {UNSEALED} ORDER BY \"id\" LIMIT {limit}");
    let mut unsealed = Vec::new();
    for row in query(AssertSqlSafe(found)).fetch_all(&mut *transaction).await? {
        unsealed.push((row.try_get::<String, _>(0)?, row.try_get::<Vec<u8>, _>(1)?));
    }
    let links = links(head, unsealed);
    let Some(Link { seq, hash, .. }) = links.last() else {
        // A transaction that is dropped lets go of its lock only some time later.
        transaction.rollback().await?;
        return Ok(Ok(SealedAudit { rows: 0, head: Some(head) }));
    };
    let end = ChainHead { seq: *seq, hash: *hash };
    let update = format!(
        "UPDATE \"{table}\" AS t SET \"seq\" = r.\"seq\", \"hash\" = r.\"hash\" \
         FROM unnest($1::text[], $2::bigint[], $3::bytea[]) AS r(\"id\", \"seq\", \"hash\") \
         WHERE t.\"id\" = r.\"id\" AND t.\"seq\" = {UNSEALED}"
    );
    let ids: Vec<&str> = links.iter().map(|link| link.id.as_str()).collect();
    let places: Vec<i64> = links.iter().map(|link| link.seq).collect();
    let hashes: Vec<&[u8]> = links.iter().map(|link| link.hash.as_slice()).collect();
    let update = query(AssertSqlSafe(update)).bind(ids).bind(places).bind(hashes);
    let rows = update.execute(&mut *transaction).await?.rows_affected();
    transaction.commit().await?;
    Ok(Ok(SealedAudit { rows, head: Some(end) }))
}
