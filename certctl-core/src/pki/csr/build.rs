//! Making requests.

use const_oid::db::{rfc4519, rfc5280, rfc5912};

use super::{CsrError, parse_der};
use crate::domain::{Csr, SubjectNames};
use crate::pki::tlv::{self, write};
use crate::pki::{algorithm, general_name, name};
use crate::ports::{KeyError, Signer};

/// A request was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The key backend failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What was made does not hold: the key is not certified, or the backend gave a wrong signature.
    #[error("the new CSR is unusable: {0}")]
    Unusable(#[source] CsrError),
}

/// A request for these names, signed by the key (RFC 2986 §4): the common name as subject, the subject alternative names
/// as requested extension (RFC 2985 §5.4.2).
///
/// # Errors
/// [`BuildError`] when the key cannot sign or is of a kind that is not certified.
pub async fn build(names: &SubjectNames, signer: &dyn Signer) -> Result<Csr, BuildError> {
    let info = request_info(names, signer.public_key());
    let signature = signer.sign(&info).await?;
    let identifier = algorithm::encode(signer.signature_algorithm());
    let der = write(tlv::SEQUENCE, &[&info, &identifier, &write(tlv::BIT_STRING, &[&[0], &signature])]);
    parse_der(&der).map_err(BuildError::Unusable)
}

/// CertificationRequestInfo.
fn request_info(names: &SubjectNames, spki: &[u8]) -> Vec<u8> {
    let common_name: Vec<_> = names.common_name.iter().map(|text| (rfc4519::COMMON_NAME, text.as_str())).collect();
    let attribute = if names.sans.is_empty() {
        Vec::new()
    } else {
        let oid = |oid: const_oid::ObjectIdentifier| write(tlv::OBJECT_IDENTIFIER, &[oid.as_bytes()]);
        let value = write(tlv::OCTET_STRING, &[&general_name::encode_all(&names.sans)]);
        let extension = write(tlv::SEQUENCE, &[&oid(rfc5280::ID_CE_SUBJECT_ALT_NAME), &value]);
        let values = write(tlv::SET, &[&write(tlv::SEQUENCE, &[&extension])]);
        write(tlv::SEQUENCE, &[&oid(rfc5912::ID_EXTENSION_REQ), &values])
    };
    let version = [tlv::INTEGER, 1, 0];
    write(tlv::SEQUENCE, &[&version, &name::encode(&common_name), spki, &write(0xa0, &[&attribute])])
}
