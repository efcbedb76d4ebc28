//! Exporting a certificate as a trust store.

use async_trait::async_trait;

use super::export::exported;
use crate::domain::{AuditAction, CertificateId};
use crate::error::{Error, ErrorKind, FieldError};
use crate::ops::{Access, Context, Operation, check};
use crate::pki::pkcs12::{TrustStoreError, TrustedCertificate, trust_store};
use crate::ports::Secret;

/// Gives the chain of the newest version as a PKCS #12 trust store, without a key; audited, because it is a copy that leaves.
#[derive(Clone, Debug)]
pub struct ExportPkcs12 {
    /// Of which certificate.
    pub id: CertificateId,
    /// Printable ASCII of at most 1,024 characters; may be empty.
    pub password: Secret,
}

#[async_trait]
impl Operation for ExportPkcs12 {
    type Output = Vec<u8>;
    const NAME: &'static str = "certificate.export_pkcs12";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Vec<u8>, Error> {
        check::text("/password", self.password.expose(), 1_024)?;
        let version = exported(cx, &self.id, AuditAction::ExportedPkcs12).await?;
        // Aliases must be unique in the store, also for Java, which ignores their case.
        let chain = version.chain.certificates();
        let aliases: Vec<String> = (0..chain.len())
            .map(|place| if place == 0 { self.id.to_string() } else { format!("{}-issuer-{place}", self.id) })
            .collect();
        let trusted = aliases.iter().zip(chain).map(|(alias, der)| TrustedCertificate { alias, der });
        let trusted: Vec<TrustedCertificate<'_>> = trusted.collect();
        trust_store(&trusted, &self.password, &*cx.ports().rng).map_err(|error| match error {
            TrustStoreError::Password => {
                let field = FieldError { pointer: "/password".into(), code: "not_ascii", detail: error.to_string() };
                Error::new(ErrorKind::Unprocessable, "bad_password", error.to_string()).field(field)
            }
            TrustStoreError::Cipher => Error::internal(error),
        })
    }
}
