//! Reading what is revoked of an authority into a list: page by page, so that it takes little more memory than the list.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, MaybeDone, maybe_done};

use crate::domain::{
    ChangedRevocation, CrlScope, IntermediateCa, KeyId, ListedRevocation, Revocation, RevocationReason,
    RevocationRelease, Serial, Timestamp,
};
use crate::entity::{Cell, Entity, Row, Value};
use crate::pki::chain;
use crate::pki::crl::{CrlBuilder, CrlEntry};
use crate::storage::{Query, Select, Snapshot, Storage, StorageError, View};

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
    let mut select = listed(wanted)?;
    // One connection for all pages, whose memory is used again for each.
    let view = storage.read(View::PointInTime).await?;
    let (mut count, mut asked) = (0, ask(&*view, &select));
    loop {
        (&mut asked).await;
        let rows = Pin::new(&mut asked).take_output().transpose()?.unwrap_or_default();
        let more = rows.len() == PAGE;
        if let Some(last) = rows.last().filter(|_| more) {
            let place = last.values.get(select.sort).cloned();
            select.after = place.map(|place| (place, last.id().to_owned()));
            // The store reads the next page while this one is written down.
            asked = ask(&*view, &select);
        }
        count += rows.len();
        for row in rows {
            let (serial, revoked_at, reason) = entry(row)?;
            builder.add(CrlEntry { serial: &serial, revoked_at, reason });
        }
        if !more {
            return Ok(count);
        }
    }
}

fn listed(wanted: &Wanted<'_>) -> Result<Select, StorageError> {
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
    query.limit(PAGE).into_select()
}

type Asked<'a> = MaybeDone<BoxFuture<'a, Result<Vec<Row>, StorageError>>>;

/// Asks for a page, and lets the answer come.
fn ask<'a>(view: &'a dyn Snapshot, select: &Select) -> Asked<'a> {
    let select = select.clone();
    let mut asked = maybe_done(async move { view.select(&select).await }.boxed());
    (&mut asked).now_or_never();
    asked
}

/// What a row says, without what nobody asks of it here.
fn entry(mut row: Row) -> Result<(Serial, Timestamp, RevocationReason), StorageError> {
    fn cell<T: Cell>(row: &mut Row, position: usize) -> Result<T, StorageError> {
        let corrupt = || {
            let column = ListedRevocation::SCHEMA.columns.get(position).map_or("", |column| column.name);
            StorageError::Corrupt { entity: ListedRevocation::SCHEMA.table, column }
        };
        let value = row.values.get_mut(position).map(|value| std::mem::replace(value, Value::Null));
        value.and_then(T::from_value).ok_or_else(corrupt)
    }
    let fields = ListedRevocation::FIELDS;
    Ok((
        cell(&mut row, fields.serial_number.position())?,
        cell(&mut row, fields.revoked_at.position())?,
        cell(&mut row, fields.reason.position())?,
    ))
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
