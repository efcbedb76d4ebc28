//! The authorities of an issuer that answer for the status of what they signed.

use super::Engine;
use crate::connector::{Authority, ConnectorError, SIGNING_CA};
use crate::domain::{AuthorityRecord, AuthorityState, IntermediateCa, IssuerId, IssuerRecord, KeyId};
use crate::entity::Record;
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
    /// These: the one that signs now first, then those of its other CAs, and those that were superseded, the newest first. Empty
    /// before anything was issued.
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
    /// The authorities of an issuer, with those of its intermediate CAs; or those of an intermediate CA, which certificates name by its
    /// own id. Makes none: an issuer that has issued nothing may have none.
    ///
    /// # Errors
    /// The store's.
    pub async fn status_authorities(&self, of: &IssuerId) -> Result<Statuses, Error> {
        let mut reads = Reads::default();
        let issuer = reads.get::<IssuerRecord>(of.as_str());
        let intermediate = reads.get::<IntermediateCa>(of.as_str());
        let below = IntermediateCa::FIELDS.issuer_id.equals(of.clone());
        let below = reads.list(Query::<IntermediateCa>::all().filter(below).limit(MOST))?;
        let own = reads.list(owned_by([of.to_string()]))?;
        let view = self.storage().read(View::Latest).await?;
        let mut found = view.read(reads).await?;
        let mut records = found.all(&own)?;
        let Some(issuer) = found.one::<IssuerRecord>(&issuer)? else {
            let Some(intermediate) = found.one::<IntermediateCa>(&intermediate)? else { return Ok(Statuses::NoIssuer) };
            let is_kept = intermediate.authority_id.is_some();
            return Ok(if is_kept { signed(records, of.as_str()) } else { Statuses::NotSigned });
        };
        let below = found.all::<IntermediateCa>(&below)?;
        if !below.is_empty() {
            records.extend(view.list(owned_by(below.iter().map(|ca| ca.id.to_string()))).await?.records);
        }
        let signs = match self.issuer(&issuer) {
            Ok(live) => live.status_signer().is_some(),
            // What was signed is answered for, whatever became of the configuration.
            Err(_) => true,
        };
        if !signs && records.is_empty() {
            return Ok(Statuses::NotSigned);
        }
        Ok(signed(records, signing_owner(&issuer)))
    }

    /// Opens an authority with its key, also one that was superseded.
    ///
    /// # Errors
    /// When its key is gone or cannot be opened; the store's.
    pub async fn open_authority(&self, record: &AuthorityRecord) -> Result<Authority, ConnectorError> {
        self.0.authorities.reopen(record).await
    }
}

/// Whose authority signs for an issuer: its own, or the intermediate CA's that its configuration names.
pub(super) fn signing_owner(issuer: &IssuerRecord) -> &str {
    issuer.shown_config.0[SIGNING_CA].as_str().filter(|id| !id.is_empty()).unwrap_or(issuer.id.as_str())
}

fn owned_by(owners: impl IntoIterator<Item = String>) -> Query<AuthorityRecord> {
    Query::all().filter(AuthorityRecord::FIELDS.owner.one_of(owners)).limit(MOST)
}

/// The one that signs now first.
fn signed(records: Vec<Record<AuthorityRecord>>, signing: &str) -> Statuses {
    let mut authorities: Vec<_> = records
        .into_iter()
        .filter_map(|record| {
            let record = record.into_entity();
            pki::chain::key_of(record.chain.leaf()).map(|key_id| StatusAuthority { record, key_id })
        })
        .collect();
    // Ids are in the order in which they were made.
    authorities.sort_by(|one, other| other.record.id.cmp(&one.record.id));
    authorities.sort_by_key(|StatusAuthority { record, .. }| {
        let is_active = record.state == AuthorityState::Active;
        (!(is_active && record.owner == signing), !is_active)
    });
    Statuses::Signed(authorities)
}
