//! The certificate with which a TLS server answers a challenge (RFC 8737 §3).

use super::extension::ACME_IDENTIFIER;
use super::parse;
use crate::domain::CertificateFacts;
use crate::pki::PkiError;
use crate::pki::parts::{Certificate, Tbs};
use crate::pki::tlv::{self, Tlv};

/// What a certificate says of itself, and the digest of its critical acmeIdentifier: Authorization ::= OCTET STRING (SIZE (32)).
///
/// # Errors
/// Those of [`parse`].
pub(crate) fn acme_identifier(der: &[u8]) -> Result<(CertificateFacts, Option<Vec<u8>>), PkiError> {
    let facts = parse(der)?;
    let damaged = PkiError::malformed;
    let certificate = Certificate::read(der).map_err(damaged("certificate"))?;
    let tbs = Tbs::read(certificate.tbs).map_err(damaged("certificate"))?;
    let value = tbs.extension(ACME_IDENTIFIER).filter(|extension| extension.critical).map(|extension| extension.value);
    let digest = value.and_then(|value| Tlv::only(value).ok()).filter(|digest| digest.tag == tlv::OCTET_STRING);
    Ok((facts, digest.map(|digest| digest.contents.to_vec())))
}
