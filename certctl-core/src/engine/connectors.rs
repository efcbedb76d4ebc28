//! Live issuers, built once per stored configuration.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::kept::StoredFor;
use super::{Engine, lock};
use crate::connector::layer::Layers;
use crate::connector::{ConnectorContext, ConnectorError, Issuer};
use crate::domain::{IssuerId, IssuerRecord, TargetRecord};
use crate::error::Error;
use crate::seal::SealError;

/// What issuer configurations are sealed for.
const ISSUER_CONFIG: &str = "issuer-config";
/// What target configurations are sealed for.
const TARGET_CONFIG: &str = "target-config";
/// What the steps of jobs are sealed for.
const JOB_STEP: &str = "job-step";

/// Issuers by id, with what they were built from.
#[derive(Default)]
pub(crate) struct IssuerCache(Mutex<BTreeMap<IssuerId, Built>>);

struct Built {
    kind: String,
    /// Each sealing differs, so equal ones are the same configuration, also where an issuer was deleted and made again.
    sealed_config: Vec<u8>,
    live: Arc<dyn Issuer>,
}

impl Engine {
    /// The live issuer of a stored record. Rebuilt when its configuration changed, and only then: neither another issuer's
    /// change nor a new name or a connection test of its own costs what it remembers.
    pub(crate) fn issuer(&self, record: &IssuerRecord) -> Result<Arc<dyn Issuer>, ConnectorError> {
        if let Some(built) = lock(&self.0.issuers.0).get(&record.id)
            && (&built.kind, &built.sealed_config) == (&record.kind, &record.sealed_config)
        {
            return Ok(Arc::clone(&built.live));
        }
        let config = self.issuer_config(record).map_err(|error| ConnectorError::permanent(error.to_string()))?;
        let live = self.build_issuer(record.id.as_str(), &record.kind, &config)?;
        let (kind, sealed_config) = (record.kind.clone(), record.sealed_config.clone());
        let built = Built { kind, sealed_config, live: Arc::clone(&live) };
        lock(&self.0.issuers.0).insert(record.id.clone(), built);
        Ok(live)
    }

    pub(crate) fn build_issuer(&self, id: &str, kind: &str, config: &Value) -> Result<Arc<dyn Issuer>, ConnectorError> {
        let entry = self.registry().find_issuer(kind).map_err(|error| ConnectorError::permanent(error.to_string()))?;
        let built = entry.build(config, &self.connector_context(id))?;
        Ok(self.layers().issuer(entry.info.kind, id, built))
    }

    /// What lies around every connector of this engine.
    fn layers(&self) -> Layers {
        Layers::new(self.cadence().connectors.clone(), self.ports().clock.clone())
    }

    pub(crate) fn connector_context(&self, id: &str) -> ConnectorContext {
        let kept = Arc::new(StoredFor::new(self.storage().clone(), self.sealer().clone(), id));
        ConnectorContext {
            id: id.into(),
            ports: self.ports().clone(),
            authorities: self.0.authorities.clone(),
            state: kept.clone(),
            challenges: kept,
        }
    }

    pub(crate) fn issuer_config(&self, record: &IssuerRecord) -> Result<Value, SealError> {
        self.open_json(ISSUER_CONFIG, record.id.as_str(), &record.sealed_config)
    }
    pub(crate) fn seal_issuer_config(&self, id: &str, config: &Value) -> Result<Vec<u8>, Error> {
        self.seal_json(ISSUER_CONFIG, id, config)
    }
    pub(crate) fn target_config(&self, record: &TargetRecord) -> Result<Value, SealError> {
        self.open_json(TARGET_CONFIG, record.id.as_str(), &record.sealed_config)
    }
    pub(crate) fn seal_target_config(&self, id: &str, config: &Value) -> Result<Vec<u8>, Error> {
        self.seal_json(TARGET_CONFIG, id, config)
    }
    pub(crate) fn seal_step(&self, job: &str, step: &Value) -> Result<Vec<u8>, Error> {
        self.seal_json(JOB_STEP, job, step)
    }
    pub(crate) fn open_step(&self, job: &str, sealed: &[u8]) -> Result<Value, SealError> {
        self.open_json(JOB_STEP, job, sealed)
    }

    fn seal_json(&self, purpose: &str, id: &str, value: &Value) -> Result<Vec<u8>, Error> {
        let plain = zeroize::Zeroizing::new(value.to_string());
        self.sealer().seal(purpose, id, plain.as_bytes()).map_err(Error::internal)
    }
    fn open_json(&self, purpose: &str, id: &str, sealed: &[u8]) -> Result<Value, SealError> {
        let plain = self.sealer().open(purpose, id, sealed)?;
        serde_json::from_slice(&plain).map_err(|_| SealError::Tampered)
    }
}

#[cfg(all(test, feature = "testing"))]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]
mod tests {
    use super::*;
    use crate::connector::Registry;
    use crate::domain::{ConfigSource, Principal, SCHEMAS};
    use crate::engine::{IssuerConfig, SetupSecret};
    use crate::ops::issuer::{Create, Delete, Get, Test, Update};
    use crate::seal::SealingKey;
    use crate::storage::MemoryStorage;
    use crate::testing::{FakePorts, ScriptedCa, ScriptedIssuer, block_on};
    use serde_json::json;

    fn me() -> Principal {
        Principal::embedder("test")
    }

    async fn engine() -> Engine {
        let fakes = FakePorts::seeded(1);
        let ports = fakes.ports();
        ScriptedCa::new(1, ports.clock.now()).attach(&fakes.http);
        let storage = Arc::new(MemoryStorage::new(SCHEMAS, ports.clock.clone()));
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
        let registry = Registry::new().issuer::<ScriptedIssuer>();
        let engine = Engine::builder(storage, ports, secret).connectors(registry).build().await.unwrap();
        for id in ["iss-a", "iss-b"] {
            engine.execute(&me(), create(id)).await.unwrap();
        }
        engine
    }

    fn create(id: &str) -> Create {
        let (id, name) = (IssuerId::parse(id).unwrap(), id.to_owned());
        Create { id: Some(id), name, kind: "Scripted".into(), config: serde_json::json!({}), enabled: true }
    }

    async fn live(engine: &Engine, id: &str) -> Arc<dyn Issuer> {
        let record = engine.execute(&me(), Get { id: IssuerId::parse(id).unwrap() }).await.unwrap();
        engine.issuer(&record).unwrap()
    }

    #[test]
    fn an_issuer_of_the_configuration_is_made_once_and_then_left_alone() {
        block_on(async {
            let fakes = FakePorts::seeded(1);
            let ports = fakes.ports();
            let storage = Arc::new(MemoryStorage::new(SCHEMAS, ports.clock.clone()));
            let start = async |id: &str, kind: &str, config: Value| {
                let id = IssuerId::parse(id).unwrap();
                let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
                Engine::builder(storage.clone(), ports.clone(), secret)
                    .connectors(Registry::new().issuer::<ScriptedIssuer>())
                    .issuer(IssuerConfig { id, kind: kind.into(), config })
                    .build()
                    .await
            };
            for (id, kind, config) in [
                ("iss-env", "Scripted", json!({ "url": "no" })),
                ("iss-env", "Scribbled", json!({})),
                // The control plane's own authority is no issuer.
                ("system", "Scripted", json!({})),
            ] {
                let refused = start(id, kind, config).await.err().unwrap();
                assert!(refused.message().contains(id), "{refused}");
            }
            let engine = start("iss-env", "Scripted", json!({})).await.unwrap();
            let id = IssuerId::parse("iss-env").unwrap();
            let made = engine.execute(&me(), Get { id: id.clone() }).await.unwrap();
            assert_eq!((made.source, made.enabled), (ConfigSource::Environment, true));
            let change = Update { id: id.clone(), name: Some("ours".into()), config: None, enabled: None };
            engine.execute(&me(), change).await.unwrap();
            drop(engine);
            let engine = start("iss-env", "Scripted", json!({ "immediate": true })).await.unwrap();
            let kept = engine.execute(&me(), Get { id }).await.unwrap();
            assert_eq!((kept.name.as_str(), kept.shown_config.0.get("immediate")), ("ours", None));
        });
    }

    #[test]
    fn a_change_rebuilds_the_issuer_it_is_about_and_no_other() {
        block_on(async {
            let engine = engine().await;
            let id = IssuerId::parse("iss-a").unwrap();
            let (a, b) = (live(&engine, "iss-a").await, live(&engine, "iss-b").await);
            let change = |name, config| Update { id: id.clone(), name, config, enabled: None };
            engine.execute(&me(), change(Some("renamed".into()), None)).await.unwrap();
            assert!(engine.execute(&me(), Test { id: id.clone() }).await.unwrap().passed);
            assert!(Arc::ptr_eq(&a, &live(&engine, "iss-a").await), "neither a name nor a test is a configuration");
            engine.execute(&me(), change(None, Some(serde_json::json!({ "immediate": true })))).await.unwrap();
            let changed = live(&engine, "iss-a").await;
            assert_ne!(a.capabilities().pace, changed.capabilities().pace);
            engine.execute(&me(), Delete { id: id.clone() }).await.unwrap();
            engine.execute(&me(), create("iss-a")).await.unwrap();
            assert_eq!(live(&engine, "iss-a").await.capabilities().pace, a.capabilities().pace);
            assert!(Arc::ptr_eq(&b, &live(&engine, "iss-b").await), "nothing happened to this one");
        });
    }
}
