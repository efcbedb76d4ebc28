//! A certificate by its number (RFC 8894 §3.3.4).

use async_trait::async_trait;

use crate::domain::{Certificate, Fingerprint, IssuerId, Lifecycle, Version};
use crate::enrol::is_revoked;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::pki::cms::CertificateIdentifier;
use crate::storage::Query;

/// Looks for a certificate of an issuer, for somebody who holds one of its certificates themselves.
#[derive(Clone, Debug)]
pub(super) struct FindCertificate {
    /// The issuer.
    pub(super) issuer_id: IssuerId,
    /// The certificate of whoever asks.
    pub(super) fingerprint: Fingerprint,
    /// The one that is looked for; `None` when the question cannot be read, which is answered as one that finds nothing.
    pub(super) identifier: Option<CertificateIdentifier>,
}

#[async_trait]
impl Operation for FindCertificate {
    /// Its DER; `None` when there is none, or whoever asks may not.
    type Output = Option<Vec<u8>>;
    const NAME: &'static str = "scep.certificate";
    const ACCESS: Access = Access::OPEN;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Option<Vec<u8>>, Error> {
        if !self.may_ask(cx).await? {
            return Ok(None);
        }
        let Some(identifier) = &self.identifier else { return Ok(None) };
        let Some(serial) = identifier.serial() else { return Ok(None) };
        let fields = Version::FIELDS;
        let of = Query::all()
            .filter(fields.issuer_id.equals(self.issuer_id.clone()))
            .filter(fields.serial_number.equals(serial));
        let found = cx.unit.list::<Version>(of.limit(MOST)).await?.records;
        let found = found.into_iter().find(|version| identifier.means(version.chain.leaf()));
        Ok(found.map(|version| version.chain.leaf().to_vec()))
    }
}

impl FindCertificate {
    async fn may_ask(&self, cx: &Context<'_>) -> Result<bool, Error> {
        let of = Query::all().filter(Version::FIELDS.fingerprint_sha256.equals(self.fingerprint));
        let Some(own) = cx.unit.first::<Version>(of).await? else { return Ok(false) };
        // A version may be revoked alone, while its certificate lives on by the newest one.
        if own.not_after < cx.now() || is_revoked(&cx.unit, &own).await? {
            return Ok(false);
        }
        // What a fallback issued is the certificate of the issuer that was to issue it.
        let certificate = cx.unit.peek::<Certificate>(own.certificate_id.as_str()).await?;
        Ok(certificate.is_some_and(|certificate| {
            certificate.issuer_id == self.issuer_id && certificate.lifecycle == Lifecycle::Issued
        }))
    }
}

/// An issuer that changed its CA may have given a number twice.
const MOST: usize = 4;
