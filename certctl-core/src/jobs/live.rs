//! Which agents may be given something new: a target, a certificate, a job.
//!
//! Whoever gives something to an agent pins it, so nothing reaches one that has retired. The other way round a retirement
//! says beforehand that the agent is retiring: whatever was given before that is seen when its dependents are counted,
//! and nothing comes after it. No row is written by those who give, or they would get in each other's way.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Agent, AgentId, Timestamp};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::{Error, ErrorKind};
use crate::storage::{ApplyError, Changes, Reads, UnitOfWork};

/// How an agent stands.
#[derive(Debug)]
pub(crate) enum Standing {
    /// There is none.
    Unknown,
    /// It is no program.
    Sentinel,
    /// It is retired, which is for good.
    Retired,
    /// It is about to retire; this says until when that holds.
    Retiring(Timestamp),
    /// It may be given something. Pin it.
    Live(Box<Record<Agent>>),
}

/// How these agents stand, in one trip.
pub(crate) async fn standing(
    engine: &Engine,
    unit: &UnitOfWork,
    ids: &BTreeSet<AgentId>,
) -> Result<BTreeMap<AgentId, Standing>, Error> {
    let mut reads = Reads::default();
    let places: Vec<_> = ids.iter().map(|id| (id, reads.get::<Agent>(id.as_str()))).collect();
    let mut found = unit.read(reads).await?;
    let mut standing = BTreeMap::new();
    for (id, place) in places {
        let mut agent = found.one::<Agent>(&place)?;
        if let Some(cut_short) = agent.take_if(|agent| agent.retiring_until.is_some_and(|until| until <= unit.now())) {
            // The retirement may yet come to its commit: what it pinned must not be what stands.
            revoke(engine, cut_short).await?;
            agent = unit.peek(id.as_str()).await?;
        }
        standing.insert(id.clone(), judge(agent));
    }
    Ok(standing)
}

/// How one agent stands.
pub(crate) async fn one(engine: &Engine, unit: &UnitOfWork, id: &AgentId) -> Result<Standing, Error> {
    let mut all = standing(engine, unit, &BTreeSet::from([id.clone()])).await?;
    Ok(all.remove(id).unwrap_or(Standing::Unknown))
}

/// Those of these agents that are live, pinned.
///
/// # Errors
/// `agent_retiring` when one of them is about to retire; the store's.
pub(crate) async fn live(
    engine: &Engine,
    unit: &mut UnitOfWork,
    ids: &BTreeSet<AgentId>,
) -> Result<BTreeSet<AgentId>, Error> {
    let mut live = BTreeSet::new();
    for (id, standing) in standing(engine, unit, ids).await? {
        match standing {
            Standing::Live(agent) => {
                unit.pin(&agent);
                live.insert(id);
            }
            Standing::Retiring(_) => return Err(retiring(&id)),
            Standing::Unknown | Standing::Sentinel | Standing::Retired => {}
        }
    }
    Ok(live)
}

/// The refusal while an agent is about to retire.
pub(crate) fn retiring(id: &AgentId) -> Error {
    let message = format!(
        "agent `{id}` is about to retire or to give a target away; choose another agent, or try again in half a minute"
    );
    Error::conflict("agent_retiring", message)
}

/// Says that an agent is about to retire, or to lose a target, unless that has been said just now.
///
/// # Errors
/// `changed_meanwhile` when somebody else writes the agent at the same moment; the store's.
pub(crate) async fn announce(engine: &Engine, id: &AgentId) -> Result<(), Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?.bookkeeping();
    let now = unit.now();
    let Some(mut agent) = unit.get::<Agent>(id.as_str()).await? else { return Ok(()) };
    let lasting = now + engine.cadence().retiring / 2;
    if agent.retired_at.is_some() || agent.retiring_until.is_some_and(|until| until > lasting) {
        return Ok(());
    }
    agent.retiring_until = Some(now + engine.cadence().retiring);
    unit.update(agent);
    Ok(engine.commit(unit).await?)
}

/// Takes it back. That somebody else wrote the agent meanwhile is as good.
pub(crate) async fn revoke(engine: &Engine, mut agent: Record<Agent>) -> Result<(), Error> {
    agent.retiring_until = None;
    let mut changes = Changes::bookkeeping();
    changes.update(agent);
    match engine.storage().apply(changes).await {
        Ok(_) | Err(ApplyError::Stale { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn judge(agent: Option<Record<Agent>>) -> Standing {
    match agent {
        None => Standing::Unknown,
        Some(agent) if agent.sentinel => Standing::Sentinel,
        Some(agent) if agent.retired_at.is_some() => Standing::Retired,
        Some(agent) => match agent.retiring_until {
            Some(until) => Standing::Retiring(until),
            None => Standing::Live(Box::new(agent)),
        },
    }
}

/// The refusal of what a retired agent asks for.
pub(crate) fn gone(id: &AgentId) -> Error {
    let message = format!("agent `{id}` is retired; stop it, and enrol a new one if the host is still in use");
    Error::new(ErrorKind::Gone, "agent_retired", message)
}
