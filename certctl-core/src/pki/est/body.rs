//! Bodies: base64 of DER (RFC 7030 §4, RFC 8951 §3.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::domain::Csr;
use crate::pki::csr::{self, CsrError, MAX_CSR_OCTETS};

/// The longest body of a request, in octets: base64 needs four for three, and lines take their share.
pub const MAX_BODY_OCTETS: usize = 2 * MAX_CSR_OCTETS;

/// Why a body is no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Nothing came.
    #[error("the body is empty; send a PKCS #10 request as base64 of its DER")]
    Empty,
    /// More octets than are read.
    #[error("the body has {0} octets; at most {MAX_BODY_OCTETS} are read")]
    TooLarge(usize),
    /// Neither base64, PEM nor DER.
    #[error("the body is neither base64 of a DER request nor PEM")]
    NotBase64,
    /// No request, or one that does not prove that its sender holds the key.
    #[error(transparent)]
    Request(#[from] CsrError),
}

/// The request in a body: base64 of its DER with or without line breaks, whatever its headers say of it (RFC 8951 §3.1), PEM, or
/// the DER itself, as some clients send them. Its signature is verified.
///
/// # Errors
/// [`BodyError`].
pub fn request(body: &[u8]) -> Result<Csr, BodyError> {
    if body.len() > MAX_BODY_OCTETS {
        return Err(BodyError::TooLarge(body.len()));
    }
    // DER begins with a SEQUENCE; base64 of one begins with `M`.
    if body.first() == Some(&0x30) {
        return Ok(csr::parse_der(body)?);
    }
    let text = body.trim_ascii();
    if text.is_empty() {
        return Err(BodyError::Empty);
    }
    if text.starts_with(b"-----") {
        let text = std::str::from_utf8(text).map_err(|_| BodyError::NotBase64)?;
        return Ok(csr::parse_pem(text)?);
    }
    let digits: Vec<u8> = text.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(digits).map_err(|_| BodyError::NotBase64)?;
    Ok(csr::parse_der(&der)?)
}

/// DER as a body: base64 without line feeds (RFC 8951 §3.2 with RFC 4648 §3.1). There are clients that take each for a digit.
pub fn encode(der: &[u8]) -> String {
    STANDARD.encode(der)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{KeyAlgorithm, SubjectNames};
    use crate::ports::Keys;
    use crate::testing::{SeededRng, TestKeys, block_on};

    fn csr() -> Csr {
        block_on(async {
            let key = TestKeys.generate(KeyAlgorithm::EcdsaP256, &SeededRng::new(1)).await.unwrap();
            csr::build(&SubjectNames::new("a.example", &[]).unwrap(), &*key.signer).await.unwrap()
        })
    }

    #[test]
    fn a_request_is_read_however_it_was_wrapped() {
        let csr = csr();
        let plain = STANDARD.encode(csr.der());
        let folded = plain.as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>();
        for body in [
            csr.der().to_vec(),
            plain.clone().into_bytes(),
            encode(csr.der()).into_bytes(),
            folded.join("\n").into_bytes(),
            format!("\r\n  {}\n\n", folded.join(" \t\r\n")).into_bytes(),
            csr.to_pem().into_bytes(),
            format!("\n{}", csr.to_pem().replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")).into_bytes(),
        ] {
            assert_eq!(request(&body).as_ref().map(Csr::der), Ok(csr.der()), "{}", String::from_utf8_lossy(&body));
        }
    }

    #[test]
    fn what_is_no_request_is_refused_with_the_reason() {
        let csr = csr();
        let plain = STANDARD.encode(csr.der());
        let trailing = STANDARD.encode([csr.der(), &[0]].concat());
        let truncated = STANDARD.encode(csr.der().get(..100).unwrap());
        assert_eq!(request(b""), Err(BodyError::Empty));
        assert_eq!(request(b" \r\n"), Err(BodyError::Empty));
        assert_eq!(request(&vec![b'M'; MAX_BODY_OCTETS + 1]), Err(BodyError::TooLarge(MAX_BODY_OCTETS + 1)));
        for body in ["{}", "no base64!", "----BEGIN", &plain[..plain.len() - 3], &format!("{plain}{plain}")] {
            assert_eq!(request(body.as_bytes()), Err(BodyError::NotBase64), "{body}");
        }
        assert_eq!(request(trailing.as_bytes()), Err(BodyError::Request(CsrError::TrailingData)));
        assert!(matches!(request(truncated.as_bytes()), Err(BodyError::Request(CsrError::Malformed(_)))));
        let mut forged = csr.der().to_vec();
        *forged.last_mut().unwrap() ^= 1;
        assert!(matches!(request(&forged), Err(BodyError::Request(_))));
        let two = csr.to_pem().repeat(2);
        assert!(matches!(request(two.as_bytes()), Err(BodyError::Request(CsrError::SeveralBlocks(2)))));
        // BER where DER is due: an indefinite length.
        let indefinite = [&[0x30, 0x80][..], csr.der().get(4..).unwrap(), &[0, 0]].concat();
        assert!(matches!(request(&indefinite), Err(BodyError::Request(CsrError::Malformed(_)))));
    }

    #[test]
    fn a_body_is_one_line() {
        let body = encode(&[7; 200]);
        assert!(!body.contains(['\r', '\n']));
        assert_eq!(STANDARD.decode(body).unwrap(), [7; 200]);
        assert_eq!(encode(&[]), "");
    }
}
