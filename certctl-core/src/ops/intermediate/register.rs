//! Registering a CA that there is already.

use async_trait::async_trait;

use super::keep::{New, keep};
use super::parent::{below, kept_authority, named};
use crate::domain::{
    AuditAction, CaKeyAlgorithm, Chain, IntermediateCa, IntermediateCaId, IssuerId, IssuerRecord, MAX_CHAIN, Timestamp,
};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation, check};
use crate::pki::certificate::Authority;
use crate::pki::chain::{Root, assemble, check_constraints, check_validity};
use crate::pki::path::{self, TrustAnchor, Validation};
use crate::pki::{PkiError, key, private_key};
use crate::ports::{GeneratedKey, Secret};
use crate::storage::Query;

/// Registers a root or another CA that there is already with an issuer. With its key it may sign, as one that was made here;
/// without, it only stands above others.
#[derive(Clone, Debug)]
pub struct Register {
    /// Whose it will be.
    pub issuer_id: IssuerId,
    /// Kept when given.
    pub id: Option<IntermediateCaId>,
    /// The intermediate CA right above it. Where none is named it is found by its certificate.
    pub parent_id: Option<IntermediateCaId>,
    /// Unique for the issuer; 1 to 255 characters.
    pub name: String,
    /// PEM certificates: the CA first, then those above it, up to a root or to a CA that the issuer has.
    pub certificate_pem: String,
    /// Its key, in PEM and not encrypted.
    pub private_key_pem: Option<Secret>,
}

const CERTIFICATE: &str = "/certificate_pem";
const KEY: &str = "/private_key_pem";
/// An issuer has no more CAs than this.
const MOST: usize = 1_000;

#[async_trait]
impl Operation for Register {
    type Output = IntermediateCa;
    const NAME: &'static str = "intermediate.register";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<IntermediateCa, Error> {
        check::name("/name", &self.name, 255)?;
        let given = Chain::from_pem(&self.certificate_pem).map_err(|error| refused("bad_certificate", &error))?;
        let ca = Authority::from_certificate(given.leaf()).map_err(|error| refused("not_a_ca", &error))?;
        let key_algorithm = key::algorithm(ca.spki()).ok().and_then(CaKeyAlgorithm::of).ok_or_else(|| {
            refused(
                "unsupported_key",
                &"CAs here have RSA keys of 2048, 3072 or 4096 bits, and this one has another size",
            )
        })?;
        let issuer = cx.unit.get::<IssuerRecord>(self.issuer_id.as_str()).await?;
        let issuer = issuer.ok_or_else(|| Error::not_found("issuer", &self.issuer_id))?;
        let (parent, chain) = self.place(cx, &issuer, &given).await?;
        verify(&chain, cx.now())?;
        none_is_revoked(cx, &chain).await?;
        let key = self.key(cx, ca.spki()).await?;
        let unreadable = |error: PkiError| refused("bad_certificate", &error);
        let path_length = TrustAnchor::from_certificate(chain.leaf()).map_err(unreadable)?.path_length();
        let name_constraints = path::limits_of(chain.leaf()).map_err(unreadable)?;
        let new = New {
            issuer_id: self.issuer_id.clone(),
            id: self.id.clone(),
            parent,
            name: self.name.clone(),
            chain,
            key,
            key_algorithm,
            path_length: path_length.and_then(|length| i64::try_from(length).ok()),
            name_constraints,
            action: AuditAction::IntermediateCaRegistered,
        };
        keep(cx, new).await
    }
}

impl Register {
    /// The intermediate CA right above it, where there is one, and its chain: up to a root, or to where that of the issuer's own CA
    /// ends.
    async fn place(
        &self,
        cx: &mut Context<'_>,
        issuer: &IssuerRecord,
        given: &Chain,
    ) -> Result<(Option<Record<IntermediateCa>>, Chain), Error> {
        let own = kept_authority(cx, issuer).await?;
        let of_issuer = IntermediateCa::FIELDS.issuer_id.equals(issuer.id.clone());
        let others = cx.unit.list(Query::<IntermediateCa>::all().filter(of_issuer).limit(MOST)).await?.records;
        let wanted = match &self.parent_id {
            Some(id) => Some(named(cx, issuer, id).await?),
            None => None,
        };
        // What was meant goes before what would fit as well.
        let mut pool: Vec<Vec<u8>> = wanted.iter().map(|ca| ca.chain.leaf().to_vec()).collect();
        pool.extend_from_slice(given.issuers());
        pool.extend(others.iter().map(|ca| ca.chain.leaf().to_vec()));
        pool.extend(own.iter().flat_map(|own| own.chain.certificates().to_vec()));
        let climbed = assemble(given.leaf(), &pool, Root::Keep).map_err(|error| refused("bad_certificate", &error))?;
        let is_signer =
            |ca: &&Record<IntermediateCa>| climbed.issuers().first().is_some_and(|der| der == ca.chain.leaf());
        let parent = match (wanted, others.iter().find(is_signer)) {
            (Some(wanted), _) if is_signer(&&wanted) => Some(wanted),
            (Some(wanted), _) => {
                let detail = format!("it was not signed by intermediate CA `{}`", wanted.id);
                return Err(Error::invalid_field("/parent_id", "not_signed_by", detail));
            }
            (None, Some(signer)) => Some(named(cx, issuer, &signer.id).await?),
            (None, None) => None,
        };
        let chain = match &parent {
            Some(parent) => below(given.leaf(), &parent.chain)?,
            None => climbed,
        };
        if !given.certificates().iter().all(|der| chain.certificates().contains(der)) {
            let why =
                "it holds a certificate that does not stand above the CA; give the CA first, then only those above it";
            return Err(refused("not_above", &why));
        }
        let top = chain.certificates().last();
        let is_known = parent.is_some() || own.is_some_and(|own| own.chain.certificates().last() == top);
        if is_known || top.is_some_and(|top| signed_itself(top, cx.now())) {
            return Ok((parent, chain));
        }
        let why = "what stands above it is missing; add the certificates up to the root";
        Err(refused("incomplete_chain", &why))
    }

    /// Its key, opened.
    async fn key(&self, cx: &Context<'_>, spki: &[u8]) -> Result<Option<GeneratedKey>, Error> {
        let Some(pem) = &self.private_key_pem else { return Ok(None) };
        let bad = |why: String| Error::invalid_field(KEY, "bad_key", why);
        let pkcs8 = private_key::from_pem(pem.expose()).map_err(|error| bad(error.to_string()))?;
        let signer = cx.ports().keys.open(&pkcs8).await.map_err(|error| bad(error.to_string()))?;
        if !key::are_same(spki, signer.public_key()) {
            let detail = "it is not the key of this CA; give the one that belongs to its certificate";
            return Err(Error::invalid_field(KEY, "other_key", detail));
        }
        Ok(Some(GeneratedKey { signer, pkcs8 }))
    }
}

/// The path of RFC 5280 §6 from its top down, now, as one that another certificate follows.
fn verify(chain: &Chain, now: Timestamp) -> Result<(), Error> {
    // A leaf still has to fit below it.
    if chain.certificates().len() >= MAX_CHAIN {
        let why = format!("its chain has more than the {} certificates that are kept", MAX_CHAIN - 1);
        return Err(refused("too_long", &why));
    }
    check_validity(chain, now).map_err(|error| refused("not_valid_now", &error))?;
    let anchors = chain.certificates().last().map(|top| TrustAnchor::from_certificate(top));
    let anchors: Vec<_> =
        anchors.transpose().map_err(|error| refused("bad_certificate", &error))?.into_iter().collect();
    Validation::new(&anchors, now).validate(chain.certificates()).map_err(|error| refused("path_invalid", &error))?;
    check_constraints(chain).map_err(|error| refused("path_invalid", &error))
}

/// Refuses what stands below a CA that is revoked, however far.
async fn none_is_revoked(cx: &Context<'_>, chain: &Chain) -> Result<(), Error> {
    let revoked = Query::<IntermediateCa>::all().filter(IntermediateCa::FIELDS.revoked_at.is_set());
    let revoked = cx.unit.all(revoked).await?;
    match revoked.iter().find(|ca| chain.certificates().iter().any(|der| der == ca.chain.leaf())) {
        None => Ok(()),
        Some(ca) => Err(refused("revoked", &format!("intermediate CA `{}` in its chain is revoked", ca.id))),
    }
}

/// Whether it is a root.
fn signed_itself(der: &[u8], now: Timestamp) -> bool {
    TrustAnchor::from_certificate(der).is_ok_and(|anchor| {
        let anchors = [anchor];
        let validation = Validation { at: None, ..Validation::new(&anchors, now) };
        validation.validate(&[der]).is_ok()
    })
}

fn refused(code: &'static str, why: &dyn std::fmt::Display) -> Error {
    Error::invalid_field(CERTIFICATE, code, why.to_string())
}
