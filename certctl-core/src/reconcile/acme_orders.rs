//! Ends ACME orders that have expired, and forgets those that are long over.

use std::time::Duration;

use crate::domain::{AcmeAuthorization, AcmeChallenge, AcmeOrder, AcmeOrderState, Principal, Timestamp};
use crate::engine::Engine;
use crate::enrol::acme::{AcmeEvent, Problem, ProblemType};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::acme::{PROCESSING, Settle, end};
use crate::storage::{ApplyError, Changes, Query, Reads, View};

/// Orders of one sweep: each may have a hundred authorizations with three challenges.
const AT_ONCE: usize = 20;
/// Challenges of one order.
const CHALLENGES: usize = 400;

/// How long until there is one to be looked at.
pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    if engine.acme_server().is_none() {
        return Ok(None);
    }
    let view = engine.storage().read(View::Latest).await?;
    let first = view.first(due(Timestamp(Timestamp::NEVER.0 - 1))).await?;
    Ok(first.map(|order| order.collect_at.since(view.now())))
}

/// Looks at those whose time has come; gives how many.
pub(crate) async fn sweep(engine: &Engine) -> Result<usize, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let now = view.now();
    let orders = view.list(due(now).limit(AT_ONCE)).await?.records;
    drop(view);
    let mut count = 0;
    let mut over = Vec::new();
    for order in orders {
        match order.state {
            AcmeOrderState::Pending | AcmeOrderState::Ready => count += usize::from(expire(engine, order, now).await?),
            AcmeOrderState::Processing => count += usize::from(settle(engine, &order, now).await?),
            AcmeOrderState::Valid | AcmeOrderState::Invalid => over.push(order),
        }
    }
    Ok(count + forget(engine, over).await?)
}

fn due(now: Timestamp) -> Query<AcmeOrder> {
    let fields = AcmeOrder::FIELDS;
    Query::sorted(fields.collect_at.ascending()).filter(fields.collect_at.below(Timestamp(now.0.saturating_add(1))))
}

async fn expire(engine: &Engine, mut order: Record<AcmeOrder>, now: Timestamp) -> Result<bool, Error> {
    let why = Problem::new(ProblemType::Malformed, "the order was not finalized in time");
    end(&mut order, (AcmeOrderState::Invalid, now), Some(&why))?;
    let mut changes = Changes::bookkeeping();
    changes.update(order);
    let expired = applied(engine, changes).await?;
    if let Some(server) = engine.acme_server().filter(|_| expired) {
        server.note(AcmeEvent::OrderExpired);
    }
    Ok(expired)
}

/// An order whose client has not asked for a day how it stands.
async fn settle(engine: &Engine, order: &AcmeOrder, now: Timestamp) -> Result<bool, Error> {
    let ended = engine.execute(&Principal::system(), Settle { id: order.id.clone() }).await?;
    if let (Some(server), Some(state)) = (engine.acme_server(), ended) {
        server.note_end(state);
    }
    let found = engine.storage().read(View::Latest).await?.get::<AcmeOrder>(order.id.as_str()).await?;
    let Some(mut order) = found.filter(|order| order.state == AcmeOrderState::Processing) else { return Ok(true) };
    order.collect_at = now + PROCESSING;
    let mut changes = Changes::bookkeeping();
    changes.update(order);
    applied(engine, changes).await
}

async fn forget(engine: &Engine, orders: Vec<Record<AcmeOrder>>) -> Result<usize, Error> {
    if orders.is_empty() {
        return Ok(0);
    }
    let mut reads = Reads::default();
    let mut places = Vec::with_capacity(orders.len());
    for order in &orders {
        let of = AcmeAuthorization::FIELDS.order_id.equals(order.id.clone());
        let authorizations = reads.list(Query::<AcmeAuthorization>::all().filter(of).limit(CHALLENGES))?;
        let of = AcmeChallenge::FIELDS.order_id.equals(order.id.clone());
        places.push((authorizations, reads.list(Query::<AcmeChallenge>::all().filter(of).limit(CHALLENGES))?));
    }
    let mut found = engine.storage().read(View::Latest).await?.read(reads).await?;
    let mut changes = Changes::bookkeeping();
    for (order, (authorizations, challenges)) in orders.iter().zip(places) {
        for challenge in found.all(&challenges)? {
            changes.delete(&challenge);
        }
        for authorization in found.all(&authorizations)? {
            changes.delete(&authorization);
        }
        changes.delete(order);
    }
    Ok(if applied(engine, changes).await? { orders.len() } else { 0 })
}

/// False when somebody else wrote one of them at the same moment: the next sweep finds the rest.
async fn applied(engine: &Engine, changes: Changes) -> Result<bool, Error> {
    match engine.storage().apply(changes).await {
        Ok(_) => Ok(true),
        Err(ApplyError::Stale { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
