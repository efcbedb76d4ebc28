//! Clients that each send the next request when the last was answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use crate::Failure;
use crate::connection::Connection;

/// What a closed loop measured.
pub(crate) struct Measured {
    pub(crate) operations: usize,
    pub(crate) elapsed: Duration,
    /// Sorted.
    latencies: Vec<Duration>,
}

impl Measured {
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    pub(crate) fn rate(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }

    /// In milliseconds.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let index = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(index).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    }
}

/// One request of a client.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// `None` for a GET.
    pub(crate) json: Option<String>,
    pub(crate) status: u16,
}

/// Sends every request once, `clients` at a time over as many kept connections.
pub(crate) async fn run(address: &str, clients: usize, requests: Vec<Request>) -> Result<Measured, Failure> {
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(Connection::open(address).await?);
    }
    let begun = Instant::now();
    let tasks = connections.into_iter().map(|connection| {
        let task = tokio::spawn(client(connection, Arc::clone(&requests), Arc::clone(&next)));
        async { task.await? }
    });
    let mut latencies: Vec<Duration> = try_join_all(tasks).await?.into_iter().flatten().collect();
    let elapsed = begun.elapsed();
    latencies.sort_unstable();
    Ok(Measured { operations: latencies.len(), elapsed, latencies })
}

async fn client(
    mut connection: Connection,
    requests: Arc<Vec<Request>>,
    next: Arc<AtomicUsize>,
) -> Result<Vec<Duration>, Failure> {
    let mut latencies = Vec::new();
    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        let begun = Instant::now();
        let answer = match &request.json {
            Some(json) => connection.post(&request.path, json).await?,
            None => connection.get(&request.path).await?,
        };
        answer.expect(request.status)?;
        latencies.push(begun.elapsed());
    }
    Ok(latencies)
}
