//! Signed requests: JWS in flattened JSON with an ES256 key (RFC 7515 §7.2.2, RFC 7518 §3.4, RFC 8555 §6.2).

use std::sync::Arc;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certctl_core::connector::ConnectorError;
use certctl_core::ports::Signer;
use serde_json::{Value, json};

/// The key of an account.
pub(super) struct AccountKey {
    signer: Arc<dyn Signer>,
    x: String,
    y: String,
}

impl AccountKey {
    /// A key on P-256.
    ///
    /// # Errors
    /// A permanent error for any other.
    pub(super) fn of(signer: Arc<dyn Signer>) -> Result<Self, ConnectorError> {
        // SubjectPublicKeyInfo of an uncompressed point on P-256 (RFC 5480 §2): 27 octets, then both coordinates.
        let spki = signer.public_key();
        let coordinate = |range| spki.get(range).map(|octets: &[u8]| URL_SAFE_NO_PAD.encode(octets));
        match (spki.len(), coordinate(27..59), coordinate(59..91)) {
            (91, Some(x), Some(y)) => Ok(Self { signer, x, y }),
            _ => Err(ConnectorError::permanent("the account's key is not on P-256")),
        }
    }

    /// The public key (RFC 7517).
    pub(super) fn jwk(&self) -> Value {
        json!({ "crv": "P-256", "kty": "EC", "x": self.x, "y": self.y })
    }

    /// SHA-256 of the public key in its one form (RFC 7638 §3).
    pub(super) fn thumbprint(&self) -> String {
        // Names sorted, no spaces; base64url needs no escapes.
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, self.x, self.y);
        sha256(canonical.as_bytes())
    }

    /// A request with this protected header; `None` for the empty payload of POST-as-GET (RFC 8555 §6.3).
    pub(super) async fn sign(&self, mut header: Value, payload: Option<&Value>) -> Result<Value, ConnectorError> {
        if let Some(members) = header.as_object_mut() {
            members.insert("alg".to_owned(), json!("ES256"));
        }
        let protected = encode(&header);
        let payload = payload.map(encode).unwrap_or_default();
        let unusable = "the account's key cannot sign";
        let der = self.signer.sign(format!("{protected}.{payload}").as_bytes()).await;
        let der = der.map_err(|error| ConnectorError::permanent(unusable).because(error))?;
        let raw = raw_signature(&der).ok_or_else(|| ConnectorError::permanent(unusable))?;
        Ok(json!({ "protected": protected, "payload": payload, "signature": URL_SAFE_NO_PAD.encode(raw) }))
    }
}

/// That an account belongs to one at the CA outside of ACME (RFC 8555 §7.3.4): the account's key, signed with a shared one.
pub(super) fn external_binding(key_id: &str, hmac_key: &[u8], url: &str, jwk: &Value) -> Value {
    let protected = encode(&json!({ "alg": "HS256", "kid": key_id, "url": url }));
    let payload = encode(jwk);
    let key = hmac::Key::new(hmac::HMAC_SHA256, hmac_key);
    let tag = hmac::sign(&key, format!("{protected}.{payload}").as_bytes());
    json!({ "protected": protected, "payload": payload, "signature": URL_SAFE_NO_PAD.encode(tag) })
}

/// SHA-256, base64url.
pub(super) fn sha256(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, octets))
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Both numbers of an ECDSA signature in 32 octets each (RFC 7518 §3.4), from its DER (RFC 3279 §2.2.3).
fn raw_signature(der: &[u8]) -> Option<[u8; 64]> {
    // Of numbers below 2^256 no length takes more than one octet.
    let [0x30, length, rest @ ..] = der else { return None };
    if usize::from(*length) != rest.len() {
        return None;
    }
    let (r, rest) = integer(rest)?;
    let (s, rest) = integer(rest)?;
    if !rest.is_empty() {
        return None;
    }
    let mut raw = [0; 64];
    let (first, second) = raw.split_at_mut(32);
    first.get_mut(32 - r.len()..)?.copy_from_slice(r);
    second.get_mut(32 - s.len()..)?.copy_from_slice(s);
    Some(raw)
}

/// A positive INTEGER without leading zeros, at most 32 octets, and what follows it.
fn integer(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let [0x02, length, rest @ ..] = der else { return None };
    let (number, rest) = rest.split_at_checked(usize::from(*length))?;
    let number = number.strip_prefix(&[0]).unwrap_or(number);
    (number.len() <= 32).then_some((number, rest))
}

#[cfg(test)]
mod tests {
    use certctl_core::domain::KeyAlgorithm;
    use certctl_core::pki::verify;
    use certctl_core::ports::Keys;
    use certctl_core::testing::{SeededRng, TestKeys, block_on};

    use super::*;

    fn signer(algorithm: KeyAlgorithm) -> Arc<dyn Signer> {
        block_on(TestKeys.generate(algorithm, &SeededRng::new(7))).unwrap().signer
    }

    fn decoded(value: &Value, member: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(value[member].as_str().unwrap()).unwrap()
    }

    /// The inverse of what is sent, to let somebody else verify it.
    fn der(raw: &[u8]) -> Vec<u8> {
        let number = |octets: &[u8]| {
            let start = octets.iter().position(|octet| *octet != 0).unwrap_or(octets.len() - 1);
            let padding: &[u8] = if octets[start] & 0x80 != 0 { &[0] } else { &[] };
            let contents = [padding, &octets[start..]].concat();
            [&[2, u8::try_from(contents.len()).unwrap()], contents.as_slice()].concat()
        };
        let both = [number(&raw[..32]), number(&raw[32..])].concat();
        [&[0x30, u8::try_from(both.len()).unwrap()], both.as_slice()].concat()
    }

    #[test]
    fn a_signature_is_over_header_and_payload_as_rfc_7515_section_5_1_says() {
        let signer = signer(KeyAlgorithm::EcdsaP256);
        let key = AccountKey::of(Arc::clone(&signer)).unwrap();
        // Enough of them that numbers with leading zeros and with padding occur.
        for number in 0..200 {
            let sent = block_on(key.sign(json!({ "nonce": number, "url": "u" }), Some(&json!({})))).unwrap();
            let (protected, payload) = (sent["protected"].as_str().unwrap(), sent["payload"].as_str().unwrap());
            let message = format!("{protected}.{payload}");
            let raw = decoded(&sent, "signature");
            assert_eq!(raw.len(), 64);
            let good =
                verify::signature(signer.public_key(), signer.signature_algorithm(), message.as_bytes(), &der(&raw));
            assert!(good, "{number}");
            let header: Value = serde_json::from_slice(&decoded(&sent, "protected")).unwrap();
            assert_eq!(header, json!({ "alg": "ES256", "nonce": number, "url": "u" }));
        }
        let empty = block_on(key.sign(json!({}), None)).unwrap();
        assert_eq!(empty["payload"], "");
    }

    #[test]
    fn a_thumbprint_is_that_of_rfc_7638_and_other_keys_are_refused() {
        let signer = signer(KeyAlgorithm::EcdsaP256);
        let key = AccountKey::of(signer).unwrap();
        let jwk = key.jwk();
        let (x, y) = (jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap());
        let canonical = serde_json::to_string(&json!({ "crv": "P-256", "kty": "EC", "x": x, "y": y })).unwrap();
        assert_eq!(key.thumbprint(), sha256(canonical.as_bytes()));
        assert!(AccountKey::of(self::signer(KeyAlgorithm::EcdsaP384)).is_err());
        assert!(AccountKey::of(self::signer(KeyAlgorithm::Ed25519)).is_err());
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        for bad in
            [&[][..], &[0x30], &[0x30, 0], &[0x30, 3, 2, 1, 1], &[0x30, 6, 2, 1, 1, 2, 1, 1, 0], &[0x30, 0x81, 6]]
        {
            assert_eq!(raw_signature(bad), None, "{bad:?}");
        }
        let mut long = vec![0x30, 40, 2, 35];
        long.extend([1; 35]);
        long.extend([2, 1, 1]);
        assert_eq!(raw_signature(&long), None, "more than 256 bits");
        assert!(raw_signature(&[0x30, 6, 2, 1, 1, 2, 1, 1]).is_some());
    }

    #[test]
    fn an_external_binding_is_signed_with_the_shared_key() {
        let bound = external_binding("kid-1", b"shared", "https://ca.example/new-account", &json!({ "kty": "EC" }));
        let header: Value = serde_json::from_slice(&decoded(&bound, "protected")).unwrap();
        assert_eq!(header, json!({ "alg": "HS256", "kid": "kid-1", "url": "https://ca.example/new-account" }));
        let message = format!("{}.{}", bound["protected"].as_str().unwrap(), bound["payload"].as_str().unwrap());
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"shared");
        hmac::verify(&key, message.as_bytes(), &decoded(&bound, "signature")).unwrap();
    }
}
