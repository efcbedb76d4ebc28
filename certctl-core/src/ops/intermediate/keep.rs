//! Storing an intermediate CA, with its key where that is kept here.

use serde_json::json;

use crate::domain::{
    AuditAction, AuthorityId, AuthorityRecord, AuthorityState, CaKeyAlgorithm, Chain, EngineKeyId, EngineKeyPurpose,
    IntermediateCa, IntermediateCaId, IntermediateCaState, IssuerId, IssuerRecord, NameConstraints,
};
use crate::entity::{Json, Record};
use crate::error::Error;
use crate::ops::{Context, issuer};
use crate::pki::certificate;
use crate::ports::GeneratedKey;

/// A CA that an issuer is to have.
pub(super) struct New {
    pub(super) issuer_id: IssuerId,
    /// Kept when given.
    pub(super) id: Option<IntermediateCaId>,
    /// The one right above it, where that is an intermediate CA of the issuer.
    pub(super) parent: Option<Record<IntermediateCa>>,
    pub(super) name: String,
    pub(super) chain: Chain,
    pub(super) key: Option<GeneratedKey>,
    pub(super) key_algorithm: CaKeyAlgorithm,
    pub(super) path_length: Option<i64>,
    pub(super) name_constraints: NameConstraints,
    /// Which event tells of it.
    pub(super) action: AuditAction,
}

/// Records it in the unit, with its event.
///
/// # Errors
/// Where another authority has its id; when the key cannot be sealed; the store's.
pub(super) async fn keep(cx: &mut Context<'_>, new: New) -> Result<IntermediateCa, Error> {
    let now = cx.now();
    let facts = certificate::parse(new.chain.leaf()).map_err(Error::internal)?;
    let id = match new.id {
        Some(id) => id,
        None => IntermediateCaId::generate(&*cx.ports().clock, &*cx.ports().rng),
    };
    // Authorities go by the ids of those that they belong to.
    issuer::check_id(id.as_str())?;
    if cx.unit.peek::<IssuerRecord>(id.as_str()).await?.is_some() {
        return Err(Error::conflict("already_exists", format!("there is an issuer `{id}`; choose another id")));
    }
    let authority_id = new.key.as_ref().map(|key| authority(cx, &id, &new.chain, key)).transpose()?;
    let parent_id = new.parent.as_ref().map(|parent| parent.id.clone());
    let intermediate = IntermediateCa {
        id: id.clone(),
        issuer_id: new.issuer_id,
        parent_id,
        name: new.name,
        subject: facts.subject,
        state: IntermediateCaState::Active,
        authority_id,
        chain: new.chain,
        serial_number: facts.serial,
        fingerprint_sha256: facts.fingerprint,
        key_algorithm: new.key_algorithm,
        not_before: facts.not_before,
        not_after: facts.not_after,
        path_length: new.path_length,
        name_constraints: Json(new.name_constraints),
        revoked_at: None,
        revocation_reason: None,
        created_at: now,
        updated_at: now,
    };
    if let Some(mut above) = new.parent {
        // Whoever retires it at this moment must look again who stands below it.
        above.updated_at = now;
        cx.unit.update(above);
    }
    let details = json!({
        "issuer_id": intermediate.issuer_id, "parent_id": intermediate.parent_id, "name": intermediate.name,
        "fingerprint_sha256": intermediate.fingerprint_sha256, "not_after": intermediate.not_after,
        "key_is_kept": intermediate.authority_id.is_some(),
    });
    cx.unit.insert(intermediate.clone());
    cx.audit(new.action, ("intermediate_ca", id.as_str()), details);
    Ok(intermediate)
}

/// Records its key, sealed, and the authority that signs with it.
fn authority(
    cx: &mut Context<'_>,
    owner: &IntermediateCaId,
    chain: &Chain,
    key: &GeneratedKey,
) -> Result<AuthorityId, Error> {
    let (clock, rng, now) = (&*cx.ports().clock, &*cx.ports().rng, cx.now());
    let (id, key_id) = (AuthorityId::generate(clock, rng), EngineKeyId::generate(clock, rng));
    cx.unit.insert(cx.engine.seal_key((key_id.clone(), EngineKeyPurpose::Authority), key, now)?);
    cx.unit.insert(AuthorityRecord {
        id: id.clone(),
        owner: owner.to_string(),
        chain: chain.clone(),
        key_id,
        state: AuthorityState::Active,
        created_at: now,
    });
    Ok(id)
}
