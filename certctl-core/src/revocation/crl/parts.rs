//! The octets of revocation lists at rest: in parts, because a list of a million certificates has some fifty million of them.

use std::time::Duration;

use crate::domain::{Crl, CrlPart, CrlPartKey, Fingerprint, Timestamp};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::storage::{ApplyError, Changes, Query, StorageError, UnitOfWork, View};

/// Octets of one part.
const PART: usize = 512 << 10;
/// Parts that are read at once.
const AT_ONCE: usize = 4;
/// Parts that are taken away in one commit.
const BATCH: usize = 64;
/// Whoever made a list and did not publish it in this time will not any more.
const ABANDONED: Duration = Duration::from_secs(600);

/// Stores the octets of a list that is about to be published: the unit's commit is what publishes it. A list of one part is
/// stored by that commit, the parts of a longer one before it. Takes away what nobody reads any more; `published` is the number
/// of the list that is published now.
///
/// # Errors
/// The store's; `Stale` where somebody else stores the same list.
pub(super) async fn put(
    engine: &Engine,
    unit: &mut UnitOfWork,
    (list, published): (&Crl, i64),
    octets: &[u8],
) -> Result<(), ApplyError> {
    let old = unread(unit, list, published).await?;
    let part = |place: usize, octets: &[u8]| -> Result<CrlPart, ApplyError> {
        Ok(CrlPart {
            id: CrlPart::id_of(list, place).map_err(|error| StorageError::fatal(error.to_string()))?,
            crl_id: list.id.clone(),
            number: list.number,
            making: list.making.clone(),
            octets: octets.to_vec(),
            created_at: list.this_update,
        })
    };
    if octets.len() <= PART && old.len() <= BATCH {
        for key in &old {
            unit.delete_excerpt::<CrlPart, _>(key);
        }
        unit.insert(part(0, octets)?);
        return Ok(());
    }
    for batch in old.chunks(BATCH) {
        let mut changes = Changes::bookkeeping();
        for key in batch {
            changes.delete_excerpt::<CrlPart, _>(key);
        }
        engine.storage().apply(changes).await?;
    }
    for (place, octets) in octets.chunks(PART).enumerate() {
        let mut changes = Changes::bookkeeping();
        changes.insert(part(place, octets)?);
        engine.storage().apply(changes).await?;
    }
    Ok(())
}

/// Parts of lists before the published one, and of those that were never published.
async fn unread(unit: &UnitOfWork, list: &Crl, published: i64) -> Result<Vec<Record<CrlPartKey>>, StorageError> {
    let fields = CrlPartKey::FIELDS;
    let query = Query::sorted(fields.number.ascending()).filter(fields.crl_id.equals(list.id.clone())).limit(1_000);
    let abandoned = |created_at: Timestamp| created_at + ABANDONED < unit.now();
    let (mut unread, mut after) = (Vec::new(), None);
    loop {
        let page = unit.list(query.clone().after(after)).await?;
        let is_unread =
            |key: &Record<CrlPartKey>| key.number < published || (key.number > published && abandoned(key.created_at));
        unread.extend(page.records.into_iter().filter(is_unread));
        after = page.next;
        if after.is_none() {
            return Ok(unread);
        }
    }
}

/// The octets of a list; `None` when it is not there any more, because a newer one took its place.
///
/// # Errors
/// The store's.
pub(crate) async fn load(engine: &Engine, list: &Crl) -> Result<Option<Vec<u8>>, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let fields = CrlPart::FIELDS;
    let query = Query::sorted(fields.number.ascending())
        .filter(fields.crl_id.equals(list.id.clone()))
        .filter(fields.number.equals(list.number))
        .filter(fields.making.equals(list.making.clone()))
        .limit(AT_ONCE);
    let mut octets = Vec::with_capacity(usize::try_from(list.octets).unwrap_or(0));
    let mut after = None;
    loop {
        let page = view.list(query.clone().after(after)).await?;
        for part in &page.records {
            octets.extend_from_slice(&part.octets);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(Some(octets).filter(|octets| list.digest == Some(Fingerprint::of(octets))))
}
