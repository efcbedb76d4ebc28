//! CA keys at rest: made once, sealed, the same after every restart.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::{PublicUrl, own_key};
use crate::connector::{Authorities, Authority, AuthorityOrigin, AuthorityRequest, ConnectorError, Published};
use crate::domain::{
    ActorType, AuditAction, AuditEvent, AuditEventId, AuthorityId, AuthorityRecord, AuthorityState, Chain, EngineKey,
    EngineKeyId, EngineKeyPurpose, IntermediateCa, IntermediateCaState, Recorded, Serial, Timestamp,
};
use crate::entity::Record;
use crate::pki;
use crate::pki::certificate::DistinguishedName;
use crate::pki::lint::Scope;
use crate::ports::{GeneratedKey, Ports};
use crate::seal::Sealer;
use crate::storage::{ApplyError, Query, Storage, StorageError, UnitOfWork};

/// Room for clocks that are behind.
const BACKDATE: std::time::Duration = std::time::Duration::from_secs(300);

pub(super) struct StoredAuthorities {
    storage: Arc<dyn Storage>,
    ports: Ports,
    sealer: Sealer,
    public_url: Option<PublicUrl>,
}

impl StoredAuthorities {
    pub(super) fn new(storage: Arc<dyn Storage>, ports: Ports, sealer: Sealer, public_url: Option<PublicUrl>) -> Self {
        Self { storage, ports, sealer, public_url }
    }

    /// Opens an authority as it is stored, also one that was superseded.
    ///
    /// # Errors
    /// When its key is gone or cannot be opened; the store's.
    pub(super) async fn reopen(&self, record: &AuthorityRecord) -> Result<Authority, ConnectorError> {
        let unit = UnitOfWork::begin(&self.storage).await.map_err(store)?;
        self.unsealed(&unit, record).await
    }

    /// Where the world finds it.
    pub(super) fn published(&self, id: &AuthorityId, owner: &str) -> Published {
        self.public_url.as_ref().map(|url| url.published(id, owner)).unwrap_or_default()
    }

    async fn stored(&self, unit: &UnitOfWork, owner: &str) -> Result<Option<Record<AuthorityRecord>>, ConnectorError> {
        let fields = AuthorityRecord::FIELDS;
        let query =
            Query::all().filter(fields.owner.equals(owner.into())).filter(fields.state.equals(AuthorityState::Active));
        unit.first(query).await.map_err(store)
    }

    async fn unsealed(&self, unit: &UnitOfWork, record: &AuthorityRecord) -> Result<Authority, ConnectorError> {
        let key = unit.peek::<EngineKey>(record.key_id.as_str()).await.map_err(store)?;
        let key =
            key.ok_or_else(|| ConnectorError::permanent(format!("the key of authority {} is gone", record.id)))?;
        let signer = own_key::open(&self.sealer, &*self.ports.keys, &key).await.map_err(permanent)?;
        let published = self.published(&record.id, &record.owner);
        Ok(Authority { id: record.id.clone(), chain: record.chain.clone(), signer, published })
    }

    /// An intermediate CA at work.
    async fn intermediate(&self, unit: &UnitOfWork, id: &str, issuer_id: &str) -> Result<Authority, ConnectorError> {
        let found = unit.peek::<IntermediateCa>(id).await.map_err(store)?;
        let found = found.filter(|intermediate| intermediate.issuer_id.as_str() == issuer_id).ok_or_else(|| {
            ConnectorError::permanent(format!(
                "issuer `{issuer_id}` has no intermediate CA `{id}`; name one of its own"
            ))
        })?;
        if found.state != IntermediateCaState::Active {
            let message = format!("intermediate CA `{id}` is {}; let another one sign", found.state);
            return Err(ConnectorError::permanent(message));
        }
        if found.authority_id.is_none() {
            let message = format!("the key of intermediate CA `{id}` is not kept here; let another one sign");
            return Err(ConnectorError::permanent(message));
        }
        let record = self.stored(unit, id).await?;
        let record = record.ok_or_else(|| ConnectorError::permanent(format!("the certificate of `{id}` is gone")))?;
        self.unsealed(unit, &record).await
    }

    /// The chain and key of a new authority.
    async fn made(&self, origin: &AuthorityOrigin, now: Timestamp) -> Result<(Chain, GeneratedKey), ConnectorError> {
        match origin {
            AuthorityOrigin::SelfSigned { common_name, algorithm, validity } => {
                let keys = self.ports.keys.clone();
                let key = keys.generate(*algorithm, &*self.ports.rng).await.map_err(permanent)?;
                let request = pki::certificate::AuthorityRequest {
                    subject: DistinguishedName { common_name: common_name.clone(), ..DistinguishedName::default() },
                    spki: key.signer.public_key().to_vec(),
                    serial: Serial::random(&*self.ports.rng),
                    not_before: now - BACKDATE,
                    not_after: now + *validity,
                    path_length: None,
                    crl_urls: Vec::new(),
                    ocsp_urls: Vec::new(),
                    ca_issuer_urls: Vec::new(),
                };
                let unsigned = pki::certificate::root(&request).map_err(permanent)?;
                let signed = unsigned.lint_and_sign(Scope::Always, &*key.signer).await;
                let der = signed.map_err(permanent)?;
                let chain = Chain::from_der(vec![der]).map_err(permanent)?;
                Ok((chain, key))
            }
            AuthorityOrigin::Provided { chain_pem, key_pem } => {
                let chain = Chain::from_pem(chain_pem).map_err(permanent)?;
                let pkcs8 = pki::private_key::from_pem(key_pem.expose()).map_err(permanent)?;
                let signer = self.ports.keys.open(&pkcs8).await.map_err(permanent)?;
                // Stored with another CA's key it would be found again by its certificate, whatever key is given later.
                let facts = pki::certificate::parse(chain.leaf()).map_err(permanent)?;
                if !pki::key::are_same(&facts.spki, signer.public_key()) {
                    return Err(ConnectorError::permanent(
                        "the CA key does not belong to the CA certificate; configure the two that belong together",
                    ));
                }
                Ok((chain, GeneratedKey { signer, pkcs8 }))
            }
            AuthorityOrigin::Intermediate { .. } => {
                Err(ConnectorError::permanent("an intermediate CA is made by itself"))
            }
        }
    }

    /// Stores a new authority, superseding `before`.
    async fn keep(
        &self,
        mut unit: UnitOfWork,
        request: &AuthorityRequest,
        before: Option<Record<AuthorityRecord>>,
    ) -> Result<Result<Authority, ApplyError>, ConnectorError> {
        let now = unit.now();
        let (chain, key) = self.made(&request.origin, now).await?;
        let (clock, rng) = (&*self.ports.clock, &*self.ports.rng);
        let (id, key_id) = (AuthorityId::generate(clock, rng), EngineKeyId::generate(clock, rng));
        let sealed = own_key::seal(&self.sealer, (key_id.clone(), EngineKeyPurpose::Authority), &key, now);
        unit.insert(sealed.map_err(permanent)?);
        if let Some(mut before) = before {
            before.state = AuthorityState::Superseded;
            unit.update(before);
        }
        unit.insert(AuthorityRecord {
            id: id.clone(),
            owner: request.owner.clone(),
            chain: chain.clone(),
            key_id,
            state: AuthorityState::Active,
            created_at: now,
        });
        unit.append(AuditEvent::new(Recorded {
            id: AuditEventId::generate(clock, rng),
            actor: "system".into(),
            actor_type: ActorType::System,
            action: AuditAction::AuthorityCreated,
            resource_type: "authority".into(),
            resource_id: id.to_string(),
            details: json!({ "owner": request.owner, "fingerprint_sha256": chain.fingerprint() }),
            timestamp: now,
        }));
        let published = self.published(&id, &request.owner);
        Ok(unit.commit().await.map(|_| Authority { id, chain, signer: key.signer, published }))
    }
}

#[async_trait]
impl Authorities for StoredAuthorities {
    async fn open(&self, request: &AuthorityRequest) -> Result<Authority, ConnectorError> {
        for _ in 0..3 {
            let unit = UnitOfWork::begin(&self.storage).await.map_err(store)?;
            if let AuthorityOrigin::Intermediate { issuer_id } = &request.origin {
                return self.intermediate(&unit, &request.owner, issuer_id).await;
            }
            let stored = self.stored(&unit, &request.owner).await?;
            if let Some(record) = &stored
                && serves(record, &request.origin)
            {
                return self.unsealed(&unit, record).await;
            }
            match self.keep(unit, request, stored).await? {
                Ok(authority) => return Ok(authority),
                // Somebody else made it at the same moment: theirs is it.
                Err(ApplyError::Conflict { .. } | ApplyError::Stale { .. }) => {}
                Err(ApplyError::Storage(error)) => return Err(store(error)),
                Err(error) => return Err(ConnectorError::permanent(error.to_string())),
            }
        }
        Err(ConnectorError::transient("the authority is being made by somebody else; try again"))
    }
}

/// Whether the stored authority is the one that is asked for.
fn serves(record: &AuthorityRecord, origin: &AuthorityOrigin) -> bool {
    match origin {
        AuthorityOrigin::SelfSigned { .. } | AuthorityOrigin::Intermediate { .. } => true,
        AuthorityOrigin::Provided { chain_pem, .. } => {
            Chain::from_pem(chain_pem).is_ok_and(|chain| chain.leaf() == record.chain.leaf())
        }
    }
}

fn store(error: StorageError) -> ConnectorError {
    ConnectorError::transient("the store cannot be read or written").because(error)
}

/// It will be the same tomorrow.
fn permanent(error: impl std::fmt::Display) -> ConnectorError {
    ConnectorError::permanent(error.to_string())
}

#[cfg(test)]
mod tests;
