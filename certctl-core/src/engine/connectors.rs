//! Live issuers, built once per stored version of their configuration.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::{Engine, lock};
use crate::connector::layer::Layers;
use crate::connector::{ConnectorContext, ConnectorError, Issuer};
use crate::domain::{IssuerId, IssuerRecord, TargetRecord};
use crate::entity::Record;
use crate::error::Error;
use crate::seal::SealError;

/// What issuer configurations are sealed for.
const ISSUER_CONFIG: &str = "issuer-config";
/// What target configurations are sealed for.
const TARGET_CONFIG: &str = "target-config";
/// What the steps of jobs are sealed for.
const JOB_STEP: &str = "job-step";

/// Issuers by id, with the version of the record they were built from.
#[derive(Default)]
pub(crate) struct IssuerCache(Mutex<BTreeMap<IssuerId, Built>>);

type Built = (i64, Arc<dyn Issuer>);

impl Engine {
    /// The live issuer of a stored record. Rebuilt when the record changed, and only then: another issuer's change does
    /// not touch it.
    pub(crate) fn issuer(&self, record: &Record<IssuerRecord>) -> Result<Arc<dyn Issuer>, ConnectorError> {
        let cached = lock(&self.0.issuers.0).get(&record.id).cloned();
        if let Some((version, issuer)) = cached
            && version == record.version()
        {
            return Ok(issuer);
        }
        let config = self.issuer_config(record).map_err(|error| ConnectorError::permanent(error.to_string()))?;
        let issuer = self.build_issuer(record.id.as_str(), &record.kind, &config)?;
        lock(&self.0.issuers.0).insert(record.id.clone(), (record.version(), issuer.clone()));
        Ok(issuer)
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
        ConnectorContext { id: id.into(), ports: self.ports().clone(), authorities: self.0.authorities.clone() }
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
