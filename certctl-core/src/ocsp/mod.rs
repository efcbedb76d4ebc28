//! Answering for the status of certificates (RFC 6960, in the profile of RFC 5019): whoever asks is told whether a certificate
//! was issued and whether it is revoked, from the moment that the store knows it.
//!
//! An answer is looked up by the key that signed the certificate and its serial number, so it does not matter what became of the
//! issuer since: authorities that were superseded answer for what they signed. It is signed by a delegated responder of that
//! authority, and kept in memory for whoever asks next. Each revocation and release changes the authority's epoch, and what was
//! known in another one is looked up again.

mod answer;
mod authority;
mod book;
mod cache;
mod counts;
mod lookup;
mod responder;

pub use answer::{KeptAnswer, NoStatus, OcspAnswer};
pub use counts::OcspOutcome;

use std::sync::atomic::{AtomicU64, Ordering};

use crate::connector::ConnectorError;
use crate::domain::{AuthorityRecord, IntermediateCa, IssuerRecord, Revocation};
use crate::engine::{Engine, lock};
use crate::error::{Error, ErrorKind};
use crate::storage::Committed;

/// What is remembered between requests.
#[derive(Debug)]
pub(crate) struct Memory {
    book: book::Book,
    cache: cache::Cache,
    counts: counts::Counts,
    /// Commits of this process that changed what is revoked.
    revoked: AtomicU64,
}

impl Memory {
    /// With room for so many octets of answers.
    pub(crate) fn new(octets: usize) -> Self {
        Self {
            book: book::Book::default(),
            cache: cache::Cache::new(octets),
            counts: counts::Counts::default(),
            revoked: AtomicU64::default(),
        }
    }

    /// Looks again at what a commit of this process may have changed.
    pub(crate) fn committed(&self, committed: &Committed) {
        if committed.touches::<Revocation>() || committed.touches::<IntermediateCa>() {
            self.revoked.fetch_add(1, Ordering::SeqCst);
        }
        if committed.touches::<AuthorityRecord>() || committed.touches::<IssuerRecord>() {
            self.book.overtaken();
        }
    }

    /// The epoch of an authority's revocations. Where the store cannot be asked it is the last one that was heard of: what was
    /// signed is true until its end. But what this process itself has revoked since it does not call good.
    async fn epoch(&self, engine: &Engine, authority: &authority::Identity) -> Result<u64, Error> {
        let revoked = self.revoked.load(Ordering::SeqCst);
        match engine.revocation_epoch(&authority.key_id).await {
            Ok(epoch) => {
                *lock(&authority.heard) = Some((epoch, revoked));
                Ok(epoch)
            }
            Err(error) => {
                let heard = *lock(&authority.heard);
                heard.filter(|(_, at)| *at == revoked).map_or(Err(error), |(epoch, _)| Ok(epoch))
            }
        }
    }
}

/// A CA that cannot be opened, perhaps only now.
fn unopened(error: ConnectorError) -> Error {
    if error.kind.is_retryable() {
        return Error::new(ErrorKind::Unavailable, "unavailable", "the CA cannot be opened now").because(error);
    }
    Error::internal(error)
}

impl Engine {
    /// How many OCSP requests ended so since this engine was built.
    pub fn ocsp_requests(&self, outcome: OcspOutcome) -> u64 {
        self.0.ocsp.counts.get(outcome)
    }
}
