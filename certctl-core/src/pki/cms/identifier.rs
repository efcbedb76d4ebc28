//! How a message names a certificate: SignerIdentifier (RFC 5652 §5.3) and RecipientIdentifier (§6.2.1).

use const_oid::db::rfc5280;

use super::CmsError;
use super::content::CONTEXT_0_OCTETS;
use crate::domain::Serial;
use crate::pki::certificate::subject_key_id;
use crate::pki::parts::{Certificate, Tbs};
use crate::pki::tlv::{self, Damage, Reader, Tlv, write};

/// A certificate by its issuer's name and its serial number, or by its subject key identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateIdentifier {
    /// By issuer and number.
    IssuerAndSerial {
        /// The issuer's DER Name.
        issuer: Vec<u8>,
        /// The contents of the serial number's INTEGER.
        serial: Vec<u8>,
    },
    /// By the contents of its subjectKeyIdentifier.
    KeyIdentifier(Vec<u8>),
}

impl CertificateIdentifier {
    /// Of a DER certificate, by issuer and number.
    ///
    /// # Errors
    /// [`CmsError::Malformed`].
    pub fn of(certificate: &[u8]) -> Result<Self, CmsError> {
        let tbs = read(certificate).map_err(CmsError::damaged("certificate"))?;
        Ok(Self::IssuerAndSerial { issuer: tbs.issuer.to_vec(), serial: tbs.serial.to_vec() })
    }

    /// The serial number, when it is one that RFC 5280 allows.
    pub fn serial(&self) -> Option<Serial> {
        match self {
            Self::IssuerAndSerial { serial, .. } => Serial::from_integer(serial).ok(),
            Self::KeyIdentifier(_) => None,
        }
    }

    /// Whether it means this DER certificate.
    pub fn means(&self, certificate: &[u8]) -> bool {
        let Ok(tbs) = read(certificate) else { return false };
        match self {
            Self::IssuerAndSerial { issuer, serial } => tbs.issuer == issuer && tbs.serial == serial,
            Self::KeyIdentifier(id) => tbs
                .extension(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER)
                .and_then(|extension| subject_key_id(extension.value).ok())
                .is_some_and(|found| found == *id),
        }
    }

    /// The next value, which must be one.
    pub(super) fn next(reader: &mut Reader<'_>) -> Result<Self, Damage> {
        if let Some(id) = reader.optional(CONTEXT_0_OCTETS)? {
            return Ok(Self::KeyIdentifier(id.contents.to_vec()));
        }
        Self::issuer_and_serial(reader.expect(tlv::SEQUENCE, "an IssuerAndSerialNumber")?)
    }

    /// An IssuerAndSerialNumber (§10.2.4).
    pub(crate) fn issuer_and_serial(value: Tlv<'_>) -> Result<Self, Damage> {
        let mut inner = value.open(tlv::SEQUENCE, "an IssuerAndSerialNumber")?;
        let issuer = inner.expect(tlv::SEQUENCE, "an issuer")?.whole.to_vec();
        let serial = inner.expect(tlv::INTEGER, "a serialNumber")?.contents.to_vec();
        inner.finish()?;
        Ok(Self::IssuerAndSerial { issuer, serial })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::IssuerAndSerial { issuer, serial } => {
                write(tlv::SEQUENCE, &[issuer, &write(tlv::INTEGER, &[serial])])
            }
            Self::KeyIdentifier(id) => write(CONTEXT_0_OCTETS, &[id]),
        }
    }

    /// The version of what names its certificate so: by issuer and number, or by key (§5.3, §6.2.1).
    pub(super) const fn version(&self, by_number: u8, by_key: u8) -> [u8; 3] {
        [tlv::INTEGER, 1, if matches!(self, Self::KeyIdentifier(_)) { by_key } else { by_number }]
    }
}

fn read(certificate: &[u8]) -> Result<Tbs<'_>, Damage> {
    Tbs::read(Certificate::read(certificate)?.tbs)
}
