//! Making the lists of one authority: read, built, signed, and published by one commit that nobody else was faster with.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::build::{self, Wanted};
use super::{HALF_LIFE, VALIDITY, parts};
use crate::connector::{Authority, ConnectorError};
use crate::domain::{AuditAction, Crl, CrlId, CrlScope, Fingerprint, Principal, Timestamp};
use crate::engine::{CrlAuthority, Engine};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::context::audit_event;
use crate::pki::PkiError;
use crate::pki::certificate::{self, SigningError};
use crate::pki::crl::{CrlBuilder, CrlExtent, CrlRequest};
use crate::storage::{ApplyError, StorageError, UnitOfWork};

/// So long a commit may have been under way that a list did not see: what is told of changes begins so much earlier.
const UNDER_WAY: Duration = Duration::from_secs(300);
/// Pause after a failure, doubled up to an hour with each further one.
const PAUSE: Duration = Duration::from_secs(60);
/// Longest error text that is kept, in characters.
const LONGEST: usize = 2_000;

/// Why a list was not made.
enum Unmade {
    /// Nobody can say anything about the list.
    Store(Error),
    /// The authority cannot sign it as it is.
    Cause(String),
    /// Somebody else published one meanwhile.
    Overtaken,
}

/// Makes these lists of an authority, a list of changes with the complete one; gives how many were made. What stands in the way is
/// stored with the list, and is in the way of no other list.
///
/// # Errors
/// The store's.
pub(crate) async fn make(
    engine: &Engine,
    authority: &CrlAuthority,
    scopes: &BTreeSet<CrlScope>,
) -> Result<usize, Error> {
    let opened = open(engine, authority).await;
    let mut made = 0;
    for scope in scopes {
        if *scope == CrlScope::Delta {
            continue;
        }
        let outcome = match &opened {
            Ok(opened) => one(engine, authority, opened, *scope).await,
            Err(why) => Err(Unmade::Cause(why.clone())),
        };
        match outcome {
            Ok(()) => made += 1,
            Err(Unmade::Overtaken) => {}
            Err(Unmade::Store(error)) => return Err(error),
            Err(Unmade::Cause(why)) => note(engine, authority, *scope, &why).await?,
        }
    }
    Ok(made)
}

/// An authority that is ready to sign.
struct Opened {
    authority: Authority,
    lends: certificate::Authority,
}

async fn open(engine: &Engine, of: &CrlAuthority) -> Result<Opened, String> {
    let told = |error: ConnectorError| error.explained();
    let authority = engine.open_authority(&of.status.record).await.map_err(told)?;
    let lends = certificate::Authority::from_certificate(authority.chain.leaf()).map_err(|error| error.to_string())?;
    Ok(Opened { authority, lends })
}

/// When a list is made, and what follows from the one before.
struct Plan {
    number: i64,
    this_update: Timestamp,
    regular_at: Timestamp,
    /// What ended before this is left out.
    valid_at: Timestamp,
    /// The complete list that changes are told since, and when it was made.
    base: (i64, Timestamp),
}

impl Plan {
    fn after(before: Option<&Crl>, now: Timestamp) -> Self {
        let before = before.filter(|list| list.is_made());
        let this_update = now.floor_to_second();
        // Restored from a backup, a store does not know the last number, but the time does not go back.
        let number = before.map_or(0, |list| list.number).saturating_add(1).max(now.unix_seconds());
        let is_regular = before.is_none_or(|list| list.regular_at + HALF_LIFE <= now);
        let last_regular = before.map_or(Timestamp(0), |list| list.regular_at);
        let base = before.map(|list| (list.base_number, list.base_at));
        Self {
            number,
            this_update,
            regular_at: if is_regular { this_update } else { last_regular },
            valid_at: last_regular,
            // Whoever has a list that has not ended can go on from it.
            base: base.filter(|(_, at)| now < *at + VALIDITY).unwrap_or((number, this_update)),
        }
    }

    fn request(&self, extent: CrlExtent, entries: usize) -> CrlRequest {
        let number = u64::try_from(self.number).unwrap_or(0);
        let (this_update, next_update) = (self.this_update, self.this_update + VALIDITY);
        CrlRequest { number, this_update, next_update, extent, entries }
    }
}

/// A list that is not published yet.
struct Draft {
    before: Option<Record<Crl>>,
    list: Crl,
    octets: Vec<u8>,
}

async fn one(engine: &Engine, of: &CrlAuthority, opened: &Opened, scope: CrlScope) -> Result<(), Unmade> {
    let (clock, storage) = (&engine.ports().clock, engine.storage());
    let (began, mut unit) = (clock.monotonic(), UnitOfWork::begin(storage).await?);
    let (key, published) = (&of.status.key_id, &opened.authority.published);
    let id = id_of(of, scope)?;
    let before = unit.get::<Crl>(id.as_str()).await?;
    let plan = Plan::after(before.as_deref(), unit.now());
    let extent = match scope {
        CrlScope::Shard(shard) => {
            let missing =
                || Unmade::Cause("certificates name shards below the public URL, and there is none; set it".into());
            CrlExtent {
                distribution_point: Some(published.shard_url(shard).ok_or_else(missing)?),
                ..CrlExtent::default()
            }
        }
        CrlScope::Complete | CrlScope::Delta => {
            let deltas = published.crl_url.as_ref().filter(|_| of.publication.deltas);
            CrlExtent { freshest: deltas.map(|url| format!("{url}/delta")), ..CrlExtent::default() }
        }
    };
    let expected = before.as_deref().map_or(0, |list| usize::try_from(list.revoked).unwrap_or(0));
    let wanted = Wanted { authority: key, scope, valid_at: plan.valid_at };
    let mut builder = CrlBuilder::new(&opened.lends, &plan.request(extent, expected + expected / 8 + 16))?;
    let revoked = build::list(storage, &mut builder, &wanted).await?;
    let revoked = revoked + build::authorities(storage, &mut builder, &wanted).await?;
    let octets = builder.finish().sign(&*opened.authority.signer).await?;
    let took = began.until(clock.monotonic());
    let mut drafts = vec![Draft { list: drafted(engine, of, (id, &plan), (&octets, revoked, took)), before, octets }];
    if scope == CrlScope::Complete && of.publication.deltas {
        let began = clock.monotonic();
        let id = id_of(of, CrlScope::Delta)?;
        let before = unit.get::<Crl>(id.as_str()).await?;
        let (base, since) = plan.base;
        let extent = CrlExtent { base: Some(u64::try_from(base).unwrap_or(0)), ..CrlExtent::default() };
        let mut builder = CrlBuilder::new(&opened.lends, &plan.request(extent, 0))?;
        let since = Timestamp(since.0.saturating_sub(i64::try_from(UNDER_WAY.as_micros()).unwrap_or(0)));
        let changed = build::changes(storage, &mut builder, (&wanted, since)).await?;
        // Whenever it was: what is told twice does no harm.
        let changed = changed + build::authorities(storage, &mut builder, &wanted).await?;
        let octets = builder.finish().sign(&*opened.authority.signer).await?;
        let took = began.until(clock.monotonic());
        let list = drafted(engine, of, (id, &plan), (&octets, changed, took));
        // It is made with the complete one, and never by itself.
        drafts.push(Draft { list: Crl { due_at: Timestamp::NEVER, ..list }, before, octets });
    }
    publish(engine, unit, of, drafts).await
}

fn id_of(of: &CrlAuthority, scope: CrlScope) -> Result<CrlId, Unmade> {
    Crl::id_of(&of.status.key_id, scope).map_err(|error| Unmade::Store(Error::internal(error)))
}

fn drafted(
    engine: &Engine,
    of: &CrlAuthority,
    (id, plan): (CrlId, &Plan),
    (octets, revoked, took): (&[u8], usize, Duration),
) -> Crl {
    let mut making = [0; 8];
    engine.ports().rng.fill(&mut making);
    Crl {
        number: plan.number,
        base_number: plan.base.0,
        base_at: plan.base.1,
        this_update: plan.this_update,
        next_update: plan.this_update + VALIDITY,
        regular_at: plan.regular_at,
        due_at: plan.this_update + HALF_LIFE,
        revoked: i64::try_from(revoked).unwrap_or(i64::MAX),
        octets: i64::try_from(octets.len()).unwrap_or(i64::MAX),
        making: hex::encode(making),
        digest: Some(Fingerprint::of(octets)),
        took_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
        ..none_yet(of, id)
    }
}

/// What is stored of a list before there is one.
fn none_yet(of: &CrlAuthority, id: CrlId) -> Crl {
    Crl {
        id,
        authority_id: of.status.record.id.clone(),
        owner: of.status.record.owner.clone(),
        issuer_key_id: of.status.key_id.clone(),
        number: 0,
        base_number: 0,
        base_at: Timestamp(0),
        this_update: Timestamp(0),
        next_update: Timestamp(0),
        regular_at: Timestamp(0),
        due_at: Timestamp(0),
        revoked: 0,
        octets: 0,
        making: String::new(),
        digest: None,
        took_ms: 0,
        failures: 0,
        last_error: None,
    }
}

/// Stores them all in one commit: the numbers are pinned, so of two that made the same one is late.
async fn publish(engine: &Engine, mut unit: UnitOfWork, of: &CrlAuthority, drafts: Vec<Draft>) -> Result<(), Unmade> {
    let mut made = Vec::with_capacity(drafts.len());
    for Draft { before, list, octets } in drafts {
        let published = before.as_deref().map_or(0, |list| list.number);
        parts::put(engine, &mut unit, (&list, published), &octets).await?;
        let details = json!({
            "issuer_id": list.owner, "crl_id": list.id, "number": list.number, "revoked": list.revoked,
            "this_update": list.this_update, "next_update": list.next_update, "sha256": list.digest,
        });
        let about = ("authority", of.status.record.id.as_str());
        let now = unit.now();
        unit.append(audit_event(engine, &Principal::system(), now, AuditAction::CrlGenerated, about, details));
        match before {
            Some(mut record) => {
                *record = list.clone();
                unit.update(record);
            }
            None => unit.insert(list.clone()),
        }
        made.push((list, octets));
    }
    engine.commit(unit).await?;
    for (list, octets) in made {
        engine.crl_made(&list, octets);
    }
    Ok(())
}

/// Stores why a list was not made, and when it is tried again.
async fn note(engine: &Engine, of: &CrlAuthority, scope: CrlScope, why: &str) -> Result<(), Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?.bookkeeping();
    let id = Crl::id_of(&of.status.key_id, scope).map_err(Error::internal)?;
    tracing::warn!(crl = %id, issuer = %of.status.record.owner, error = why, "a revocation list was not made; it is tried again");
    let stored = unit.get::<Crl>(id.as_str()).await?;
    let failures = stored.as_deref().map_or(0, |list| list.failures).saturating_add(1);
    let doublings = u32::try_from(failures).unwrap_or(u32::MAX).saturating_sub(1).min(6);
    let due_at = unit.now() + (PAUSE * (1 << doublings)).min(PAUSE * 60);
    let last_error = Some(why.chars().take(LONGEST).collect());
    match stored {
        Some(mut list) => {
            (list.failures, list.due_at, list.last_error) = (failures, due_at, last_error);
            unit.update(list);
        }
        None => unit.insert(Crl { due_at, failures, last_error, ..none_yet(of, id) }),
    }
    match engine.commit(unit).await {
        Ok(()) | Err(ApplyError::Stale { .. } | ApplyError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl From<StorageError> for Unmade {
    fn from(error: StorageError) -> Self {
        Self::Store(error.into())
    }
}

impl From<ApplyError> for Unmade {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Stale { .. } | ApplyError::Conflict { .. } => Self::Overtaken,
            error => Self::Store(error.into()),
        }
    }
}

impl From<PkiError> for Unmade {
    fn from(error: PkiError) -> Self {
        Self::Cause(error.to_string())
    }
}

impl From<SigningError> for Unmade {
    fn from(error: SigningError) -> Self {
        Self::Cause(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(2_000_000_000);

    fn list(plan: &Plan) -> Crl {
        Crl {
            id: CrlId::parse("crl-1").unwrap(),
            authority_id: "ca-1".parse().unwrap(),
            owner: String::new(),
            issuer_key_id: "spki-1".parse().unwrap(),
            number: plan.number,
            base_number: plan.base.0,
            base_at: plan.base.1,
            this_update: plan.this_update,
            next_update: plan.this_update + VALIDITY,
            regular_at: plan.regular_at,
            due_at: NOW,
            revoked: 0,
            octets: 0,
            making: String::new(),
            digest: None,
            took_ms: 0,
            failures: 0,
            last_error: None,
        }
    }

    #[test]
    fn numbers_only_grow_whatever_the_clock_does() {
        let first = Plan::after(None, NOW);
        assert_eq!(first.number, NOW.unix_seconds());
        let second = Plan::after(Some(&list(&first)), NOW);
        assert_eq!(second.number, first.number + 1);
        let earlier = Timestamp(NOW.0 - 3_600_000_000);
        assert_eq!(Plan::after(Some(&list(&second)), earlier).number, second.number + 1);
        let later = NOW + HALF_LIFE;
        assert_eq!(Plan::after(Some(&list(&second)), later).number, later.unix_seconds());
    }

    #[test]
    fn what_expired_is_listed_once_more_by_a_list_that_was_due() {
        let first = Plan::after(None, NOW);
        assert_eq!((first.regular_at, first.valid_at), (NOW, Timestamp(0)));
        // A revocation asks for one in between, which nobody waited for.
        let between = Plan::after(Some(&list(&first)), NOW + HALF_LIFE / 2);
        assert_eq!((between.regular_at, between.valid_at), (NOW, NOW));
        let next = Plan::after(Some(&list(&between)), NOW + HALF_LIFE);
        assert_eq!((next.regular_at, next.valid_at), (NOW + HALF_LIFE, NOW));
        let after = Plan::after(Some(&list(&next)), NOW + HALF_LIFE * 2);
        assert_eq!(after.valid_at, NOW + HALF_LIFE, "what ended before this was listed by the one of that moment");
    }

    #[test]
    fn changes_are_told_to_whoever_has_a_list_that_has_not_ended() {
        let first = Plan::after(None, NOW);
        assert_eq!(first.base, (first.number, NOW));
        let later = Plan::after(Some(&list(&first)), NOW + HALF_LIFE);
        assert_eq!(later.base, first.base);
        let next_day = Plan::after(Some(&list(&later)), NOW + VALIDITY);
        assert_eq!(next_day.base, (next_day.number, NOW + VALIDITY));
    }
}
