//! Reading what is revoked of an authority into a list: page by page, so that it takes little more memory than the list.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::{
    ChangedRevocation, CrlScope, IntermediateCa, KeyId, ListedRevocation, Revocation, RevocationReason,
    RevocationRelease, Timestamp,
};
use crate::entity::Entity;
use crate::pki::chain;
use crate::pki::crl::{CrlBuilder, CrlEntry};
use crate::storage::{Query, Storage, StorageError, View};

/// Rows of one page: enough that asking costs nothing, and few enough that they need no memory to speak of.
const PAGE: usize = 4_096;

/// What is to be listed.
pub(super) struct Wanted<'a> {
    pub(super) authority: &'a KeyId,
    pub(super) scope: CrlScope,
    /// What ended before this is left out.
    pub(super) valid_at: Timestamp,
}

/// Adds what a complete list or a shard lists; gives how much that is.
pub(super) async fn list(
    storage: &Arc<dyn Storage>,
    builder: &mut CrlBuilder,
    wanted: &Wanted<'_>,
) -> Result<usize, StorageError> {
    let query = listed(wanted);
    // One connection for all pages, whose memory is used again for each.
    let view = storage.read(View::PointInTime).await?;
    let (mut count, mut after) = (0, None);
    loop {
        let page = view.joined(query.clone().after(after), ListedRevocation::FIELDS.crl_entry).await?;
        // A row without an entry would be one that is not revoked to whoever reads the list.
        if builder.add_written(&page.octets) != Some(page.records) {
            return Err(StorageError::Corrupt { entity: ListedRevocation::SCHEMA.table, column: "crl_entry" });
        }
        count += page.records;
        after = page.next;
        if after.is_none() {
            return Ok(count);
        }
    }
}

fn listed(wanted: &Wanted<'_>) -> Query<ListedRevocation> {
    let fields = ListedRevocation::FIELDS;
    let query = Query::sorted(fields.crl_list.ascending()).filter(fields.not_after.not_below(wanted.valid_at));
    let query = match wanted.scope {
        CrlScope::Shard(shard) => {
            query.filter(fields.crl_list.equals(Revocation::list(wanted.authority, Some(shard.into()))))
        }
        CrlScope::Complete | CrlScope::Delta => {
            let (first, behind) = Revocation::lists(wanted.authority);
            query.filter(fields.crl_list.at_least(first)).filter(fields.crl_list.below(behind))
        }
    };
    query.limit(PAGE)
}

/// Adds the CAs right below an authority that are revoked; gives how many those are. They are few, and name the complete list.
pub(super) async fn authorities(
    storage: &Arc<dyn Storage>,
    builder: &mut CrlBuilder,
    wanted: &Wanted<'_>,
) -> Result<usize, StorageError> {
    if matches!(wanted.scope, CrlScope::Shard(_)) {
        return Ok(0);
    }
    let fields = IntermediateCa::FIELDS;
    let query = Query::<IntermediateCa>::all()
        .filter(fields.revoked_at.is_set())
        .filter(fields.not_after.not_below(wanted.valid_at))
        .limit(PAGE);
    let (mut count, mut after) = (0, None);
    loop {
        let page = storage.read(View::Latest).await?.list(query.clone().after(after)).await?;
        for ca in page.records {
            let is_below = ca.signer().and_then(chain::key_of).as_ref() == Some(wanted.authority);
            if let Some(revoked_at) = ca.revoked_at.filter(|_| is_below) {
                let reason = ca.revocation_reason.unwrap_or(RevocationReason::Unspecified);
                builder.add(CrlEntry { serial: &ca.serial_number, revoked_at, reason });
                count += 1;
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(count);
        }
    }
}

/// Adds what changed since this moment, revocations and releases; gives how much that is.
///
/// What is told twice does no harm, and what is not told does. So whoever calls this counts from before the list that the changes
/// are changes of: a commit may have been under way when that was made.
pub(super) async fn changes(
    storage: &Arc<dyn Storage>,
    builder: &mut CrlBuilder,
    (wanted, since): (&Wanted<'_>, Timestamp),
) -> Result<usize, StorageError> {
    let fields = ChangedRevocation::FIELDS;
    let query = Query::sorted(fields.changed_at.ascending())
        .filter(fields.issuer_key_id.equals(Some(wanted.authority.clone())))
        .filter(fields.changed_at.at_least(since))
        .filter(fields.short_lived.equals(false))
        .filter(fields.not_after.not_below(wanted.valid_at))
        .limit(PAGE);
    let (mut listed, mut after) = (BTreeSet::new(), None);
    loop {
        let page = storage.read(View::Latest).await?.list(query.clone().after(after)).await?;
        for revoked in page.records {
            if listed.insert(revoked.serial_number.clone()) {
                let (serial, revoked_at, reason) = (&revoked.serial_number, revoked.revoked_at, revoked.reason);
                builder.add(CrlEntry { serial, revoked_at, reason });
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let fields = RevocationRelease::FIELDS;
    let query = Query::sorted(fields.released_at.descending())
        .filter(fields.issuer_key_id.equals(wanted.authority.clone()))
        .filter(fields.released_at.at_least(since))
        .filter(fields.not_after.not_below(wanted.valid_at))
        .limit(PAGE);
    let mut after = None;
    loop {
        let page = storage.read(View::Latest).await?.list(query.clone().after(after)).await?;
        for released in page.records {
            // What is revoked again is revoked, and of several releases the last counts.
            if listed.insert(released.serial_number.clone()) {
                builder.remove(&released.serial_number, released.released_at);
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(listed.len());
        }
    }
}
