//! Leases, as the databases do them.

use std::sync::Arc;

use super::State;
use crate::domain::Timestamp;
use crate::entity::{Row, Value};
use crate::storage::{Claim, Claimed, ClaimedRow, DueQuery, Fence, LeaseError, QueueSchema, StorageError};

impl State {
    pub(super) fn claim(&mut self, claim: &Claim, now: Timestamp) -> Result<Claimed, StorageError> {
        let queue = claim.queue;
        let mut rows = Vec::new();
        for (partition, permits) in claim.permits() {
            let due: Vec<Arc<Row>> = self
                .waiting(queue, partition)?
                .take_while(|(due_at, _)| *due_at <= now)
                .take(usize::try_from(permits).unwrap_or(usize::MAX))
                .map(|(_, row)| row)
                .collect();
            for row in due {
                let abandoned = queue.text(&row.values, QueueSchema::STATE) == Some(queue.running);
                let row = leased(queue, &row, &claim.holder, now + claim.lease)?;
                self.table_mut(queue.schema)?.put(row.clone());
                rows.push(ClaimedRow { row, abandoned });
            }
        }
        Ok(Claimed { now, rows })
    }

    pub(super) fn prolong(&mut self, fence: &Fence, until: Timestamp) -> Result<(), LeaseError> {
        let table = self.table_mut(fence.queue.schema)?;
        let row =
            table.get(&fence.id).filter(|row| fence.holds_cells(row.id(), &row.values)).ok_or(LeaseError::Lost)?;
        let mut row = Row::clone(row);
        set(fence.queue, &mut row, QueueSchema::DUE_AT, Value::Integer(until.0))?;
        table.put(row);
        Ok(())
    }

    pub(super) fn next_due(&self, query: &DueQuery) -> Result<Option<Timestamp>, StorageError> {
        let mut next = None;
        for partition in &query.partitions {
            let first = self.waiting(query.queue, partition)?.next().map(|(due_at, _)| due_at);
            next = [next, first].into_iter().flatten().min();
        }
        Ok(next)
    }

    /// The open rows of a partition, by due time and id.
    fn waiting<'a>(&'a self, queue: &'a QueueSchema, partition: &'a str) -> Result<Waiting<'a>, StorageError> {
        let table = self.table(queue.schema)?;
        let columns = [QueueSchema::PARTITION, QueueSchema::DUE_AT];
        let positions: Vec<usize> = columns.iter().filter_map(|column| queue.schema.position(column)).collect();
        let open = move |row: &&Arc<Row>| {
            queue.text(&row.values, QueueSchema::STATE).is_some_and(|state| queue.open.contains(&state))
                && queue.text(&row.values, QueueSchema::PARTITION) == Some(partition)
        };
        let due = move |row: &Arc<Row>| {
            queue.integer(&row.values, QueueSchema::DUE_AT).map(|due_at| (Timestamp(due_at), row.clone()))
        };
        if let Some(rows) = table.along(&positions, Value::Text(partition.to_owned())) {
            return Ok(Box::new(rows.filter(open).filter_map(due)));
        }
        let mut rows: Vec<_> = table.rows().filter(open).filter_map(due).collect();
        rows.sort_by(|(a, left), (b, right)| (a, left.id()).cmp(&(b, right.id())));
        Ok(Box::new(rows.into_iter()))
    }
}

type Waiting<'a> = Box<dyn Iterator<Item = (Timestamp, Arc<Row>)> + 'a>;

fn leased(queue: &QueueSchema, row: &Row, holder: &str, until: Timestamp) -> Result<Row, StorageError> {
    let attempt = queue.integer(&row.values, QueueSchema::ATTEMPT).unwrap_or(0);
    let mut row = Row { version: row.version + 1, ..row.clone() };
    set(queue, &mut row, QueueSchema::STATE, Value::Text(queue.running.to_owned()))?;
    set(queue, &mut row, QueueSchema::ATTEMPT, Value::Integer(attempt + 1))?;
    set(queue, &mut row, QueueSchema::HOLDER, Value::Text(holder.to_owned()))?;
    set(queue, &mut row, QueueSchema::DUE_AT, Value::Integer(until.0))?;
    Ok(row)
}

fn set(queue: &QueueSchema, row: &mut Row, column: &'static str, value: Value) -> Result<(), StorageError> {
    let position = queue.schema.position(column);
    let cell = position.and_then(|position| row.values.get_mut(position));
    *cell.ok_or(StorageError::Corrupt { entity: queue.schema.table, column })? = value;
    Ok(())
}
