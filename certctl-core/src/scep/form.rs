//! In which form a request comes: a message of RFC 8894, or a certification request alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::domain::Csr;
use crate::pki::cms::{MAX_CMS_OCTETS, SignedData};
use crate::pki::csr;
use crate::ports::Secret;

/// What a request is.
pub(super) enum Form {
    /// A signed message.
    Message(SignedData),
    /// A certification request alone: in DER, in base64, in PEM, or as the content of a signed message whose signature then means
    /// nothing. All that proves who asks is the challenge password in it.
    Plain(Csr, Option<Secret>),
    /// Neither, and why.
    Neither(String),
}

impl Form {
    pub(super) fn of(octets: &[u8]) -> Self {
        match text(octets) {
            Some(text) => Self::of_text(text),
            None => Self::of_der(octets),
        }
    }

    fn of_der(octets: &[u8]) -> Self {
        match SignedData::parse(octets) {
            // Whoever sends a request in clear is asked for the challenge password, whatever else the message says of itself.
            Ok(signed) => match signed.content().map(Self::plain) {
                Some(Ok(plain)) => plain,
                _ => Self::Message(signed),
            },
            Err(error) => Self::plain(octets).unwrap_or_else(|why| {
                Self::Neither(format!("the request is no signed message ({error}), and no CSR ({why})"))
            }),
        }
    }

    fn of_text(text: &str) -> Self {
        if text.contains("-----BEGIN") {
            return match csr::parse_pem(text) {
                Ok(csr) => Self::with_challenge(csr).unwrap_or_else(Self::Neither),
                Err(error) => Self::Neither(error.to_string()),
            };
        }
        match decoded(text) {
            Some(octets) => Self::of_der(&octets),
            None => Self::Neither("the request is neither DER nor base64 nor PEM".to_owned()),
        }
    }

    fn plain(octets: &[u8]) -> Result<Self, String> {
        csr::parse_der(octets).map_err(|error| error.to_string()).and_then(Self::with_challenge)
    }

    fn with_challenge(csr: Csr) -> Result<Self, String> {
        let challenge = csr::challenge_password(csr.der()).map_err(|damage| damage.to_string())?;
        Ok(Self::Plain(csr, challenge.map(Secret::new)))
    }
}

/// A text, which DER is not: that begins with the octet of a SEQUENCE and a length, of which one is no printable character.
fn text(octets: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(octets).ok()?;
    text.chars().all(|c| c.is_ascii_graphic() || c.is_ascii_whitespace()).then_some(text)
}

/// The octets of base64, with white space anywhere, as clients break lines.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let dense: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    if dense.is_empty() || dense.len() > 2 * MAX_CMS_OCTETS {
        return None;
    }
    STANDARD.decode(dense).ok()
}
