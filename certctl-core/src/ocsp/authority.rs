//! One authority whose certificates are asked about: what never changes of it, and who signs for it now.

use std::sync::{Arc, Mutex};

use super::responder::Delegate;
use crate::domain::{AuthorityRecord, KeyId, Timestamp};
use crate::engine::StatusAuthority;
use crate::pki::ocsp::IssuerHashes;
use crate::pki::{PkiError, certificate};

/// An authority.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) record: AuthorityRecord,
    /// By which its answers are kept; no other authority of this process has it.
    pub(super) number: u32,
    /// By which what it signed is found.
    pub(super) key_id: KeyId,
    pub(super) hashes: IssuerHashes,
    /// What it lends to the certificates of its responders.
    pub(super) lends: certificate::Authority,
    /// Since when it has signed: so far back its certificates are known (RFC 6960 §4.4.4).
    pub(super) since: Timestamp,
    /// Who signs its answers, if it is known yet.
    pub(super) delegate: Mutex<Option<Arc<Delegate>>>,
    /// Held by whoever finds out.
    pub(super) finding: futures_util::lock::Mutex<()>,
    /// The last epoch of its revocations that was heard of, and how many commits of this process could have changed it then.
    pub(super) heard: Mutex<Option<(u64, u64)>>,
}

impl Identity {
    /// Of a stored authority.
    ///
    /// # Errors
    /// When its certificate cannot be read.
    pub(super) fn of(authority: StatusAuthority, number: u32) -> Result<Self, PkiError> {
        let StatusAuthority { record, key_id } = authority;
        let lends = certificate::Authority::from_certificate(record.chain.leaf())?;
        Ok(Self {
            number,
            key_id,
            hashes: IssuerHashes::of(&lends)?,
            since: certificate::parse(record.chain.leaf())?.not_before,
            lends,
            record,
            delegate: Mutex::default(),
            finding: futures_util::lock::Mutex::default(),
            heard: Mutex::default(),
        })
    }
}
