//! The issuers whose certificates are asked about, as they stood a moment ago.
//!
//! Requests come by the thousand, and most are answered without the store. So which authorities an issuer has is read at most
//! every [`AGE`], and anew when this process has committed something that it rests on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::authority::Identity;
use crate::domain::IssuerId;
use crate::engine::{Engine, StatusAuthority, Statuses, lock};
use crate::error::Error;
use crate::ports::Monotonic;

/// How long it is taken as it was read.
const AGE: Duration = Duration::from_millis(500);
/// While one request reads it anew, others go on with what is not older than this.
const TOLERATED: Duration = Duration::from_millis(900);

/// The issuers that were asked about.
#[derive(Debug, Default)]
pub(super) struct Book {
    issuers: Mutex<BTreeMap<IssuerId, Arc<Entry>>>,
    /// Raised by each commit of this process that may change what is in it.
    generation: AtomicU64,
    /// How many authorities were met.
    met: Mutex<u32>,
}

/// Who answers for an issuer's certificates: the authority that signs now first. Absent where it does not sign status; none
/// where it has signed nothing yet.
pub(super) type Authorities = Option<Vec<Arc<Identity>>>;

#[derive(Debug, Default)]
struct Entry {
    read: Mutex<Option<Reading>>,
    /// Held by whoever reads.
    reader: futures_util::lock::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Reading {
    at: Monotonic,
    generation: u64,
    authorities: Arc<Authorities>,
}

impl Book {
    /// A commit may have changed something.
    pub(super) fn overtaken(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Who answers for an issuer's certificates; `None` when there is no such issuer.
    ///
    /// # Errors
    /// The store's, when nothing is known from before.
    pub(super) async fn authorities(
        &self,
        engine: &Engine,
        issuer: &IssuerId,
    ) -> Result<Option<Arc<Authorities>>, Error> {
        let known = lock(&self.issuers).get(issuer).cloned();
        let Some(entry) = known else { return self.first(engine, issuer).await };
        if let Some(authorities) = self.usable(engine, &entry, AGE) {
            return Ok(Some(authorities));
        }
        let reader = if let Some(reader) = entry.reader.try_lock() {
            reader
        } else {
            if let Some(authorities) = self.usable(engine, &entry, TOLERATED) {
                return Ok(Some(authorities));
            }
            entry.reader.lock().await
        };
        // Whoever held it before has read it.
        if let Some(authorities) = self.usable(engine, &entry, AGE) {
            return Ok(Some(authorities));
        }
        let read = self.read(engine, issuer, &entry).await;
        drop(reader);
        match read {
            Ok(None) => {
                lock(&self.issuers).remove(issuer);
                Ok(None)
            }
            Ok(found) => Ok(found),
            // Who they were they are still.
            Err(error) => lock(&entry.read).clone().map_or(Err(error), |last| Ok(Some(last.authorities))),
        }
    }

    async fn first(&self, engine: &Engine, issuer: &IssuerId) -> Result<Option<Arc<Authorities>>, Error> {
        let entry = Entry::default();
        let Some(authorities) = self.read(engine, issuer, &entry).await? else { return Ok(None) };
        // Of several that came at once one is kept: answers are kept by the numbers of its authorities.
        lock(&self.issuers).entry(issuer.clone()).or_insert_with(|| Arc::new(entry));
        Ok(Some(authorities))
    }

    fn usable(&self, engine: &Engine, entry: &Entry, age: Duration) -> Option<Arc<Authorities>> {
        let now = engine.ports().clock.monotonic();
        let read = lock(&entry.read);
        let reading = read.as_ref()?;
        let current = reading.generation == self.generation.load(Ordering::SeqCst);
        (current && reading.at.until(now) < age).then(|| Arc::clone(&reading.authorities))
    }

    async fn read(&self, engine: &Engine, issuer: &IssuerId, entry: &Entry) -> Result<Option<Arc<Authorities>>, Error> {
        // Before reading, or what is committed meanwhile is missed.
        let (at, generation) = (engine.ports().clock.monotonic(), self.generation.load(Ordering::SeqCst));
        let authorities = match engine.status_authorities(issuer).await? {
            Statuses::NoIssuer => return Ok(None),
            Statuses::NotSigned => None,
            Statuses::Signed(authorities) => Some(self.met(authorities, entry)),
        };
        let authorities = Arc::new(authorities);
        *lock(&entry.read) = Some(Reading { at, generation, authorities: Arc::clone(&authorities) });
        Ok(Some(authorities))
    }

    /// Those that were met before keep what is known of them.
    fn met(&self, found: Vec<StatusAuthority>, entry: &Entry) -> Vec<Arc<Identity>> {
        let before = lock(&entry.read).clone();
        let before: Vec<_> =
            before.iter().flat_map(|reading| reading.authorities.iter().flatten()).map(Arc::clone).collect();
        let mut authorities = Vec::with_capacity(found.len());
        for authority in found {
            let id = authority.record.id.clone();
            if let Some(known) = before.iter().find(|known| known.record.id == id) {
                authorities.push(Arc::clone(known));
                continue;
            }
            match Identity::of(authority, self.number()) {
                Ok(identity) => authorities.push(Arc::new(identity)),
                Err(error) => {
                    tracing::error!(authority = %id, %error, "a CA certificate cannot be read; nobody is told of its certificates");
                }
            }
        }
        authorities
    }

    /// A number that no other authority of this process has.
    fn number(&self) -> u32 {
        let mut met = lock(&self.met);
        *met = met.wrapping_add(1);
        *met
    }
}
