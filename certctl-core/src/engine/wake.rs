//! Which commits concern the loops: those that bring something due before the loops would look anyway.

use crate::domain::{Certificate, Job, Notification, Timestamp};
use crate::entity::{Entity, Row, Schema, Value};
use crate::storage::{Changes, Leased};

/// Whether the changes hold something that is due by `horizon`, which is when the loops look at the latest.
///
/// Waking them for every commit would cost each issuance as many statements again as it needs itself.
pub(super) fn concerns_loops(changes: &Changes, horizon: Timestamp) -> bool {
    changes.tables().any(|table| {
        let schema = table.schema;
        table.inserts.iter().chain(table.updates.iter().map(|update| &update.row)).any(|row| {
            if schema.table == Certificate::SCHEMA.table {
                due(schema, row, "renew_at", horizon) || due(schema, row, "alert_at", horizon)
            } else if schema.table == Job::SCHEMA.table {
                // Agents ask for theirs.
                let agents = text(schema, row, "partition").is_some_and(|partition| partition.starts_with("agent:"));
                let waits = |state: &str| Job::OPEN.contains(&state) || Job::WAITING.contains(&state);
                !agents && text(schema, row, "state").is_some_and(waits) && due(schema, row, "due_at", horizon)
            } else {
                schema.table == Notification::SCHEMA.table && due(schema, row, "due_at", horizon)
            }
        })
    })
}

fn text<'a>(schema: &Schema, row: &'a Row, column: &str) -> Option<&'a str> {
    row.values.get(schema.position(column)?)?.as_text()
}

fn due(schema: &Schema, row: &Row, column: &str, horizon: Timestamp) -> bool {
    let cell = schema.position(column).and_then(|position| row.values.get(position));
    matches!(cell, Some(Value::Integer(at)) if *at <= horizon.0)
}
