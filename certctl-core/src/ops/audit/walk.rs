//! Going through the trail from its beginning, a page at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::AuditEvent;
use crate::domain::audit::{AuditCheckpoint, UNSEALED};
use crate::entity::{Condition, Entity, Record, Row, Test, Value};
use crate::error::Error;
use crate::storage::{Query, Select, Storage, View};

/// Rows and checkpoints in one read.
const PAGE: usize = 2_000;

/// A row as it is stored, or a checkpoint behind the row that it was signed over.
#[derive(Debug)]
pub(super) enum Step {
    Row(Row),
    Checkpoint(AuditCheckpoint),
}

/// A walk over sealed rows in the order of the chain, and then over those that are not sealed yet.
///
/// A checkpoint is written after its rows. So checkpoints are read before rows: one whose row does not come names a row that
/// is gone, and no row that was only just sealed.
pub(super) struct Walk {
    storage: Arc<dyn Storage>,
    conditions: Vec<(usize, Test)>,
    last: (Value, String),
    checkpoints: VecDeque<AuditCheckpoint>,
    /// Checkpoints up to this row have been read.
    checkpoints_read: i64,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Sealed,
    Unsealed,
    Over,
}

impl Walk {
    /// Over the rows behind this number. With conditions there are no checkpoints, because they vouch for all rows.
    pub(super) fn new(storage: &Arc<dyn Storage>, after: i64, conditions: Vec<Condition<AuditEvent>>) -> Self {
        Self {
            storage: Arc::clone(storage),
            conditions: conditions.into_iter().map(Condition::into_parts).collect(),
            // No id is above this text.
            last: (Value::Integer(after), "~".to_owned()),
            checkpoints: VecDeque::new(),
            checkpoints_read: after,
            stage: Stage::Sealed,
        }
    }

    /// The next page; `None` when there is nothing more.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Step>>, Error> {
        if self.stage == Stage::Over {
            return Ok(None);
        }
        if self.stage == Stage::Sealed && self.checkpoints.is_empty() {
            self.read_checkpoints().await?;
        }
        let rows = self.read_rows().await?;
        if let Some(row) = rows.last() {
            let seq = row.values.get(seq_column()).cloned().unwrap_or(Value::Null);
            self.last = (seq, row.id().to_owned());
            return self.merged(rows).await.map(Some);
        }
        // What is left of the checkpoints names rows that are not there.
        let steps = self.checkpoints.drain(..).map(Step::Checkpoint).collect();
        self.stage = if self.stage == Stage::Sealed { Stage::Unsealed } else { Stage::Over };
        self.last = (Value::Integer(UNSEALED), String::new());
        Ok(Some(steps))
    }

    async fn merged(&mut self, rows: Vec<Row>) -> Result<Vec<Step>, Error> {
        let mut steps = Vec::with_capacity(rows.len() + self.checkpoints.len());
        let mut rows = rows.into_iter().peekable();
        while let Some(row) = rows.next() {
            let end = seq(&row);
            let is_last_of_its_number = rows.peek().is_none_or(|next| seq(next) != end);
            steps.push(Step::Row(row));
            while self.stage == Stage::Sealed && is_last_of_its_number {
                if self.checkpoints.is_empty() && self.checkpoints_read < end {
                    self.read_checkpoints().await?;
                }
                match self.checkpoints.pop_front_if(|checkpoint| checkpoint.seq <= end) {
                    Some(checkpoint) => steps.push(Step::Checkpoint(checkpoint)),
                    None => break,
                }
            }
        }
        Ok(steps)
    }

    async fn read_rows(&self) -> Result<Vec<Row>, Error> {
        let test = match self.stage {
            Stage::Sealed => Test::Below(Value::Integer(UNSEALED)),
            _ => Test::Equals(Value::Integer(UNSEALED)),
        };
        let select = Select {
            schema: AuditEvent::SCHEMA,
            tests: self.conditions.iter().cloned().chain([(seq_column(), test)]).collect(),
            sort: seq_column(),
            descending: false,
            after: Some(self.last.clone()),
            offset: 0,
            limit: PAGE,
        };
        Ok(self.storage.read(View::Latest).await?.select(&select).await?)
    }

    async fn read_checkpoints(&mut self) -> Result<(), Error> {
        if !self.conditions.is_empty() || self.checkpoints_read == i64::MAX {
            return Ok(());
        }
        let seq = AuditCheckpoint::FIELDS.seq;
        let query = Query::sorted(seq.ascending()).filter(seq.at_least(self.checkpoints_read + 1)).limit(PAGE);
        let found = self.storage.read(View::Latest).await?.list(query).await?;
        self.checkpoints.extend(found.records.into_iter().map(Record::into_entity));
        if let Some(last) = self.checkpoints.back() {
            self.checkpoints_read = last.seq;
        }
        Ok(())
    }
}

fn seq_column() -> usize {
    AuditEvent::SCHEMA.position("seq").unwrap_or(0)
}

fn seq(row: &Row) -> i64 {
    if let Some(Value::Integer(seq)) = row.values.get(seq_column()) { *seq } else { 0 }
}
