//! What the store says of certificates, also those of CAs: whether they were issued, and whether they are revoked.

use std::collections::BTreeMap;

use crate::domain::{IntermediateCa, KeyId, Revocation, RevocationReason, Serial, Timestamp, VersionSerial};
use crate::entity::{Condition, Entity, Field};
use crate::error::Error;
use crate::pki::chain;
use crate::pki::ocsp::{CertStatus, MAX_REQUESTED};
use crate::storage::{Query, Reads, UnitOfWork};

/// A certificate that was issued.
#[derive(Clone, Copy, Debug)]
pub(super) struct Issued {
    /// Whether it is revoked. Those of short-lived profiles are good unless they are (requirements B9), as all others are.
    pub(super) status: CertStatus,
    /// When it ends.
    pub(super) not_after: Timestamp,
}

/// Rows for one serial number at most: configurations of an issuer that share a key are few.
const TWINS: usize = 4;

/// What is known of certificates that one key signed, in one trip where they are no CAs; what was never issued is absent.
///
/// # Errors
/// The store's.
pub(super) async fn issued(
    unit: &UnitOfWork,
    key_id: &KeyId,
    serials: &[Serial],
) -> Result<BTreeMap<Serial, Issued>, Error> {
    let (versions, revocations) = (VersionSerial::FIELDS, Revocation::FIELDS);
    let limit = serials.len().min(MAX_REQUESTED) * TWINS;
    let mut reads = Reads::default();
    // In the order of the index that finds them.
    let signed = Query::sorted(versions.serial_number.ascending())
        .filter(of(versions.serial_number, serials))
        .filter(versions.issuer_key_id.equals(Some(key_id.clone())))
        .limit(limit);
    let signed = reads.list(signed)?;
    let revoked = Query::sorted(revocations.serial_number.ascending())
        .filter(of(revocations.serial_number, serials))
        .filter(revocations.issuer_key_id.equals(Some(key_id.clone())))
        .limit(limit);
    let revoked = reads.list(revoked)?;
    let mut found = unit.read(reads).await?;
    let mut issued = BTreeMap::new();
    for version in found.all(&signed)? {
        let known = Issued { status: CertStatus::Good, not_after: version.not_after };
        issued.insert(version.serial_number.clone(), known);
    }
    for row in found.all(&revoked)? {
        // A revocation tells as well as a version that it was issued.
        let status = CertStatus::Revoked { at: row.revoked_at, reason: row.reason };
        issued.insert(row.serial_number.clone(), Issued { status, not_after: row.not_after });
    }
    // Few ask for those of CAs, so they are looked for where nothing else is known.
    let unknown: Vec<Serial> = serials.iter().filter(|serial| !issued.contains_key(serial)).cloned().collect();
    if !unknown.is_empty() {
        issued.extend(authorities(unit, key_id, &unknown).await?);
    }
    Ok(issued)
}

/// What is known of the CAs right below that key.
async fn authorities(unit: &UnitOfWork, key_id: &KeyId, serials: &[Serial]) -> Result<BTreeMap<Serial, Issued>, Error> {
    let (fields, limit) = (IntermediateCa::FIELDS, serials.len().min(MAX_REQUESTED) * TWINS);
    let query = Query::sorted(fields.serial_number.ascending()).filter(of(fields.serial_number, serials));
    let mut issued = BTreeMap::new();
    for ca in unit.list(query.limit(limit)).await?.records {
        if ca.signer().and_then(chain::key_of).as_ref() != Some(key_id) {
            continue;
        }
        let (serial, not_after) = (ca.serial_number.clone(), ca.not_after);
        match ca.revoked_at {
            Some(at) => {
                let reason = ca.revocation_reason.unwrap_or(RevocationReason::Unspecified);
                issued.insert(serial, Issued { status: CertStatus::Revoked { at, reason }, not_after });
            }
            // Several issuers may have it, and be told of its revocation one after the other.
            None => {
                issued.entry(serial).or_insert(Issued { status: CertStatus::Good, not_after });
            }
        }
    }
    Ok(issued)
}

/// Databases know best what to do with one value that is named.
fn of<E: Entity>(field: Field<E, Serial>, serials: &[Serial]) -> Condition<E> {
    match serials {
        [one] => field.equals(one.clone()),
        many => field.one_of(many.iter().cloned()),
    }
}
