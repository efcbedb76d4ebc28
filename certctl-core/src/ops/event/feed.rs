//! What a follower is told.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::select;

use super::follow::FollowFilter;
use crate::domain::{AuditAction, AuditEvent, Timestamp, UNSEALED};
use crate::engine::Engine;
use crate::error::Error;
use crate::storage::{Query, View};

/// Rows in one read; few in tests, so that few rows make many pages.
const PAGE: usize = if cfg!(test) { 5 } else { 200 };

/// Another process may seal what happens here, and says nothing of it.
const LOOK: Duration = Duration::from_secs(1);

/// Something that happened: what was done to what, and not by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// Its place in the audit trail, from 1.
    pub seq: i64,
    /// What was done.
    pub action: AuditAction,
    /// To what kind of thing.
    pub resource_type: String,
    /// To which.
    pub resource_id: String,
    /// When.
    pub timestamp: Timestamp,
}

impl From<AuditEvent> for Happened {
    fn from(event: AuditEvent) -> Self {
        let AuditEvent { seq, action, resource_type, resource_id, timestamp, .. } = event;
        Self { seq, action, resource_type, resource_id, timestamp }
    }
}

/// A follower's place. It holds no connection of the store, and nothing is kept for it: whoever asks seldom is told late.
#[derive(Debug)]
pub struct Feed {
    engine: Engine,
    /// Everything up to this number was told, or is not wanted.
    last: i64,
    filter: FollowFilter,
}

impl Feed {
    pub(super) fn new(engine: Engine, last: i64, filter: FollowFilter) -> Self {
        Self { engine, last, filter }
    }

    /// The number that all further events are behind.
    pub fn last(&self) -> i64 {
        self.last
    }

    /// What happened next, at most a page of it; waits for it as long as this. Empty when nothing happened.
    ///
    /// # Errors
    /// The store's.
    pub async fn next(&mut self, patience: Duration) -> Result<Vec<Happened>, Error> {
        let engine = self.engine.clone();
        let clock = &engine.ports().clock;
        let until = clock.monotonic() + patience;
        loop {
            // Before looking, or what is sealed in between is missed.
            let sealed = engine.trail().sealed().listen();
            let (wanted, more) = self.page().await?;
            let now = clock.monotonic();
            if !wanted.is_empty() || now >= until {
                return Ok(wanted);
            }
            if !more {
                select(pin!(sealed), clock.sleep_until(until.min(now + LOOK))).await;
            }
        }
    }

    /// What is wanted of the next page, and whether more rows are behind it. Rows are told apart here, for the index is by
    /// number alone.
    async fn page(&mut self) -> Result<(Vec<Happened>, bool), Error> {
        let seq = AuditEvent::FIELDS.seq;
        let query = Query::sorted(seq.ascending())
            .filter(seq.at_least(self.last.saturating_add(1)))
            .filter(seq.below(UNSEALED))
            .limit(PAGE);
        let page = self.engine.storage().read(View::Latest).await?.list(query).await?;
        self.last = page.records.last().map_or(self.last, |event| event.seq);
        let wanted = page.records.into_iter().filter(|event| self.filter.wants(event));
        Ok((wanted.map(|event| event.into_entity().into()).collect(), page.next.is_some()))
    }
}
