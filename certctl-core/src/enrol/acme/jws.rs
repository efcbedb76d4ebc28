//! Signed messages: the flattened JSON of RFC 7515 §7.2.2 with what RFC 8555 §6.2 makes of it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::jwk::{Jwk, JwsAlgorithm, WrittenJwk};
use super::problem::{Problem, ProblemType};

/// The longest message that is read, in octets: a request for a certificate of 64 KiB, in base64url twice.
pub const MAX_MESSAGE: usize = 160 * 1024;
/// The longest protected header, in characters of base64url.
const MAX_HEADER: usize = 16 * 1024;
/// The longest signature, in characters of base64url: RSA with 4096 bits.
const MAX_SIGNATURE: usize = 1024;

/// A message as it came, taken apart. Its signature is not verified.
#[derive(Clone, Debug)]
pub struct Message {
    /// The name of the algorithm.
    pub algorithm: String,
    /// For which URL it was made.
    pub url: String,
    /// The nonce, if it has one.
    pub nonce: Option<String>,
    /// Whose it says that it is.
    pub signer: Signer,
    /// The payload.
    pub payload: Vec<u8>,
    signed: Vec<u8>,
    signature: Vec<u8>,
}

/// By what a message names its key: RFC 8555 §6.2 has it name exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The key itself.
    Jwk(Box<Jwk>),
    /// An identifier of it: the URL of an account, or the id of a credential.
    Kid(String),
}

#[derive(Deserialize)]
struct Flattened {
    protected: String,
    payload: String,
    signature: String,
    header: Option<IgnoredAny>,
    signatures: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Protected {
    alg: String,
    url: String,
    nonce: Option<String>,
    kid: Option<String>,
    jwk: Option<WrittenJwk>,
    crit: Option<IgnoredAny>,
    b64: Option<IgnoredAny>,
}

/// Takes a message apart.
///
/// # Errors
/// `malformed` when it is too long, no flattened JSON Web Signature, or one with more or less in its header than the protocol
/// allows; `badPublicKey` for a key that cannot be used.
pub fn parse(message: &[u8]) -> Result<Message, Problem> {
    let malformed = |why: String| Problem::malformed(format!("the request is no signed message: {why}"));
    if message.len() > MAX_MESSAGE {
        return Err(malformed(format!("it has more than {MAX_MESSAGE} octets")).with_status(413));
    }
    let flattened: Flattened = serde_json::from_slice(message).map_err(|error| malformed(error.to_string()))?;
    if flattened.header.is_some() || flattened.signatures.is_some() {
        return Err(malformed("it has an unprotected header or several signatures (RFC 8555 section 6.2)".into()));
    }
    if flattened.protected.len() > MAX_HEADER || flattened.signature.len() > MAX_SIGNATURE {
        return Err(malformed("its header or its signature is too long".into()));
    }
    let decode = |text: &str, what: &str| {
        let decoded = URL_SAFE_NO_PAD.decode(text);
        decoded.map_err(|_| malformed(format!("`{what}` is not base64url without padding")))
    };
    let header = decode(&flattened.protected, "protected")?;
    let payload = decode(&flattened.payload, "payload")?;
    let signature = decode(&flattened.signature, "signature")?;
    let header: Protected =
        serde_json::from_slice(&header).map_err(|error| malformed(format!("its protected header: {error}")))?;
    if header.crit.is_some() || header.b64.is_some() {
        return Err(malformed("its header asks for extensions that are not understood (`crit`, `b64`)".into()));
    }
    let signer = match (header.kid, header.jwk) {
        (Some(kid), None) => Signer::Kid(kid),
        (None, Some(jwk)) => {
            let jwk = Jwk::read(&jwk);
            Signer::Jwk(Box::new(jwk.map_err(|bad| Problem::new(ProblemType::BadPublicKey, bad.to_string()))?))
        }
        (Some(_), Some(_)) => return Err(malformed("its header has both `kid` and `jwk`; send one".into())),
        (None, None) => return Err(malformed("its header has neither `kid` nor `jwk`".into())),
    };
    let covered = format!("{}.{}", flattened.protected, flattened.payload).into_bytes();
    let (algorithm, url, nonce) = (header.alg, header.url, header.nonce);
    Ok(Message { algorithm, url, nonce, signer, payload, signed: covered, signature })
}

impl Message {
    /// Verifies that the key signed it, with an algorithm that is for such keys.
    ///
    /// # Errors
    /// `badSignatureAlgorithm`, or `malformed` when the signature is not the key's.
    pub fn verify(&self, key: &Jwk) -> Result<(), Problem> {
        let algorithm = JwsAlgorithm::named(&self.algorithm).filter(|algorithm| key.signs_with(*algorithm));
        let Some(algorithm) = algorithm else {
            let shown: String = self.algorithm.chars().take(20).collect();
            let detail = format!("`{shown}` is no algorithm for messages that are signed with this key");
            return Err(Problem::new(ProblemType::BadSignatureAlgorithm, detail));
        };
        if key.verify(algorithm, &self.signed, &self.signature) {
            return Ok(());
        }
        Err(Problem::malformed("the signature of the message does not verify"))
    }

    /// What the signature is over, and the signature.
    pub(super) fn signed(&self) -> (&[u8], &[u8]) {
        (&self.signed, &self.signature)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn message(header: &Value, more: Value) -> Vec<u8> {
        let mut flattened = json!({
            "protected": URL_SAFE_NO_PAD.encode(header.to_string()), "payload": "", "signature": "AAAA",
        });
        flattened.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        flattened.to_string().into_bytes()
    }

    const KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    #[test]
    fn what_is_no_message_of_the_protocol_is_refused() {
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": KEY });
        let good = json!({ "alg": "EdDSA", "url": "https://a/", "nonce": "n", "jwk": jwk });
        let with = |name: &str, value: Value| {
            let mut header = good.clone();
            header[name] = value;
            header
        };
        let without = |name: &str| {
            let mut header = good.clone();
            header.as_object_mut().unwrap().remove(name);
            header
        };
        assert!(parse(&message(&good, json!({}))).is_ok());
        assert!(parse(&message(&with("later", json!(1)), json!({ "later": 1 }))).is_ok());
        for bad in [
            message(&with("kid", json!("https://a/acct")), json!({})),
            message(&without("jwk"), json!({})),
            message(&without("url"), json!({})),
            message(&without("alg"), json!({})),
            message(&with("crit", json!(["b64"])), json!({})),
            message(&with("b64", json!(false)), json!({})),
            message(&with("nonce", json!(7)), json!({})),
            message(&with("jwk", json!({ "kty": "oct", "k": "AAAA" })), json!({})),
            message(&good, json!({ "header": { "alg": "none" } })),
            message(&good, json!({ "signatures": [] })),
            message(&good, json!({ "signature": "AA==" })),
            message(&good, json!({ "payload": "a b" })),
            message(&good, json!({ "payload": 7 })),
            b"eyJhbGciOiJub25lIn0..".to_vec(),
            b"[]".to_vec(),
            Vec::new(),
            vec![b'['; 10_000],
        ] {
            assert!(parse(&bad).is_err(), "{}", String::from_utf8_lossy(&bad));
        }
        assert_eq!(parse(&vec![b' '; MAX_MESSAGE + 1]).unwrap_err().status(), 413);
    }

    #[test]
    fn an_algorithm_is_taken_by_its_name_and_the_kind_of_the_key() {
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": KEY });
        for algorithm in ["none", "HS256", "RS256", "ES256", "eddsa", "PS256", ""] {
            let header = json!({ "alg": algorithm, "url": "https://a/", "jwk": jwk });
            let parsed = parse(&message(&header, json!({}))).unwrap();
            let Signer::Jwk(key) = parsed.signer.clone() else { panic!("{parsed:?}") };
            assert_eq!(parsed.verify(&key).unwrap_err().kind, ProblemType::BadSignatureAlgorithm, "{algorithm}");
        }
    }
}
