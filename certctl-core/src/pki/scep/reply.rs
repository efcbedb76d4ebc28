//! CertRep (RFC 8894 §3.3.2): the answer to every request.

use super::FailInfo;
use super::attributes::{FAIL_INFO, FAIL_INFO_TEXT, MESSAGE_TYPE, PKI_STATUS, SENDER_NONCE, Transaction, printable};
use crate::pki::cms::{Attribute, CmsError, ContentCipher, ContentType, Recipient, SignRequest, envelop, sign};
use crate::pki::tlv::{self, write};
use crate::ports::{SecureRng, Signer};

/// Who answers: a registration authority.
#[derive(Clone, Copy)]
pub struct Registrar<'a> {
    /// Its DER certificate.
    pub certificate: &'a [u8],
    /// Its key.
    pub signer: &'a dyn Signer,
    /// Random octets.
    pub rng: &'a dyn SecureRng,
}

impl std::fmt::Debug for Registrar<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registrar").finish_non_exhaustive()
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// Done; what was asked for, encrypted to who asked.
    Success {
        /// SignedData with certificates or lists and no signer (§3.4).
        content: &'a [u8],
        /// Who asked.
        recipient: &'a Recipient,
        /// The cipher that the request used, which its sender can undo.
        cipher: ContentCipher,
    },
    /// Refused.
    Failure {
        /// The reason in SCEP's words.
        fail: FailInfo,
        /// The reason in people's words (§3.2.1.4).
        text: &'a str,
    },
    /// Somebody has to decide first.
    Pending,
}

/// The answer, signed.
///
/// # Errors
/// [`CmsError`] when it cannot be encrypted or signed.
pub async fn reply(
    transaction: &Transaction,
    outcome: Outcome<'_>,
    registrar: Registrar<'_>,
) -> Result<Vec<u8>, CmsError> {
    /// messageType of CertRep.
    const CERT_REP: &str = "3";
    let mut nonce = [0; 16];
    registrar.rng.fill(&mut nonce);
    let mut attributes = transaction.attributes().to_vec();
    attributes.push(printable(MESSAGE_TYPE, CERT_REP));
    attributes.push(Attribute::new(SENDER_NONCE, write(tlv::OCTET_STRING, &[&nonce])));
    let mut content = None;
    match outcome {
        Outcome::Success { content: plain, recipient, cipher } => {
            attributes.push(printable(PKI_STATUS, "0"));
            content = Some(envelop((ContentType::Data, plain), recipient, cipher, registrar.rng)?);
        }
        Outcome::Failure { fail, text } => {
            attributes.push(printable(PKI_STATUS, "2"));
            attributes.push(printable(FAIL_INFO, &fail.number().to_string()));
            attributes.push(Attribute::new(FAIL_INFO_TEXT, write(tlv::UTF8_STRING, &[text.as_bytes()])));
        }
        Outcome::Pending => attributes.push(printable(PKI_STATUS, "3")),
    }
    let request = SignRequest {
        kind: ContentType::Data,
        content: content.as_deref(),
        certificates: &[registrar.certificate],
        attributes: &attributes,
    };
    sign(request, registrar.signer).await
}
