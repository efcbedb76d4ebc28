//! Issuers that the server's configuration names.

use serde_json::{Value, json};

use super::create::check_id;
use crate::connector::secret;
use crate::domain::{AuditAction, ConfigSource, IssuerId, IssuerRecord, Principal, TestStatus};
use crate::engine::{Engine, IssuerConfig};
use crate::entity::Json;
use crate::error::Error;
use crate::ops::context::audit_event;
use crate::storage::{ApplyError, UnitOfWork};

/// Makes those that there are not. One that there is stays as it is, whoever made it: it may have been changed since.
///
/// # Errors
/// A kind that is not compiled in; a configuration that cannot be used; the store's.
pub(crate) async fn configure(engine: &Engine, issuers: &[IssuerConfig]) -> Result<(), Error> {
    for IssuerConfig { id, kind, config } in issuers {
        let wrong = |why: String| Error::invalid(format!("issuer `{id}` of the server's configuration: {why}"));
        let entry = engine.registry().find_issuer(kind).map_err(|error| wrong(error.to_string()))?;
        entry.validate(config).map_err(|error| wrong(error.to_string()))?;
        check_id(id.as_str()).map_err(|error| wrong(error.message().to_owned()))?;
        let mut unit = UnitOfWork::begin(engine.storage()).await?;
        if unit.peek::<IssuerRecord>(id.as_str()).await?.is_some() {
            continue;
        }
        let record = record(engine, id, entry.info.kind, (config, secret::redact(&entry.info.schema, config)), &unit)?;
        let details = json!({ "name": record.name, "type": record.kind });
        let about = ("issuer", id.as_str());
        unit.append(audit_event(engine, &Principal::system(), unit.now(), AuditAction::IssuerCreated, about, details));
        unit.insert(record);
        match unit.commit().await {
            // Somebody else started at the same moment and made the same.
            Ok(_) | Err(ApplyError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn record(
    engine: &Engine,
    id: &IssuerId,
    kind: &str,
    (config, shown): (&Value, Value),
    unit: &UnitOfWork,
) -> Result<IssuerRecord, Error> {
    let now = unit.now();
    Ok(IssuerRecord {
        id: id.clone(),
        name: id.to_string(),
        kind: kind.into(),
        shown_config: Json(shown),
        sealed_config: engine.seal_issuer_config(id.as_str(), config)?,
        enabled: true,
        test_status: TestStatus::Untested,
        last_tested_at: None,
        source: ConfigSource::Environment,
        created_at: now,
        updated_at: now,
    })
}
