//! The authorities of an issuer that answer for the status of what they signed.

use super::Engine;
use crate::connector::{Authority, ConnectorError};
use crate::domain::{AuthorityRecord, AuthorityState, IssuerId, IssuerRecord, KeyId};
use crate::error::Error;
use crate::pki;
use crate::storage::{Query, Reads, View};

/// Who answers for the status of an issuer's certificates.
#[derive(Clone, Debug)]
pub enum Statuses {
    /// There is no such issuer.
    NoIssuer,
    /// The issuer does not sign status: whoever it orders from answers for it.
    NotSigned,
    /// These: the one that signs now first, and those that it superseded, the newest first. Empty before anything was issued.
    Signed(Vec<StatusAuthority>),
}

/// An authority that answers for what it signed.
#[derive(Clone, Debug)]
pub struct StatusAuthority {
    /// What is stored of it.
    pub record: AuthorityRecord,
    /// The id of its key, by which versions and revocations name it.
    pub key_id: KeyId,
}

/// An issuer has had no more CAs than this.
const MOST: usize = 1_000;

impl Engine {
    /// The authorities of an issuer. Makes none: an issuer that has issued nothing may have none.
    ///
    /// # Errors
    /// The store's.
    pub async fn status_authorities(&self, issuer: &IssuerId) -> Result<Statuses, Error> {
        let mut reads = Reads::default();
        let record = reads.get::<IssuerRecord>(issuer.as_str());
        let owned = AuthorityRecord::FIELDS.owner.equals(issuer.to_string());
        let authorities = reads.list(Query::<AuthorityRecord>::all().filter(owned).limit(MOST))?;
        let mut found = self.storage().read(View::Latest).await?.read(reads).await?;
        let Some(record) = found.one::<IssuerRecord>(&record)? else { return Ok(Statuses::NoIssuer) };
        let signs = match self.issuer(&record) {
            Ok(live) => live.status_signer().is_some(),
            // What was signed is answered for, whatever became of the configuration.
            Err(_) => true,
        };
        let mut authorities: Vec<_> = found
            .all(&authorities)?
            .into_iter()
            .filter_map(|record| {
                let record = record.into_entity();
                pki::chain::key_of(record.chain.leaf()).map(|key_id| StatusAuthority { record, key_id })
            })
            .collect();
        if !signs && authorities.is_empty() {
            return Ok(Statuses::NotSigned);
        }
        // Ids are in the order in which they were made.
        authorities.reverse();
        authorities.sort_by_key(|authority| authority.record.state != AuthorityState::Active);
        Ok(Statuses::Signed(authorities))
    }

    /// Opens an authority with its key, also one that was superseded.
    ///
    /// # Errors
    /// When its key is gone or cannot be opened; the store's.
    pub async fn open_authority(&self, record: &AuthorityRecord) -> Result<Authority, ConnectorError> {
        self.0.authorities.reopen(record).await
    }
}
