//! A DNS in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::ports::{ResolveError, Resolver};

/// TXT records by name. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryNames(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    texts: BTreeMap<String, Vec<String>>,
    failure: Option<String>,
}

impl MemoryNames {
    /// A DNS without names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a TXT record.
    pub fn add(&self, name: &str, text: &str) {
        self.state().texts.entry(plain(name)).or_default().push(text.to_owned());
    }

    /// Takes all TXT records of a name away.
    pub fn remove(&self, name: &str) {
        self.state().texts.remove(&plain(name));
    }

    /// Lets look-ups fail for this reason; `None` mends it.
    pub fn fail(&self, reason: Option<&str>) {
        self.state().failure = reason.map(ToOwned::to_owned);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Resolver for MemoryNames {
    async fn txt(&self, name: &str, _servers: &[SocketAddr]) -> Result<Vec<String>, ResolveError> {
        let state = self.state();
        match &state.failure {
            Some(reason) => Err(ResolveError { name: name.to_owned(), reason: reason.clone() }),
            None => Ok(state.texts.get(&plain(name)).cloned().unwrap_or_default()),
        }
    }
}

/// Names are compared without regard to case (RFC 4343), and the dot at the end says nothing.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
