//! Sealing, as the databases do it.

use std::sync::Arc;

use super::State;
use crate::domain::audit::{ChainHead, UNSEALED, links};
use crate::entity::{Row, Schema, Value};
use crate::storage::{SealAudit, SealedAudit, StorageError};

impl State {
    pub(super) fn seal_audit(&mut self, SealAudit { events, limit }: SealAudit) -> Result<SealedAudit, StorageError> {
        let [digest, seq, hash] = [
            position(events, SealAudit::DIGEST)?,
            position(events, SealAudit::SEQ)?,
            position(events, SealAudit::HASH)?,
        ];
        let table = self.table(events)?;
        let head = match table.last_below(seq, &Value::Integer(UNSEALED)) {
            Some(row) => ChainHead { seq: integer(events, row, seq)?, hash: octets(events, row, hash)? },
            None => ChainHead::GENESIS,
        };
        let mut unsealed: Vec<&Arc<Row>> = table.having(seq, &Value::Integer(UNSEALED)).collect();
        unsealed.sort_by(|a, b| a.id().cmp(b.id()));
        let found = unsealed.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX));
        let links = links(head, found.map(|row| (row.id().to_owned(), bytes(row, digest).to_vec())));
        let end = links.last().map_or(head, |link| ChainHead { seq: link.seq, hash: link.hash });
        let rows = links.len() as u64;
        let table = self.table_mut(events)?;
        for link in links {
            let Some(row) = table.get(&link.id) else { continue };
            let mut row = Row::clone(row);
            for (position, value) in [(seq, Value::Integer(link.seq)), (hash, Value::Bytes(link.hash.to_vec()))] {
                if let Some(cell) = row.values.get_mut(position) {
                    *cell = value;
                }
            }
            table.put(row);
        }
        Ok(SealedAudit { rows, head: Some(end) })
    }
}

fn position(schema: &Schema, column: &'static str) -> Result<usize, StorageError> {
    schema.position(column).ok_or(StorageError::Corrupt { entity: schema.table, column })
}

fn integer(schema: &Schema, row: &Row, position: usize) -> Result<i64, StorageError> {
    match row.values.get(position) {
        Some(Value::Integer(number)) => Ok(*number),
        _ => Err(StorageError::Corrupt { entity: schema.table, column: SealAudit::SEQ }),
    }
}

fn octets(schema: &Schema, row: &Row, position: usize) -> Result<[u8; 32], StorageError> {
    let corrupt = StorageError::Corrupt { entity: schema.table, column: SealAudit::HASH };
    bytes(row, position).try_into().map_err(|_| corrupt)
}

fn bytes(row: &Row, position: usize) -> &[u8] {
    if let Some(Value::Bytes(bytes)) = row.values.get(position) { bytes } else { &[] }
}
