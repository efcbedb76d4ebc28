//! The key that signs checkpoints of the audit trail: made once, sealed at rest, the same after every restart.

use std::sync::Arc;

use serde_json::json;

use super::Engine;
use crate::domain::{AuditAction, EngineKey, EngineKeyId, EngineKeyPurpose, KeyAlgorithm, Principal};
use crate::error::{Error, ErrorKind};
use crate::ops::context::audit_event;
use crate::ports::Signer;
use crate::storage::{ApplyError, UnitOfWork};

/// There is one, so that two engines that start at once make one.
const ID: &str = "ek-audit-checkpoints";

impl Engine {
    /// The key, made if there is none.
    pub(crate) async fn checkpoint_key(&self) -> Result<Arc<dyn Signer>, Error> {
        if let Some(signer) = self.trail().signer() {
            return Ok(signer);
        }
        for _ in 0..3 {
            let unit = UnitOfWork::begin(self.storage()).await?;
            if let Some(key) = unit.peek::<EngineKey>(ID).await? {
                let signer = self.open_key(&key).await?;
                self.trail().keep_signer(&signer);
                return Ok(signer);
            }
            match self.make_checkpoint_key(unit).await? {
                Ok(()) | Err(ApplyError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let message = "the key that signs checkpoints of the audit trail is being made by somebody else; try again";
        Err(Error::new(ErrorKind::Unavailable, "unavailable", message))
    }

    async fn make_checkpoint_key(&self, mut unit: UnitOfWork) -> Result<Result<(), ApplyError>, Error> {
        let made = self.ports().keys.generate(KeyAlgorithm::Ed25519, &*self.ports().rng).await;
        let made = made.map_err(Error::internal)?;
        let (id, now) = (EngineKeyId::parse(ID).map_err(Error::internal)?, unit.now());
        unit.insert(self.seal_key((id, EngineKeyPurpose::AuditCheckpoint), &made, now)?);
        let (system, about) = (Principal::system(), ("engine_key", ID));
        unit.append(audit_event(self, &system, now, AuditAction::CheckpointKeyCreated, about, json!({})));
        Ok(self.commit(unit).await)
    }
}
