//! Records the calls that read, many in one event.

use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::{AuditAction, Principal, Role};
use crate::engine::Engine;
use crate::error::Error;
use crate::ops::context::audit_event;
use crate::storage::UnitOfWork;

/// Different reads in one event.
const IN_ONE: usize = 200;

/// Records what was noted, if it is time; gives how many events.
pub(crate) async fn sweep(engine: &Engine) -> Result<usize, Error> {
    if next_due(engine) != Some(Duration::ZERO) {
        return Ok(0);
    }
    record(engine).await
}

/// When there is something to record, from now.
pub(crate) fn next_due(engine: &Engine) -> Option<Duration> {
    if engine.reads().is_empty() {
        return None;
    }
    Some(engine.reads_due())
}

/// Records what was noted.
pub(crate) async fn record(engine: &Engine) -> Result<usize, Error> {
    engine.reads_recorded();
    let taken = engine.reads().take();
    let mut unit = match UnitOfWork::begin(engine.storage()).await {
        Ok(unit) => unit,
        Err(error) => {
            engine.reads().put_back(taken);
            return Err(error.into());
        }
    };
    let mut events = 0;
    for (reader, reads) in &taken {
        let (id, name, agent) = (reader.id.clone(), reader.id.clone(), None);
        let principal = Principal { id, name, role: Role::Viewer, agent, actor_type: reader.actor_type, call: None };
        let reads: Vec<Value> = reads
            .iter()
            .map(|((operation, subject), count)| match subject {
                Some(subject) => json!({ "operation": operation, "resource_id": subject, "count": count }),
                None => json!({ "operation": operation, "count": count }),
            })
            .collect();
        for part in reads.chunks(IN_ONE) {
            let details = json!({ "reads": part });
            let about = ("api", "reads");
            unit.append(audit_event(engine, &principal, unit.now(), AuditAction::ApiRead, about, details));
            events += 1;
        }
    }
    if let Err(error) = engine.commit(unit).await {
        engine.reads().put_back(taken);
        return Err(error.into());
    }
    Ok(events)
}
