//! The one task that writes. It drains its queues into a transaction and acknowledges after the commit.

use std::sync::Arc;
use std::time::Duration;

use certctl_core::entity::Schema;
use certctl_core::ports::Clock;
use certctl_core::storage::{
    ApplyError, Changes, Claim, Claimed, Committed, Fence, LeaseError, SealAudit, SealedAudit, StorageError,
};
use sqlx::{Error, SqliteConnection, raw_sql};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::batch::{Batch, Then};
use super::lock::FileLock;
use super::statements::Statements;
use super::{claim, close, seal};
use crate::dialect::{is_fatal_for_sqlite, storage_error};

/// Sets in one transaction at most.
const BATCH: usize = 128;
/// Waiting requests at most, and large sets at most; one more is told to come back.
const INTERACTIVE: usize = 1024;
const BULK: usize = 16;
/// Rows from which a set is large and waits behind the others.
const LARGE: usize = 500;

type Reply<T, E> = oneshot::Sender<Result<T, E>>;

pub(super) enum Command {
    Apply(Changes, Reply<Committed, ApplyError>),
    Claim(Claim, Reply<Claimed, StorageError>),
    Prolong(Fence, Duration, Reply<(), LeaseError>),
    Seal(SealAudit, Reply<SealedAudit, StorageError>),
}

/// The way to the writer: two lanes, both bounded.
pub(super) struct Queue {
    interactive: mpsc::Sender<Command>,
    bulk: mpsc::Sender<Command>,
    task: JoinHandle<()>,
}

impl Queue {
    /// Queues a command of that many rows and waits for its answer.
    pub(super) async fn submit<T>(
        &self,
        rows: usize,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, StorageError> {
        let lane = if rows < LARGE { &self.interactive } else { &self.bulk };
        let (reply, answer) = oneshot::channel();
        lane.try_send(command(reply)).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StorageError::unavailable("the write queue is full"),
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        answer.await.map_err(|_| stopped())
    }

    pub(super) async fn close(self) {
        let Self { interactive, bulk, task } = self;
        drop((interactive, bulk));
        // A writer that panicked has closed its file with its stack.
        let _ = task.await;
    }
}

fn stopped() -> StorageError {
    StorageError::fatal("the writer has stopped; see the log for why, check the disk, then restart the server")
}

pub(super) struct Writer {
    connection: SqliteConnection,
    statements: Statements,
    schemas: &'static [&'static Schema],
    clock: Arc<dyn Clock>,
    /// Held as long as anything may be written.
    lock: FileLock,
}

/// The answers to one batch, kept until it is committed.
#[derive(Default)]
struct Members {
    sets: Vec<Changes>,
    applies: Vec<Reply<Committed, ApplyError>>,
    claims: Vec<(Claim, Reply<Claimed, StorageError>)>,
    prolongs: Vec<(Fence, Duration, Reply<(), LeaseError>)>,
    seals: Vec<(SealAudit, Reply<SealedAudit, StorageError>)>,
}

struct Answers {
    applies: Vec<Result<Committed, ApplyError>>,
    claims: Vec<Claimed>,
    prolongs: Vec<bool>,
    seals: Vec<Result<SealedAudit, StorageError>>,
}

impl Writer {
    pub(super) fn new(
        connection: SqliteConnection,
        schemas: &'static [&'static Schema],
        clock: Arc<dyn Clock>,
        lock: FileLock,
    ) -> Self {
        Self { connection, statements: Statements::new(schemas), schemas, clock, lock }
    }

    pub(super) fn start(self) -> Queue {
        let (interactive, first) = mpsc::channel(INTERACTIVE);
        let (bulk, second) = mpsc::channel(BULK);
        Queue { interactive, bulk, task: tokio::spawn(self.run(first, second)) }
    }

    /// Until both lanes are closed and empty, or the file must not be written any more.
    async fn run(mut self, mut interactive: mpsc::Receiver<Command>, mut bulk: mpsc::Receiver<Command>) {
        let mut commands = Vec::with_capacity(BATCH);
        let (mut first_open, mut second_open) = (true, true);
        loop {
            tokio::select! {
                biased;
                count = interactive.recv_many(&mut commands, BATCH), if first_open => {
                    first_open = count > 0;
                    // A large set gets its turn behind each batch, so that a steady stream of small ones does not
                    // starve it.
                    commands.extend(bulk.try_recv().ok());
                }
                large = bulk.recv(), if second_open => {
                    second_open = large.is_some();
                    commands.extend(large);
                }
                else => break,
            }
            if commands.is_empty() {
                continue;
            }
            if let Err(error) = self.turn(Members::of(commands.drain(..))).await {
                tracing::error!(%error, "the database file cannot be written any more; the writer stops");
                break;
            }
        }
        let Self { connection, lock, .. } = self;
        close(connection).await;
        drop(lock);
    }

    /// One transaction.
    ///
    /// # Errors
    /// Why nothing may be written any more: after a failed fsync nobody knows what is on the disk.
    async fn turn(&mut self, members: Members) -> Result<(), Error> {
        let error = match self.commit(&members).await {
            Ok(answers) => {
                members.acknowledge(answers);
                return Ok(());
            }
            Err(error) => error,
        };
        let fatal = is_fatal_for_sqlite(&error);
        members.refuse(&if fatal { StorageError::fatal(&error) } else { storage_error(&error) });
        if fatal {
            return Err(error);
        }
        // SQLite may have ended the transaction itself; then there is nothing to roll back.
        let _ = raw_sql("ROLLBACK").execute(&mut self.connection).await;
        Ok(())
    }

    async fn commit(&mut self, members: &Members) -> Result<Answers, Error> {
        let mut batch = Batch { connection: &mut self.connection, statements: &self.statements, schemas: self.schemas };
        // Claims, prolongations and seals are few. Without them the commit needs no trip of its own.
        let alone = members.claims.is_empty() && members.prolongs.is_empty() && members.seals.is_empty();
        let (committed, applies) = batch.write(&members.sets, if alone { Then::Commit } else { Then::GoOn }).await?;
        if committed {
            return Ok(Answers { applies, claims: Vec::new(), prolongs: Vec::new(), seals: Vec::new() });
        }
        let now = self.clock.now();
        let mut claims = Vec::with_capacity(members.claims.len());
        for (request, _) in &members.claims {
            claims.push(claim::claim(&mut self.connection, request, now).await?);
        }
        let mut prolongs = Vec::with_capacity(members.prolongs.len());
        for (fence, lease, _) in &members.prolongs {
            prolongs.push(claim::prolong(&mut self.connection, fence, now + *lease).await?);
        }
        let mut seals = Vec::with_capacity(members.seals.len());
        for (request, _) in &members.seals {
            seals.push(seal::seal(&mut self.connection, *request).await?);
        }
        raw_sql("COMMIT").execute(&mut self.connection).await?;
        Ok(Answers { applies, claims, prolongs, seals })
    }
}

impl Members {
    fn of(commands: impl Iterator<Item = Command>) -> Self {
        let mut members = Self::default();
        for command in commands {
            match command {
                Command::Apply(changes, reply) => {
                    members.sets.push(changes);
                    members.applies.push(reply);
                }
                Command::Claim(claim, reply) => members.claims.push((claim, reply)),
                Command::Prolong(fence, lease, reply) => members.prolongs.push((fence, lease, reply)),
                Command::Seal(seal, reply) => members.seals.push((seal, reply)),
            }
        }
        members
    }

    /// A caller that went away does not want to know.
    fn acknowledge(self, answers: Answers) {
        for (reply, answer) in self.applies.into_iter().zip(answers.applies) {
            let _ = reply.send(answer);
        }
        for ((_, reply), answer) in self.claims.into_iter().zip(answers.claims) {
            let _ = reply.send(Ok(answer));
        }
        for ((.., reply), held) in self.prolongs.into_iter().zip(answers.prolongs) {
            let _ = reply.send(if held { Ok(()) } else { Err(LeaseError::Lost) });
        }
        for ((_, reply), answer) in self.seals.into_iter().zip(answers.seals) {
            let _ = reply.send(answer);
        }
    }

    fn refuse(self, error: &StorageError) {
        for reply in self.applies {
            let _ = reply.send(Err(error.clone().into()));
        }
        for (_, reply) in self.claims {
            let _ = reply.send(Err(error.clone()));
        }
        for (.., reply) in self.prolongs {
            let _ = reply.send(Err(error.clone().into()));
        }
        for (_, reply) in self.seals {
            let _ = reply.send(Err(error.clone()));
        }
    }
}
