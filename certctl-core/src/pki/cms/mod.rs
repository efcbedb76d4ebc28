//! Cryptographic Message Syntax (RFC 5652): signed and enveloped messages, and the bags of certificates and CRLs that PKCS #7
//! files are.
//!
//! What others send may be BER, and is brought into definite lengths first. What is made here is DER, apart from the order of
//! certificates, which is that in which they are given: many clients take the first one for their own, and §5.1 asks for no order.

mod algorithm;
mod bag;
mod ber;
mod cipher;
mod content;
mod enveloped;
mod error;
mod identifier;
mod sign;
mod signed;
mod triple_des;
mod verify;

pub use bag::{bag, certs_only};
pub use cipher::ContentCipher;
pub use content::ContentType;
pub use enveloped::{EnvelopedData, Recipient, envelop};
pub use error::{CmsError, Undecryptable};
pub use identifier::CertificateIdentifier;
pub use sign::{Attribute, SignRequest, sign};
pub use signed::{SignedData, SignerInfo};
pub use verify::{SignedAttributes, Strength, Verified};

/// The largest message that is read, in octets.
pub const MAX_CMS_OCTETS: usize = 256 * 1024;
