//! Sealing in SQLite. The writer is alone, so the order of commits is that of its transactions.

use certctl_core::domain::audit::{ChainHead, Link, UNSEALED, links};
use certctl_core::entity::Schema;
use certctl_core::storage::{SealAudit, SealedAudit, StorageError};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use sqlx::{AssertSqlSafe, Error, Row as _, SqliteConnection, query};

use crate::dialect::{self, Dialect};
use crate::rows;

/// The end of the chain, if every row has its place in it.
pub(super) async fn head_if_all_is_sealed(
    readers: &DatabaseConnection,
    events: &Schema,
) -> Result<Option<ChainHead>, StorageError> {
    let table = events.table;
    // One statement, so that no row can be committed between two answers.
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM \"{table}\" WHERE \"seq\" = {UNSEALED}), h.\"seq\", h.\"hash\" FROM (SELECT 1) \
         LEFT JOIN (SELECT \"seq\", \"hash\" FROM \"{table}\" WHERE \"seq\" < {UNSEALED} ORDER BY \"seq\" DESC LIMIT 1) AS h"
    );
    let statement = Statement::from_string(Dialect::Sqlite.backend(), sql);
    let row = readers.query_one_raw(statement).await.map_err(dialect::orm_error)?;
    let row = row.ok_or_else(|| StorageError::fatal("a question for one row returned none"))?;
    if row.try_get_by::<bool, _>(0).map_err(dialect::orm_error)? {
        return Ok(None);
    }
    let seq: Option<i64> = row.try_get_by(1).map_err(dialect::orm_error)?;
    let hash: Option<Vec<u8>> = row.try_get_by(2).map_err(dialect::orm_error)?;
    head(events, seq.zip(hash)).map(Some)
}

/// Seals within the writer's transaction. A chain that cannot go on is told without harm to what else is written there.
pub(super) async fn seal(
    connection: &mut SqliteConnection,
    request: SealAudit,
) -> Result<Result<SealedAudit, StorageError>, Error> {
    let SealAudit { events, limit } = request;
    let table = events.table;
    let last =
        format!("SELECT \"seq\", \"hash\" FROM \"{table}\" WHERE \"seq\" < {UNSEALED} ORDER BY \"seq\" DESC LIMIT 1");
    let last = query(AssertSqlSafe(last)).fetch_optional(&mut *connection).await?;
    let last = last.map(|row| Ok::<_, Error>((row.try_get(0)?, row.try_get(1)?))).transpose()?;
    let head = match head(events, last) {
        Ok(head) => head,
        Err(damaged) => return Ok(Err(damaged)),
    };
    let found =
        format!("SELECT \"id\", \"digest\" FROM \"{table}\" WHERE \"seq\" = {UNSEALED} ORDER BY \"id\" LIMIT {limit}");
    let mut unsealed = Vec::new();
    for row in query(AssertSqlSafe(found)).fetch_all(&mut *connection).await? {
        unsealed.push((row.try_get::<String, _>(0)?, row.try_get::<Vec<u8>, _>(1)?));
    }
    let links = links(head, unsealed);
    let Some(Link { seq, hash, .. }) = links.last() else { return Ok(Ok(SealedAudit { rows: 0, head: Some(head) })) };
    let end = ChainHead { seq: *seq, hash: *hash };
    // The plus keeps the planner from walking the unsealed rows once for each row of JSON.
    let update = format!(
        "UPDATE \"{table}\" SET \"seq\" = r.\"seq\", \"hash\" = r.\"hash\" FROM (SELECT value->>0 AS \"id\", \
         value->>1 AS \"seq\", unhex(value->>2) AS \"hash\" FROM json_each($1)) AS r \
         WHERE \"{table}\".\"id\" = r.\"id\" AND +\"{table}\".\"seq\" = {UNSEALED}"
    );
    let json = rows::encode_links(&links);
    let rows = query(AssertSqlSafe(update)).bind(json).execute(&mut *connection).await?.rows_affected();
    Ok(Ok(SealedAudit { rows, head: Some(end) }))
}

fn head(events: &Schema, last: Option<(i64, Vec<u8>)>) -> Result<ChainHead, StorageError> {
    let Some((seq, hash)) = last else { return Ok(ChainHead::GENESIS) };
    let damaged = |_| StorageError::Corrupt { entity: events.table, column: SealAudit::HASH };
    Ok(ChainHead { seq, hash: hash.try_into().map_err(damaged)? })
}
