//! What a fresh store holds.

use serde_json::json;

use super::context::audit_event;
use crate::connector::secret;
use crate::domain::{
    Agent, AgentId, AuditAction, ConfigSource, ExtendedKeyUsage, IssuerId, IssuerRecord, KeyFamily, KeyRule, Owner,
    OwnerId, Principal, Profile, ProfileId, RenewalPolicy, RenewalPolicyId, Team, TeamId, TestStatus, Timestamp,
};
use crate::engine::Engine;
use crate::entity::Json;
use crate::error::Error;
use crate::storage::{ApplyError, UnitOfWork};

const LOCAL_KIND: &str = "GenericCA";

/// Writes the defaults into a store that has none: one set of changes, so that a store has all of them or none.
pub(crate) async fn seed(engine: &Engine) -> Result<(), Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    if unit.peek::<RenewalPolicy>(RenewalPolicy::DEFAULT_ID).await?.is_some() {
        return Ok(());
    }
    let now = unit.now();
    ownership(&mut unit, now);
    rules(&mut unit, now)?;
    for id in Agent::SENTINELS {
        unit.insert(sentinel(id, now)?);
    }
    if let Ok(entry) = engine.registry().find_issuer(LOCAL_KIND) {
        let (id, config) = (IssuerId::default(), json!({}));
        unit.insert(IssuerRecord {
            name: id.to_string(),
            kind: entry.info.kind.into(),
            shown_config: Json(secret::redact(&entry.info.schema, &config)),
            sealed_config: engine.seal_issuer_config(id.as_str(), &config)?,
            enabled: true,
            test_status: TestStatus::Untested,
            last_tested_at: None,
            source: ConfigSource::Environment,
            created_at: now,
            updated_at: now,
            id,
        });
    }
    let system = Principal::system();
    unit.append(audit_event(engine, &system, now, AuditAction::StoreInitialized, ("store", "defaults"), json!({})));
    match unit.commit().await {
        // Somebody else started at the same moment and wrote the same.
        Ok(_) | Err(ApplyError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn ownership(unit: &mut UnitOfWork, now: Timestamp) {
    let team_id = TeamId::default();
    unit.insert(Team {
        id: team_id.clone(),
        name: "default".into(),
        description: "Certificates that no other team answers for".into(),
        created_at: now,
        updated_at: now,
    });
    unit.insert(Owner {
        id: OwnerId::default(),
        name: "default".into(),
        email: "root@localhost".into(),
        team_id,
        created_at: now,
        updated_at: now,
    });
}

fn rules(unit: &mut UnitOfWork, now: Timestamp) -> Result<(), Error> {
    unit.insert(RenewalPolicy {
        id: RenewalPolicyId::default(),
        name: "default".into(),
        renewal_window_days: 0,
        auto_renew: true,
        max_retries: 3,
        retry_interval_seconds: 300,
        alert_thresholds_days: Json(vec![30, 14, 7, 0]),
        alert_severity_map: Json::default(),
        alert_channels: Json::default(),
        freeze_windows: Json(Vec::new()),
        fallback_issuer_ids: Json(Vec::new()),
        deployment_waves: None,
        created_at: now,
        updated_at: now,
    });
    let rule = |algorithm, min_size| KeyRule { algorithm, min_size };
    unit.insert(Profile {
        id: ProfileId::parse(Profile::DEFAULT_ID).map_err(Error::internal)?,
        name: "default".into(),
        description: "TLS servers and clients, 90 days".into(),
        allowed_key_algorithms: Json(vec![
            rule(KeyFamily::Ecdsa, 256),
            rule(KeyFamily::Rsa, 2048),
            rule(KeyFamily::Ed25519, 256),
        ]),
        max_ttl_seconds: 90 * 86_400,
        allowed_ekus: Json(vec![ExtendedKeyUsage::ServerAuth, ExtendedKeyUsage::ClientAuth]),
        required_san_patterns: Json(Vec::new()),
        spiffe_uri_pattern: String::new(),
        allow_short_lived: false,
        must_staple: false,
        requires_approval: false,
        enabled: true,
        created_at: now,
        updated_at: now,
    });
    Ok(())
}

fn sentinel(id: &str, now: Timestamp) -> Result<Agent, Error> {
    Ok(Agent {
        id: AgentId::parse(id).map_err(Error::internal)?,
        name: id.into(),
        hostname: String::new(),
        os: String::new(),
        architecture: String::new(),
        ip_address: String::new(),
        version: String::new(),
        target_kinds: Json(Vec::new()),
        credential_hash: None,
        sentinel: true,
        last_heartbeat_at: now,
        registered_at: now,
        offline_since: None,
        retired_at: None,
        retired_reason: None,
        retiring_until: None,
        updated_at: now,
    })
}
