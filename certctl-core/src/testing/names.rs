//! A DNS in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::ports::{CaaRecord, ResolveError, Resolver};

/// TXT and CAA records by name. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryNames(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    texts: BTreeMap<String, Vec<String>>,
    authorities: BTreeMap<String, Vec<CaaRecord>>,
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

    /// Adds a CAA record that is not critical.
    pub fn add_caa(&self, name: &str, tag: &str, value: &str) {
        self.add_caa_record(name, CaaRecord { critical: false, tag: tag.to_owned(), value: value.into() });
    }

    /// Adds a CAA record of any kind.
    pub fn add_caa_record(&self, name: &str, record: CaaRecord) {
        self.state().authorities.entry(plain(name)).or_default().push(record);
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
        state.works(name)?;
        Ok(state.texts.get(&plain(name)).cloned().unwrap_or_default())
    }

    async fn caa(&self, name: &str, _servers: &[SocketAddr]) -> Result<Vec<CaaRecord>, ResolveError> {
        let state = self.state();
        state.works(name)?;
        Ok(state.authorities.get(&plain(name)).cloned().unwrap_or_default())
    }
}

impl State {
    fn works(&self, name: &str) -> Result<(), ResolveError> {
        let failed = self.failure.as_ref();
        failed.map_or(Ok(()), |reason| Err(ResolveError { name: name.to_owned(), reason: reason.clone() }))
    }
}

/// Names are compared without regard to case (RFC 4343), and the dot at the end says nothing.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
