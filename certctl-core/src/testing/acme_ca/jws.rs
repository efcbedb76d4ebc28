//! What is signed, and by which key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::domain::{Fingerprint, SignatureAlgorithm};
use crate::pki::verify;

/// What stands before the coordinates of a key on P-256 (RFC 5480 §2).
const SPKI: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

/// Whether id-pe-acmeIdentifier holds the digest (RFC 8737 §3).
pub(super) fn shows(certificate: &[u8], key_authorization: &str) -> bool {
    let digest = hex::decode(Fingerprint::of(key_authorization.as_bytes()).to_string()).unwrap();
    let mut value =
        vec![0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1f, 0x01, 0x01, 0xff, 0x04, 0x22, 0x04, 0x20];
    value.extend(digest);
    certificate.windows(value.len()).any(|window| window == value)
}

/// Whether a signature is the key's (RFC 7518 §3.4).
pub(super) fn is_signed(jwk: &Value, message: &[u8], raw: &[u8]) -> bool {
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap_or_default()).unwrap_or_default();
    let spki = [&SPKI[..], &coordinate("x"), &coordinate("y")].concat();
    let Some((r, s)) = raw.split_at_checked(32) else { return false };
    let integer = |octets: &[u8]| {
        let digits: Vec<u8> = octets.iter().copied().skip_while(|octet| *octet == 0).collect();
        let padding: &[u8] = if digits.first().is_none_or(|first| first & 0x80 != 0) { &[0] } else { &[] };
        let contents = [padding, &digits].concat();
        [&[2, u8::try_from(contents.len()).unwrap_or_default()], contents.as_slice()].concat()
    };
    let both = [integer(r), integer(s)].concat();
    let der = [&[0x30, u8::try_from(both.len()).unwrap_or_default()], both.as_slice()].concat();
    verify::signature(&spki, SignatureAlgorithm::EcdsaSha256, message, &der)
}
