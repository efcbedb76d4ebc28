//! Opening a request as far as its sender's signature proves (RFC 8894 §3.2).

use super::attributes::{self, FailInfo, MESSAGE_TYPE, MessageType, Transaction};
use crate::domain::Timestamp;
use crate::pki::cms::{CmsError, EnvelopedData, SignedData, Strength};

/// A request whose signature holds, whose type is known, and that is still encrypted.
#[derive(Clone, Debug)]
pub struct PkiMessage {
    /// What it is for.
    pub kind: MessageType,
    /// What its answer refers to.
    pub transaction: Transaction,
    /// The DER certificate whose key signed it. What that is worth has yet to be found out.
    pub signer: Vec<u8>,
    /// When it was signed, where it says so.
    pub signed_at: Option<Timestamp>,
    /// Its content, encrypted to the registration authority.
    pub envelope: EnvelopedData,
}

/// A request that is not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// It is so damaged that there is nothing to refer to in an answer.
    Unanswerable {
        /// Why, for the log.
        why: String,
    },
    /// It is refused.
    Refused {
        /// What the answer refers to.
        transaction: Box<Transaction>,
        /// What the client is told.
        fail: FailInfo,
        /// Why, for the log.
        why: String,
    },
}

impl PkiMessage {
    /// Verifies a signed message, and finds out what it is for.
    ///
    /// # Errors
    /// [`Rejected`].
    pub fn open(signed: &SignedData, strength: Strength) -> Result<Self, Rejected> {
        let claimed = signed.claimed_attributes().and_then(|attributes| Transaction::read(&attributes));
        let Some(transaction) = claimed else {
            let why = "it has no transactionID or no senderNonce among its signed attributes";
            return Err(Rejected::Unanswerable { why: why.to_owned() });
        };
        let refused = |fail, why: String| Rejected::Refused { transaction: Box::new(transaction.clone()), fail, why };
        let of_cms = |error: CmsError| refused(fail_info(&error), error.to_string());
        let verified = signed.verify(strength).map_err(of_cms)?;
        let kind = verified.attributes.value(MESSAGE_TYPE).and_then(attributes::text);
        let kind = kind.as_deref().and_then(MessageType::read).ok_or_else(|| {
            let named = kind.as_deref().unwrap_or("none");
            refused(FailInfo::BadRequest, format!("its messageType is {named}, which is no request"))
        })?;
        let signed_at = attributes::signing_time(&verified.attributes)
            .map_err(|damage| refused(FailInfo::BadTime, format!("its signingTime cannot be read: {damage}")))?;
        let envelope = EnvelopedData::parse(verified.content, strength).map_err(of_cms)?;
        Ok(Self { kind, signer: verified.certificate.to_vec(), signed_at, envelope, transaction })
    }
}

/// What a client is told of a message that cannot be read.
pub(super) const fn fail_info(error: &CmsError) -> FailInfo {
    match error {
        CmsError::Algorithm { .. } | CmsError::Recipient(_) => FailInfo::BadAlg,
        _ => FailInfo::BadMessageCheck,
    }
}
