//! Telling other replicas that something was committed, and hearing it from them: hints, outside of any transaction.

use std::sync::Arc;
use std::time::Duration;

use certctl_core::signal::Signal;
use sqlx::postgres::{PgConnectOptions, PgListener};
use sqlx::{ConnectOptions as _, Error, PgConnection, PgPool, Row as _, query};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::clock::ServerClock;

const CHANNEL: &str = "certctl_committed";
/// However many commits there are, others are told at most this often.
const PAUSE: Duration = Duration::from_millis(50);
/// Between two attempts to reach the server.
const RETRY: Duration = Duration::from_secs(1);
/// Between two looks at the server's clock.
const CLOCK: Duration = Duration::from_secs(10);

/// The tasks behind the signals; they end with it.
pub(super) struct Notifier {
    committed: Arc<Notify>,
    signal: Signal,
    _tasks: JoinSet<()>,
}

impl Notifier {
    pub(super) async fn start(url: &str, pool: &PgPool, clock: Arc<ServerClock>) -> Result<Self, Error> {
        let name: String = query("SELECT gen_random_uuid()::text").fetch_one(pool).await?.try_get(0)?;
        let options: PgConnectOptions = url.parse()?;
        let (committed, signal) = (Arc::new(Notify::new()), Signal::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(tell(options.disable_statement_logging(), name.clone(), committed.clone(), clock.clone()));
        // Listening has begun before the store is used: what is committed from then on is heard.
        let listener = subscribe(url).await?;
        tasks.spawn(listen(listener, url.to_owned(), name, signal.clone(), clock.clone()));
        tasks.spawn(adjust(clock, pool.clone()));
        Ok(Self { committed, signal, _tasks: tasks })
    }

    /// Has others told, soon.
    pub(super) fn committed(&self) {
        self.committed.notify_one();
    }

    pub(super) fn signal(&self) -> Signal {
        self.signal.clone()
    }
}

async fn tell(options: PgConnectOptions, name: String, committed: Arc<Notify>, clock: Arc<ServerClock>) {
    let mut connection = None;
    loop {
        committed.notified().await;
        while let Err(error) = tell_once(&mut connection, &options, &name).await {
            tracing::debug!(%error, "other replicas were not told of a commit; trying again");
            connection = None;
            clock.pause(RETRY).await;
        }
        clock.pause(PAUSE).await;
    }
}

async fn tell_once(connection: &mut Option<PgConnection>, options: &PgConnectOptions, name: &str) -> Result<(), Error> {
    let connection = match connection {
        Some(connection) => connection,
        none => none.insert(options.connect().await?),
    };
    query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(name).execute(connection).await.map(drop)
}

async fn subscribe(url: &str) -> Result<PgListener, Error> {
    let mut listener = PgListener::connect(url).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// A lost connection counts as news: nobody knows what was missed.
async fn listen(mut listener: PgListener, url: String, name: String, signal: Signal, clock: Arc<ServerClock>) {
    loop {
        match listener.try_recv().await {
            Ok(Some(notification)) if notification.payload() == name => {}
            Ok(_) => signal.notify(),
            Err(error) => {
                tracing::debug!(%error, "the connection that listens for commits broke");
                listener = loop {
                    clock.pause(RETRY).await;
                    if let Ok(listener) = subscribe(&url).await {
                        break listener;
                    }
                };
                signal.notify();
            }
        }
    }
}

async fn adjust(clock: Arc<ServerClock>, pool: PgPool) {
    loop {
        clock.pause(CLOCK).await;
        if let Err(error) = clock.adjust(&pool).await {
            tracing::debug!(%error, "the server's clock was not measured");
        }
    }
}
