//! Who stands above a new intermediate CA.

use std::sync::Arc;

use crate::connector::ConnectorError;
use crate::domain::{
    AuthorityRecord, AuthorityState, Chain, EngineKey, IntermediateCa, IntermediateCaId, IntermediateCaState,
    IssuerRecord,
};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::{Error, ErrorKind};
use crate::ops::Context;
use crate::ports::Signer;
use crate::storage::{Query, UnitOfWork};

/// What engine keys are sealed for.
pub(super) const SEALED_FOR: &str = "engine-key";

/// A CA that signs another one.
pub(super) struct Parent {
    /// Its record, where it is an intermediate CA itself.
    pub(super) intermediate: Option<Record<IntermediateCa>>,
    /// Its certificate, then those above it.
    pub(super) chain: Chain,
    pub(super) signer: Arc<dyn Signer>,
}

impl Parent {
    /// The intermediate CA of that id, or the issuer's own CA.
    pub(super) async fn of(
        cx: &mut Context<'_>,
        issuer: &IssuerRecord,
        id: Option<&IntermediateCaId>,
    ) -> Result<Self, Error> {
        let Some(id) = id else {
            let authority = own_authority(cx, issuer).await?;
            return Self::open(cx.engine, &cx.unit, None, &authority).await;
        };
        let found = cx.unit.get::<IntermediateCa>(id.as_str()).await?;
        let found = found.filter(|intermediate| intermediate.issuer_id == issuer.id).ok_or_else(|| {
            let detail = format!("issuer `{}` has no intermediate CA `{id}`", issuer.id);
            Error::invalid_field("/parent_id", "unknown_reference", detail)
        })?;
        if found.state != IntermediateCaState::Active {
            let message =
                format!("intermediate CA `{id}` is {} and signs nothing new; choose another one", found.state);
            return Err(Error::conflict("not_active", message));
        }
        let authority = authority_of(&cx.unit, &found).await?;
        Self::open(cx.engine, &cx.unit, Some(found), &authority).await
    }

    async fn open(
        engine: &Engine,
        unit: &UnitOfWork,
        intermediate: Option<Record<IntermediateCa>>,
        authority: &AuthorityRecord,
    ) -> Result<Self, Error> {
        let key = unit.peek::<EngineKey>(authority.key_id.as_str()).await?;
        let key = key.ok_or_else(|| Error::not_found("engine key", &authority.key_id))?;
        let pkcs8 = engine.sealer().open(SEALED_FOR, key.id.as_str(), &key.sealed).map_err(Error::internal)?;
        let signer = engine.ports().keys.open(&pkcs8).await.map_err(Error::internal)?;
        Ok(Self { intermediate, chain: authority.chain.clone(), signer })
    }
}

/// The authority of an intermediate CA.
pub(super) async fn authority_of(
    unit: &UnitOfWork,
    intermediate: &IntermediateCa,
) -> Result<Record<AuthorityRecord>, Error> {
    let found = unit.peek::<AuthorityRecord>(intermediate.authority_id.as_str()).await?;
    found.ok_or_else(|| Error::not_found("authority", &intermediate.authority_id))
}

/// The issuer's own authority. One that was not used yet is made by trying it out, as its first order would.
async fn own_authority(cx: &Context<'_>, issuer: &IssuerRecord) -> Result<Record<AuthorityRecord>, Error> {
    let fields = AuthorityRecord::FIELDS;
    let query = || {
        Query::<AuthorityRecord>::all()
            .filter(fields.owner.equals(issuer.id.to_string()))
            .filter(fields.state.equals(AuthorityState::Active))
    };
    if let Some(found) = cx.unit.first(query()).await? {
        return Ok(found);
    }
    let tried = async {
        match cx.engine.issuer(issuer)?.test_connection() {
            Some(role) => role.test(cx.now()).await.map(|_| ()),
            None => Ok::<(), ConnectorError>(()),
        }
    };
    tried.await.map_err(|error| {
        let message = format!("the CA of issuer `{}` cannot be used: {}", issuer.id, error.explained());
        Error::new(ErrorKind::Unprocessable, "issuer_unusable", message)
    })?;
    cx.unit.first(query()).await?.ok_or_else(|| {
        let message =
            format!("issuer `{}` ({}) has no CA key here, so no CA can stand below it", issuer.id, issuer.kind);
        Error::conflict("no_authority", message)
    })
}
