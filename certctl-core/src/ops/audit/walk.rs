//! Going through the trail from its beginning, a page at a time.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, MaybeDone, join_all, maybe_done};

use crate::domain::AuditEvent;
use crate::domain::audit::{AuditCheckpoint, UNSEALED};
use crate::entity::{Condition, Entity, Record, Row, Test, Value};
use crate::error::Error;
use crate::storage::{Query, Select, Storage, StorageError, View};

/// Rows and checkpoints in one read; few in tests, so that few rows make many pages.
const PAGE: usize = if cfg!(test) { 5 } else { 2_000 };

/// Numbers in a page of sealed rows: as many.
const NUMBERS: i64 = if cfg!(test) { 5 } else { 2_000 };

/// Pages that are asked for before the one in front of them is looked at.
const AHEAD: usize = 1;

/// Rows that were asked for.
type Asked = MaybeDone<BoxFuture<'static, Result<Vec<Row>, StorageError>>>;

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
    /// Whether pages may be asked for ahead: they hold connections of the store until the walk goes on.
    reads_ahead: bool,
    /// Pages that were asked for, by ranges of numbers, in order.
    ahead: VecDeque<Asked>,
    /// Where the range behind the last of them begins.
    ahead_from: i64,
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
            reads_ahead: false,
            ahead: VecDeque::new(),
            ahead_from: 0,
        }
    }

    /// Asks for pages before the one in front of them is looked at, so that the store reads while rows are hashed. Only for
    /// whoever waits for nothing else between two pages.
    pub(super) fn reading_ahead(mut self) -> Self {
        self.reads_ahead = self.conditions.is_empty();
        self
    }

    /// The next page; `None` when there is nothing more.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Step>>, Error> {
        if self.stage == Stage::Over {
            return Ok(None);
        }
        if self.stage == Stage::Sealed && self.checkpoints.is_empty() {
            self.read_checkpoints().await?;
        }
        let rows = self.next_rows().await?;
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

    /// The rows behind the last one.
    ///
    /// A range that is not full says nothing of what is behind it: rows may be missing, or may have been sealed since it was
    /// read. So the walk then goes on from row to row, and so it does where a range has more rows than numbers.
    async fn next_rows(&mut self) -> Result<Vec<Row>, Error> {
        if let Some(rows) = self.next_range().await {
            let rows = rows?;
            if rows.len() == PAGE {
                self.ask_ahead();
                return Ok(rows);
            }
            self.ahead.clear();
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
        let mut rows = self.read_rows().await?;
        if self.reads_ahead && self.stage == Stage::Sealed && rows.len() == PAGE {
            // There may be more rows with the last number, so the first range begins with it.
            let end = rows.last().map_or(0, seq);
            let whole = rows.partition_point(|row| seq(row) < end);
            if whole > 0 {
                rows.truncate(whole);
                self.ahead_from = end;
                self.ask_ahead();
            }
        }
        Ok(rows)
    }

    /// Asks for ranges until there are enough of them under way, and lets each go on as far as it can.
    fn ask_ahead(&mut self) {
        while self.ahead.len() < AHEAD {
            let (storage, first) = (Arc::clone(&self.storage), self.ahead_from);
            // No further than `UNSEALED`, which is no part of a range.
            self.ahead_from = first.saturating_add(NUMBERS);
            let select = range(first, self.ahead_from);
            let read = async move { storage.read(View::Latest).await?.select(&select).await };
            self.ahead.push_back(maybe_done(read.boxed()));
        }
        for asked in &mut self.ahead {
            asked.now_or_never();
        }
    }

    /// The first of the ranges that were asked for, while the others go on.
    async fn next_range(&mut self) -> Option<Result<Vec<Row>, Error>> {
        let ahead = &mut self.ahead;
        poll_fn(|cx| {
            let mut first = Poll::Ready(());
            for (place, asked) in ahead.iter_mut().enumerate() {
                let polled = asked.poll_unpin(cx);
                if place == 0 {
                    first = polled;
                }
            }
            first
        })
        .await;
        let mut asked = self.ahead.pop_front()?;
        std::pin::Pin::new(&mut asked).take_output().map(|rows| rows.map_err(Error::from))
    }

    async fn read_rows(&mut self) -> Result<Vec<Row>, Error> {
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
        // Whoever is halfway through a read holds a connection, and this could be waiting for the last one.
        join_all(&mut self.ahead).await;
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

/// The rows with these numbers, and one more than there are numbers, by which it is known that there are too many.
fn range(first: i64, behind: i64) -> Select {
    let seq = seq_column();
    Select {
        schema: AuditEvent::SCHEMA,
        tests: vec![(seq, Test::AtLeast(Value::Integer(first))), (seq, Test::Below(Value::Integer(behind)))],
        sort: seq,
        descending: false,
        after: None,
        offset: 0,
        limit: PAGE + 1,
    }
}

fn seq_column() -> usize {
    AuditEvent::SCHEMA.position("seq").unwrap_or(0)
}

fn seq(row: &Row) -> i64 {
    if let Some(Value::Integer(seq)) = row.values.get(seq_column()) { *seq } else { 0 }
}

#[cfg(test)]
mod tests;
