//! The end: SIGTERM or SIGINT, told to everybody who waits for it.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Resolves for everybody who waits once the process is asked to end. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown {
    seen: watch::Receiver<bool>,
    told: watch::Sender<bool>,
}

impl Shutdown {
    /// Begins at the first SIGTERM or SIGINT. A second one ends the process at once.
    pub(crate) fn on_signals() -> std::io::Result<Self> {
        let shutdown = Self::by_hand();
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let begin = shutdown.clone();
        tokio::spawn(async move {
            for pressed in 0.. {
                tokio::select! {
                    biased;
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if pressed > 0 {
                    std::process::exit(130);
                }
                begin.begin();
            }
        });
        Ok(shutdown)
    }

    /// Begins when [`begin`](Self::begin) is called.
    pub(crate) fn by_hand() -> Self {
        let (told, seen) = watch::channel(false);
        Self { seen, told }
    }

    /// Tells everybody.
    pub(crate) fn begin(&self) {
        self.told.send_replace(true);
    }

    /// Resolves when it has begun.
    pub(crate) async fn begun(&self) {
        let mut seen = self.seen.clone();
        // The sender lives in `self`.
        let _ = seen.wait_for(|begun| *begun).await;
    }
}
