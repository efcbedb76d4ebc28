//! Notes which agents went silent: three heartbeats are missing. An agent that was never heard of is not up yet, not down.

use std::time::Duration;

use serde_json::json;

use crate::domain::{Agent, AuditAction, Principal, Timestamp};
use crate::engine::Engine;
use crate::error::Error;
use crate::ops::context::audit_event;
use crate::storage::{ApplyError, Query, UnitOfWork, View};

/// Notes them, each in its own commit; gives how many.
pub(crate) async fn sweep(engine: &Engine) -> Result<usize, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let found = view.list(silent(view.now() - Agent::SILENCE).limit(engine.cadence().sweep_batch)).await?;
    drop(view);
    let mut noted = 0;
    for agent in found.records {
        if note(engine, &agent).await? {
            noted += 1;
        }
    }
    Ok(noted)
}

/// When the first of those who are heard of would be silent for too long, from now.
pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let first = view.first(silent(Timestamp(Timestamp::NEVER.0 - 1))).await?;
    let after = Agent::SILENCE + Duration::from_micros(1);
    Ok(first.map(|agent| (agent.last_heartbeat_at + after).since(view.now())))
}

fn silent(before: Timestamp) -> Query<Agent> {
    let fields = Agent::FIELDS;
    Query::sorted(fields.last_heartbeat_at.ascending())
        .filter(fields.retired_at.is_null())
        .filter(fields.offline_since.is_null())
        .filter(fields.sentinel.equals(false))
        .filter(fields.last_heartbeat_at.at_least(Timestamp(1)))
        .filter(fields.last_heartbeat_at.below(before))
}

async fn note(engine: &Engine, found: &Agent) -> Result<bool, Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let now = unit.now();
    let Some(mut agent) = unit.get::<Agent>(found.id.as_str()).await? else { return Ok(false) };
    if agent.retired_at.is_some() || agent.offline_since.is_some() || !agent.is_silent(now) {
        return Ok(false);
    }
    agent.offline_since = Some(now);
    let details = json!({ "name": agent.name, "last_heartbeat_at": agent.last_heartbeat_at });
    let about = ("agent", agent.id.as_str());
    let event = audit_event(engine, &Principal::system(), now, AuditAction::AgentOffline, about, details);
    unit.append(event);
    unit.update(agent);
    match engine.commit(unit).await {
        Ok(()) => Ok(true),
        // It was heard of at this very moment.
        Err(ApplyError::Stale { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
