//! Who stands above an intermediate CA.

use crate::connector::{Authority, ConnectorError};
use crate::domain::{
    AuthorityRecord, AuthorityState, Chain, IntermediateCa, IntermediateCaId, IntermediateCaState, IssuerRecord,
};
use crate::entity::Record;
use crate::error::{Error, ErrorKind};
use crate::ops::Context;
use crate::storage::Query;

/// A CA that signs another one.
pub(super) struct Parent {
    /// Its record, where it is an intermediate CA itself.
    pub(super) intermediate: Option<Record<IntermediateCa>>,
    pub(super) authority: Authority,
}

impl Parent {
    /// The intermediate CA of that id, or the issuer's own CA.
    pub(super) async fn of(
        cx: &mut Context<'_>,
        issuer: &IssuerRecord,
        id: Option<&IntermediateCaId>,
    ) -> Result<Self, Error> {
        let (intermediate, record) = match id {
            None => (None, own_authority(cx, issuer).await?),
            Some(id) => {
                let found = named(cx, issuer, id).await?;
                let record = match &found.authority_id {
                    Some(authority) => cx.unit.peek::<AuthorityRecord>(authority.as_str()).await?,
                    None => None,
                };
                let message =
                    || format!("the key of intermediate CA `{id}` is not kept here, so it signs nothing here");
                let record = record.ok_or_else(|| Error::conflict("no_key", message()))?;
                (Some(found), record)
            }
        };
        let authority = cx.engine.open_authority(&record).await.map_err(Error::internal)?;
        Ok(Self { intermediate, authority })
    }
}

/// An active intermediate CA of an issuer.
pub(super) async fn named(
    cx: &mut Context<'_>,
    issuer: &IssuerRecord,
    id: &IntermediateCaId,
) -> Result<Record<IntermediateCa>, Error> {
    let found = cx.unit.get::<IntermediateCa>(id.as_str()).await?;
    let found = found.filter(|intermediate| intermediate.issuer_id == issuer.id).ok_or_else(|| {
        let detail = format!("issuer `{}` has no intermediate CA `{id}`", issuer.id);
        Error::invalid_field("/parent_id", "unknown_reference", detail)
    })?;
    if found.state != IntermediateCaState::Active {
        let message = format!("intermediate CA `{id}` is {} and signs nothing new; choose another one", found.state);
        return Err(Error::conflict("not_active", message));
    }
    Ok(found)
}

/// The chain of a certificate right below another one.
pub(super) fn below(der: &[u8], above: &Chain) -> Result<Chain, Error> {
    let whole = std::iter::once(der.to_vec()).chain(above.certificates().iter().cloned()).collect();
    Chain::from_der(whole).map_err(Error::internal)
}

/// The issuer's own authority, where it was used already.
pub(super) async fn kept_authority(
    cx: &Context<'_>,
    issuer: &IssuerRecord,
) -> Result<Option<Record<AuthorityRecord>>, Error> {
    let fields = AuthorityRecord::FIELDS;
    let query = Query::<AuthorityRecord>::all()
        .filter(fields.owner.equals(issuer.id.to_string()))
        .filter(fields.state.equals(AuthorityState::Active));
    Ok(cx.unit.first(query).await?)
}

/// The issuer's own authority. One that was not used yet is made by trying it out, as its first order would.
async fn own_authority(cx: &Context<'_>, issuer: &IssuerRecord) -> Result<Record<AuthorityRecord>, Error> {
    if let Some(found) = kept_authority(cx, issuer).await? {
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
    kept_authority(cx, issuer).await?.ok_or_else(|| {
        let message =
            format!("issuer `{}` ({}) has no CA key here, so no CA can stand below it", issuer.id, issuer.kind);
        Error::conflict("no_authority", message)
    })
}
