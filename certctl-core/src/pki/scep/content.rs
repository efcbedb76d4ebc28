//! What is encrypted in a request (RFC 8894 §3.3).

use super::{FailInfo, MessageType};
use crate::domain::Csr;
use crate::pki::cms::{CertificateIdentifier, Strength, Undecryptable};
use crate::pki::csr;
use crate::pki::tlv::{Damage, Tlv};
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
    /// Of a poll: nothing that counts. Which request is meant says the transactionID, and whose it is the signature; the
    /// IssuerAndSubject of §3.3.3 adds nothing, and is not even decrypted.
    Poll,
    /// Of a query for a certificate or a list: what is asked for; `None` when it cannot be decrypted or read.
    Query(Option<CertificateQuery>),
}

/// A certificate by issuer and serial number (§3.3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateQuery(pub CertificateIdentifier);

impl Content {
    /// Reads the content of a message of this type: what its decryption gave.
    ///
    /// Whoever sends a message chooses its type and signs it with a certificate of their own making; what is inside may be what an
    /// attacker made of somebody else's message, to learn from the difference whether its padding was right. So of what depends on
    /// the private key nobody is told whether it was the decryption that failed or the syntax: of an enrolment or a renewal both are
    /// the same error, of a query both are one that finds nothing.
    ///
    /// # Errors
    /// What the client is told, and why, for the log.
    pub fn read(
        kind: MessageType,
        decrypted: Result<&[u8], Undecryptable>,
        strength: Strength,
    ) -> Result<Self, (FailInfo, String)> {
        match kind {
            MessageType::Enrolment | MessageType::Renewal => {
                let octets = decrypted.map_err(|error| (FailInfo::BadMessageCheck, error.to_string()))?;
                Self::request(octets, strength)
            }
            MessageType::Poll => Ok(Self::Poll),
            MessageType::Certificate | MessageType::RevocationList => {
                let read = |octets| Tlv::only(octets).and_then(CertificateIdentifier::issuer_and_serial).ok();
                Ok(Self::Query(decrypted.ok().and_then(read).map(CertificateQuery)))
            }
        }
    }

    fn request(octets: &[u8], strength: Strength) -> Result<Self, (FailInfo, String)> {
        let damaged = |damage: Damage| (FailInfo::BadMessageCheck, damage.to_string());
        // Names are read last, after the request's own signature was verified: what is refused for them is what its sender
        // wrote, and no mangled message of somebody else.
        let csr = csr::parse_der_by(octets, strength).map_err(|error| {
            let intact = matches!(error, csr::CsrError::Name(_) | csr::CsrError::TooManyNames(_));
            let fail = if intact { FailInfo::BadRequest } else { FailInfo::BadMessageCheck };
            (fail, error.to_string())
        })?;
        let challenge = csr::challenge_password(octets).map_err(damaged)?.map(Secret::new);
        Ok(Self::Request { csr, challenge })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::tlv::{self, write};

    #[test]
    fn what_cannot_be_decrypted_is_as_what_cannot_be_read() {
        let names = write(tlv::SEQUENCE, &[&[tlv::SEQUENCE, 0], &[tlv::SEQUENCE, 0]]);
        let contents: [Result<&[u8], Undecryptable>; 5] =
            [Err(Undecryptable), Ok(b""), Ok(b"no content"), Ok(&[0x30, 0x80]), Ok(&names)];
        for content in contents {
            for kind in [MessageType::Enrolment, MessageType::Renewal] {
                let (fail, _) = Content::read(kind, content, Strength::Modern).unwrap_err();
                assert_eq!(fail, FailInfo::BadMessageCheck, "{kind:?} {content:?}");
            }
            for kind in [MessageType::Certificate, MessageType::RevocationList] {
                assert!(
                    matches!(Content::read(kind, content, Strength::Modern), Ok(Content::Query(None))),
                    "{kind:?} {content:?}"
                );
            }
            assert!(
                matches!(Content::read(MessageType::Poll, content, Strength::Modern), Ok(Content::Poll)),
                "{content:?}"
            );
        }
        let query = write(tlv::SEQUENCE, &[&[tlv::SEQUENCE, 0], &[tlv::INTEGER, 1, 7]]);
        assert!(matches!(
            Content::read(MessageType::Certificate, Ok(&query), Strength::Modern),
            Ok(Content::Query(Some(_)))
        ));
    }
}
