//! A certificate between building and signing.

use super::Authority;
use crate::domain::{Chain, Serial, SignatureAlgorithm};
use crate::pki::lint::{self, Finding, Scope};
use crate::pki::parts::Tbs;
use crate::pki::tlv::{self, write};
use crate::pki::{PkiError, algorithm, path, verify};
use crate::ports::{KeyError, Signer};

/// A TBSCertificate (RFC 5280 §4.1) that its authority has yet to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedCertificate {
    tbs: Vec<u8>,
    authority_spki: Vec<u8>,
    signature_algorithm: SignatureAlgorithm,
}

/// A certificate was not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// Lint found that it must not be signed.
    #[error("the certificate must not be signed: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Lint(Vec<Finding>),
    /// The signer is not the authority.
    #[error("the signing key is not the authority's; configure the key that belongs to the CA certificate")]
    WrongKey,
    /// The signature is not over this certificate by the authority.
    #[error("the signature does not verify with the authority's key; the key backend is damaged or not the right one")]
    BadSignature,
    /// The key backend failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl UnsignedCertificate {
    pub(super) fn new(tbs: Vec<u8>, authority: &Authority) -> Self {
        let signature_algorithm = authority.signature_algorithm();
        Self { tbs, authority_spki: authority.spki.clone(), signature_algorithm }
    }

    /// Takes up a TBSCertificate that was stored before it was signed.
    ///
    /// # Errors
    /// [`PkiError::Malformed`] when it is none, or not one for this authority to sign.
    pub fn resume(tbs: Vec<u8>, authority: &Authority) -> Result<Self, PkiError> {
        const WHAT: &str = "unsigned certificate";
        super::check_size(&tbs)?;
        let parts = Tbs::read(&tbs).map_err(PkiError::malformed(WHAT))?;
        let expected = algorithm::encode(authority.signature_algorithm());
        if parts.issuer != authority.subject || parts.signature_algorithm != expected {
            let why = "it names another issuer or another signature algorithm".to_owned();
            return Err(PkiError::Malformed { what: WHAT, why });
        }
        Ok(Self::new(tbs, authority))
    }

    /// The DER that is to be signed.
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// Its serial number.
    ///
    /// # Errors
    /// [`PkiError::Malformed`] when what was [resumed](Self::resume) has none that is allowed.
    pub fn serial(&self) -> Result<Serial, PkiError> {
        const WHAT: &str = "unsigned certificate";
        let parts = Tbs::read(&self.tbs).map_err(PkiError::malformed(WHAT))?;
        Serial::from_integer(parts.serial).map_err(|error| PkiError::Malformed { what: WHAT, why: error.to_string() })
    }

    /// What it is to be signed with.
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.signature_algorithm
    }

    /// Why it must not be signed; empty when nothing is wrong.
    pub fn lint(&self, scope: Scope) -> Vec<Finding> {
        lint::check(&self.tbs, scope)
    }

    /// Whether it keeps what its authority and those above that say of what stands below them: name constraints, path lengths,
    /// policies (RFC 5280 §6.1). `authorities` is the authority's own chain, its certificate first.
    ///
    /// # Errors
    /// [`PathError`](path::PathError) of this certificate, at position 0, or of one above it.
    pub fn check_below(&self, authorities: &Chain) -> Result<(), path::PathError> {
        // A certificate without a signature reads like one with it, and nobody looks at it here.
        let unsigned =
            write(tlv::SEQUENCE, &[&self.tbs, &algorithm::encode(self.signature_algorithm), &[tlv::BIT_STRING, 1, 0]]);
        let chain: Vec<Vec<u8>> = std::iter::once(unsigned).chain(authorities.certificates().iter().cloned()).collect();
        path::check_below(&chain)
    }

    /// Lints, signs, and gives the DER certificate.
    ///
    /// # Errors
    /// [`SigningError`]; nothing was signed when it is [`SigningError::Lint`] or [`SigningError::WrongKey`].
    pub async fn lint_and_sign(self, scope: Scope, signer: &dyn Signer) -> Result<Vec<u8>, SigningError> {
        let findings = self.lint(scope);
        if findings.is_empty() { self.sign(signer).await } else { Err(SigningError::Lint(findings)) }
    }

    /// Signs and gives the DER certificate.
    ///
    /// # Errors
    /// [`SigningError`] of every kind but lint.
    pub async fn sign(self, signer: &dyn Signer) -> Result<Vec<u8>, SigningError> {
        if signer.public_key() != self.authority_spki || signer.signature_algorithm() != self.signature_algorithm {
            return Err(SigningError::WrongKey);
        }
        let signature = signer.sign(&self.tbs).await?;
        self.assemble(&signature)
    }

    /// The DER certificate from a signature made elsewhere: the contents of the signature's BIT STRING.
    ///
    /// The signature is verified first: a wrong one would leak bits of the key (fault attacks) or give a certificate that
    /// nobody accepts.
    ///
    /// # Errors
    /// [`SigningError::BadSignature`].
    pub fn assemble(self, signature: &[u8]) -> Result<Vec<u8>, SigningError> {
        if !verify::signature(&self.authority_spki, self.signature_algorithm, &self.tbs, signature) {
            return Err(SigningError::BadSignature);
        }
        let bits = write(tlv::BIT_STRING, &[&[0], signature]);
        Ok(write(tlv::SEQUENCE, &[&self.tbs, &algorithm::encode(self.signature_algorithm), &bits]))
    }
}
