//! The signed attributes of SCEP messages (RFC 8894 §3.2.1).

use const_oid::ObjectIdentifier;

use crate::domain::Timestamp;
use crate::pki::cms::{Attribute, SignedAttributes};
use crate::pki::time;
use crate::pki::tlv::{self, Damage, Tlv, write};

pub(super) const MESSAGE_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113733.1.9.2");
pub(super) const PKI_STATUS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113733.1.9.3");
pub(super) const FAIL_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113733.1.9.4");
pub(super) const SENDER_NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113733.1.9.5");
pub(super) const RECIPIENT_NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113733.1.9.6");
pub(super) const TRANSACTION_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113733.1.9.7");
pub(super) const FAIL_INFO_TEXT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.24.1");
/// signingTime (RFC 5652 §11.3).
pub(super) const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");

/// The longest transaction identifier, in octets. Clients make them of a digest in hexadecimal or base64.
const LONGEST_TRANSACTION: usize = 255;
/// The longest nonce, in octets; RFC 8894 §3.2.1.5 asks for 16.
const LONGEST_NONCE: usize = 64;

/// What a request is for (§3.2.1.2). There are no others: a number that is not here is refused before anything is decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// RenewalReq, 17: a certificate in place of the one that signed the request (§3.3.1.2).
    Renewal,
    /// PKCSReq, 19: a first certificate (§3.3.1.1).
    Enrolment,
    /// CertPoll, 20: how a request stands that has to be approved (§3.3.3).
    Poll,
    /// GetCert, 21: a certificate by its number (§3.3.4).
    Certificate,
    /// GetCRL, 22: a revocation list (§3.3.4).
    RevocationList,
}

impl MessageType {
    /// All that are answered.
    pub const ALL: [Self; 5] = [Self::Renewal, Self::Enrolment, Self::Poll, Self::Certificate, Self::RevocationList];

    /// Its number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Renewal => 17,
            Self::Enrolment => 19,
            Self::Poll => 20,
            Self::Certificate => 21,
            Self::RevocationList => 22,
        }
    }

    /// The type that these decimal digits name: the shortest form, nothing around it.
    pub(super) fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number().to_string() == text)
    }
}

/// Why a request is refused (§3.2.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailInfo {
    /// An algorithm that is not accepted.
    BadAlg,
    /// The message is damaged, or not signed or encrypted as it should be.
    BadMessageCheck,
    /// What is asked for is not done.
    BadRequest,
    /// The message was signed at another time.
    BadTime,
    /// No such certificate.
    BadCertId,
}

impl FailInfo {
    /// Its number.
    pub const fn number(self) -> u8 {
        match self {
            Self::BadAlg => 0,
            Self::BadMessageCheck => 1,
            Self::BadRequest => 2,
            Self::BadTime => 3,
            Self::BadCertId => 4,
        }
    }
}

/// What ties an answer to its request (§3.2.1.1, §3.2.1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The identifier that the client chose.
    pub id: String,
    /// The DER of the identifier as it came: it goes back as it is.
    pub(super) der: Vec<u8>,
    /// The nonce of the request, which the answer repeats.
    pub sender_nonce: Vec<u8>,
}

impl Transaction {
    /// Of the attributes of a request; `None` when one of the two is missing or of no use.
    pub(super) fn read(attributes: &SignedAttributes<'_>) -> Option<Self> {
        let value = attributes.value(TRANSACTION_ID)?;
        let id = text(value).filter(|id| (1..=LONGEST_TRANSACTION).contains(&id.len()))?;
        let nonce = attributes.value(SENDER_NONCE).filter(|nonce| nonce.tag == tlv::OCTET_STRING)?.contents;
        let fits = (1..=LONGEST_NONCE).contains(&nonce.len());
        fits.then(|| Self { id, der: value.whole.to_vec(), sender_nonce: nonce.to_vec() })
    }

    pub(super) fn attributes(&self) -> [Attribute; 2] {
        let nonce = write(tlv::OCTET_STRING, &[&self.sender_nonce]);
        [Attribute::new(TRANSACTION_ID, self.der.clone()), Attribute::new(RECIPIENT_NONCE, nonce)]
    }
}

/// A printable text of ASCII. Identifiers are PrintableString by §3.2.1.1; some clients take another kind of string.
pub(super) fn text(value: Tlv<'_>) -> Option<String> {
    /// IA5String.
    const IA5: u8 = 0x16;
    let known = [tlv::PRINTABLE_STRING, tlv::UTF8_STRING, IA5].contains(&value.tag);
    let printable = known && value.contents.iter().all(|octet| (b' '..=b'~').contains(octet));
    std::str::from_utf8(value.contents).ok().filter(|_| printable).map(ToOwned::to_owned)
}

/// When the message was signed, where it says so.
///
/// # Errors
/// When it says so in a way that RFC 5652 §11.3 does not know: what cannot be read is no reason to ask for no time at all.
pub(super) fn signing_time(attributes: &SignedAttributes<'_>) -> Result<Option<Timestamp>, Damage> {
    attributes.value(SIGNING_TIME).map(time::read).transpose()
}

/// A PrintableString.
pub(super) fn printable(oid: ObjectIdentifier, text: &str) -> Attribute {
    Attribute::new(oid, write(tlv::PRINTABLE_STRING, &[text.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_number_is_a_request() {
        let known: Vec<u8> = (0..=255).filter(|n: &u8| MessageType::read(&n.to_string()).is_some()).collect();
        assert_eq!(known, [17, 19, 20, 21, 22]);
        for text in ["", " 19", "19 ", "019", "+19", "19\0", "1 9", "３"] {
            assert_eq!(MessageType::read(text), None, "{text:?}");
        }
    }
}
