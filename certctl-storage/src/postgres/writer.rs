//! The tasks that write: sets of changes that come at once travel in one statement and one commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use certctl_core::entity::Schema;
use certctl_core::storage::{ApplyError, Changes, Committed, StorageError};
use sqlx::{AssertSqlSafe, Error, PgPool, Row as _, query, query_with};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;

use super::write::Write;
use crate::dialect::{self, Dialect, Refusal};
use crate::explain::{Question, questions};

/// Writers, each with a statement under way at most. While all are busy sets wait, and then travel together.
const WRITERS: usize = 2;
/// Sets in one statement at most.
const GROUP: usize = 64;
/// Waiting sets at most; one more is told to come back.
const WAITING: usize = 1024;
/// Rows from which a set travels alone.
const LARGE: usize = 100;
/// How often a set is tried that PostgreSQL gave up for a deadlock: nothing of it was written.
const TRIES: usize = 3;

type Verdict = Result<Committed, ApplyError>;

/// A set that waits, and whom to answer.
struct Member {
    changes: Changes,
    reply: oneshot::Sender<Verdict>,
}

/// The way to the writers.
pub(super) struct Writers {
    queue: mpsc::Sender<Member>,
    tasks: JoinSet<()>,
}

impl Writers {
    pub(super) fn start(pool: &PgPool, schemas: &'static [&'static Schema]) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut tasks = JoinSet::new();
        for _ in 0..WRITERS {
            let writer = Writer { pool: pool.clone(), schemas };
            tasks.spawn(writer.run(Arc::clone(&waiting)));
        }
        Self { queue, tasks }
    }

    /// Writes a checked set, by itself or with others; the verdict is its own.
    pub(super) async fn submit(&self, changes: Changes) -> Verdict {
        let stopped = || StorageError::unavailable("the writers of the database have stopped");
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Member { changes, reply }).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StorageError::unavailable("the write queue is full"),
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        answer.await.map_err(|_| stopped())?
    }

    /// Writes what waits, and ends.
    pub(super) async fn close(self) {
        let Self { queue, mut tasks } = self;
        drop(queue);
        while tasks.join_next().await.is_some() {}
    }
}

struct Writer {
    pool: PgPool,
    schemas: &'static [&'static Schema],
}

impl Writer {
    async fn run(self, waiting: Arc<Mutex<mpsc::Receiver<Member>>>) {
        let mut members = Vec::with_capacity(GROUP);
        loop {
            // One writer waits for sets; the others wait for their turn to do so.
            if waiting.lock().await.recv_many(&mut members, GROUP).await == 0 {
                return;
            }
            for group in groups(members.drain(..)) {
                self.turn(group).await;
            }
        }
    }

    /// Answers every member. A caller that went away does not want to know.
    async fn turn(&self, group: Vec<Member>) {
        if group.len() > 1 {
            match self.write_together(&group).await {
                // One member, at least, has to be told no. Alone, each gets a verdict of its own.
                Ok(false) => {}
                Ok(true) => {
                    for Member { changes, reply } in group {
                        let _ = reply.send(Ok(changes.committed()));
                    }
                    return;
                }
                Err(error) => {
                    for member in group {
                        let _ = member.reply.send(Err(error.clone().into()));
                    }
                    return;
                }
            }
        }
        for Member { changes, reply } in group {
            let _ = reply.send(self.write_alone(&changes).await);
        }
    }

    /// Whether all were written; none was if not.
    ///
    /// # Errors
    /// Nobody knows: the connection broke.
    async fn write_together(&self, group: &[Member]) -> Result<bool, StorageError> {
        let mut whole = Changes::default();
        for member in group {
            whole.absorb(member.changes.clone());
        }
        let Ok(whole) = whole.checked() else { return Ok(false) };
        match self.write(&whole).await {
            Ok(stale) => Ok(stale.is_none()),
            // A statement that the server refused has left nothing behind.
            Err(error) if error.as_database_error().is_some() => Ok(false),
            Err(error) => Err(dialect::storage_error(&error)),
        }
    }

    async fn write_alone(&self, changes: &Changes) -> Verdict {
        let mut tries = 1;
        loop {
            let verdict = match self.write(changes).await {
                Ok(None) => Ok(changes.committed()),
                Ok(Some(entity)) => Err(ApplyError::Stale { entity }),
                Err(error) => Err(self.explain(changes, &error).await),
            };
            match &verdict {
                Err(ApplyError::Storage(StorageError::Unavailable { retry_after, .. }))
                    if *retry_after == dialect::AT_ONCE && tries < TRIES =>
                {
                    tries += 1;
                }
                _ => return verdict,
            }
        }
    }

    /// Writes everything, or nothing and gives the table of a record that is not as expected.
    async fn write(&self, changes: &Changes) -> Result<Option<&'static str>, Error> {
        let Write { sql, arguments, pins } = Write::new(changes).map_err(Error::Encode)?;
        let row = query_with(AssertSqlSafe(sql), arguments).fetch_one(&self.pool).await?;
        for (position, (entity, expected)) in pins.into_iter().enumerate() {
            if row.try_get::<i64, _>(position)? != expected {
                return Ok(Some(entity));
            }
        }
        Ok(None)
    }

    /// The error that a caller can act on.
    async fn explain(&self, changes: &Changes, error: &Error) -> ApplyError {
        match Dialect::Postgres.refusal(error, self.schemas) {
            None => dialect::storage_error(error).into(),
            Some(Refusal::Unique { entity, field }) => ApplyError::Conflict { entity, field },
            Some(Refusal::ForeignKey) => {
                for question in questions(changes, self.schemas) {
                    match self.ask(&question).await {
                        Ok(count) => {
                            if let Some(refusal) = question.answer(count) {
                                return refusal;
                            }
                        }
                        Err(error) => return dialect::storage_error(&error).into(),
                    }
                }
                // The other side changed between the refusal and the questions.
                ApplyError::Storage(StorageError::unavailable(error))
            }
        }
    }

    async fn ask(&self, question: &Question) -> Result<u64, Error> {
        let sql = format!(
            "SELECT count(*) FROM \"{}\" WHERE \"{}\" = ANY($1::text[]) AND NOT \"id\" = ANY($2::text[])",
            question.table, question.column
        );
        let row = query(AssertSqlSafe(sql)).bind(&question.ids).bind(&question.except).fetch_one(&self.pool).await?;
        Ok(u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or(0))
    }
}

/// Puts sets together that may travel together: no record that one of them writes is written or expected by another.
/// Within one statement nothing would find out that one decided on what the other changed.
fn groups(members: impl Iterator<Item = Member>) -> Vec<Vec<Member>> {
    let mut groups: Vec<(Touched, Vec<Member>)> = Vec::new();
    for member in members {
        let large = member.changes.len() >= LARGE;
        if let Some((touched, group)) = groups.last_mut()
            && !large
            && touched.takes(&member.changes)
        {
            group.push(member);
            continue;
        }
        let mut touched = Touched { closed: large, ..Touched::default() };
        touched.add(&member.changes);
        groups.push((touched, vec![member]));
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// The records that a group writes or expects.
#[derive(Default)]
struct Touched {
    /// Whether each is written, by table and id.
    records: BTreeMap<(&'static str, String), bool>,
    closed: bool,
}

impl Touched {
    /// Adds a set if it may travel with those that are here.
    fn takes(&mut self, changes: &Changes) -> bool {
        let apart = |(key, writes): (_, bool)| self.records.get(&key).is_none_or(|written| !written && !writes);
        let fits = !self.closed && records(changes).all(apart);
        if fits {
            self.add(changes);
        }
        fits
    }

    fn add(&mut self, changes: &Changes) {
        for (key, writes) in records(changes) {
            *self.records.entry(key).or_default() |= writes;
        }
    }
}

/// What a set touches, and whether it writes it. New records are nobody else's: a second one is refused by its table.
fn records(changes: &Changes) -> impl Iterator<Item = ((&'static str, String), bool)> {
    changes.tables().flat_map(|table| {
        let name = table.schema.table;
        let updates = table.updates.iter().map(|row| (row.id(), true));
        let deletes = table.deletes.iter().map(|pin| (pin.id.as_str(), true));
        let pins = table.pins.iter().map(|pin| (pin.id.as_str(), false));
        updates.chain(deletes).chain(pins).map(move |(id, writes)| ((name, id.to_owned()), writes))
    })
}

#[cfg(test)]
mod tests {
    use certctl_core::entity::{Entity, Record, Row};
    use certctl_core::testing::storage::{Item, item};

    use super::*;

    fn stored(n: usize) -> Record<Item> {
        Record::from_row(Row { values: item(n).to_values(), version: 1 }).unwrap()
    }

    fn updates(n: usize) -> Changes {
        let mut changes = Changes::bookkeeping();
        changes.update(stored(n));
        changes
    }

    fn reads(n: usize) -> Changes {
        let mut changes = Changes::bookkeeping();
        changes.pin(&stored(n));
        changes.insert(item(100 + n));
        changes
    }

    fn sizes(sets: Vec<Changes>) -> Vec<usize> {
        let members = sets.into_iter().map(|changes| Member { changes, reply: oneshot::channel().0 });
        groups(members).iter().map(Vec::len).collect()
    }

    #[test]
    fn sets_travel_together_unless_one_touches_what_another_writes() {
        assert_eq!(sizes(vec![updates(1), updates(2), reads(3), reads(3)]), [4]);
        assert_eq!(sizes(vec![updates(1), updates(1)]), [1, 1]);
        assert_eq!(sizes(vec![reads(1), updates(1)]), [1, 1]);
        assert_eq!(sizes(vec![updates(1), reads(1), updates(2)]), [1, 2]);
        let mut large = Changes::bookkeeping();
        (0..LARGE).for_each(|n| large.insert(item(n)));
        assert_eq!(sizes(vec![updates(1), large, updates(2), updates(3)]), [1, 1, 2]);
    }
}
