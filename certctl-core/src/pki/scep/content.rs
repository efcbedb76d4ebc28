//! What is encrypted in a request (RFC 8894 §3.3).

use super::{FailInfo, MessageType};
use crate::domain::Csr;
use crate::pki::cms::CertificateIdentifier;
use crate::pki::csr;
use crate::pki::tlv::{self, Damage, Tlv};
use crate::ports::Secret;

/// The content of a request.
#[derive(Clone, Debug)]
pub enum Content {
    /// Of an enrolment or a renewal: a certification request, and the challenge password in it (RFC 2985 §5.4.1).
    Request {
        /// The request, its signature verified.
        csr: Csr,
        /// The challenge password, where it has one.
        challenge: Option<Secret>,
    },
    /// Of a poll: what was asked for.
    Poll(IssuerAndSubject),
    /// Of a query for a certificate or a list.
    Query(CertificateQuery),
}

/// IssuerAndSubject (§3.3.3): both names in DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerAndSubject {
    /// Who should issue.
    pub issuer: Vec<u8>,
    /// For whom.
    pub subject: Vec<u8>,
}

/// A certificate by issuer and serial number (§3.3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateQuery(pub CertificateIdentifier);

impl Content {
    /// Reads the decrypted content of a message of this type.
    ///
    /// # Errors
    /// What the client is told, and why, for the log. Of whatever a wrong key makes of a message it is the same as of a message
    /// that cannot be decrypted.
    pub fn read(kind: MessageType, octets: &[u8]) -> Result<Self, (FailInfo, String)> {
        let damaged = |damage: Damage| (FailInfo::BadMessageCheck, damage.to_string());
        match kind {
            MessageType::Enrolment | MessageType::Renewal => {
                // Names are read last, after the request's own signature was verified: what is refused for them is what its sender
                // wrote. Everything before that may be what an attacker made of somebody else's message, to learn from the
                // difference whether its padding was right.
                let csr = csr::parse_der(octets).map_err(|error| {
                    let intact = matches!(error, csr::CsrError::Name(_) | csr::CsrError::TooManyNames(_));
                    let fail = if intact { FailInfo::BadRequest } else { FailInfo::BadMessageCheck };
                    (fail, error.to_string())
                })?;
                let challenge = csr::challenge_password(octets).map_err(damaged)?.map(Secret::new);
                Ok(Self::Request { csr, challenge })
            }
            MessageType::Poll => IssuerAndSubject::read(octets).map(Self::Poll).map_err(damaged),
            MessageType::Certificate | MessageType::RevocationList => {
                let query = Tlv::only(octets).and_then(CertificateIdentifier::issuer_and_serial);
                query.map(|query| Self::Query(CertificateQuery(query))).map_err(damaged)
            }
        }
    }
}

impl IssuerAndSubject {
    fn read(octets: &[u8]) -> Result<Self, Damage> {
        let mut inner = Tlv::only(octets)?.open(tlv::SEQUENCE, "an IssuerAndSubject")?;
        let issuer = inner.expect(tlv::SEQUENCE, "an issuer")?.whole.to_vec();
        let subject = inner.expect(tlv::SEQUENCE, "a subject")?.whole.to_vec();
        inner.finish()?;
        Ok(Self { issuer, subject })
    }
}
