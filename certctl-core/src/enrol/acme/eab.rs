//! The binding of an account to an external one (RFC 8555 §7.3.4).

use aws_lc_rs::hmac;

use super::jwk::Jwk;
use super::jws::{self, Message, Signer};
use super::problem::{Problem, ProblemType};

/// A binding that has the right form. Its MAC is not verified yet.
#[derive(Debug)]
pub struct Binding {
    message: Message,
    kid: String,
}

/// Reads the binding of a request for an account: it must be for the same URL and the same key as the request.
///
/// # Errors
/// `malformed`, and `badSignatureAlgorithm` for another algorithm than HS256.
pub fn parse(binding: &[u8], url: &str, key: &Jwk) -> Result<Binding, Problem> {
    let wrong = |why: &str| Problem::malformed(format!("externalAccountBinding: {why}"));
    let message = jws::parse(binding)?;
    if message.nonce.is_some() {
        return Err(wrong("it must have no nonce"));
    }
    if message.url != url {
        return Err(wrong("its `url` is not that of the request around it"));
    }
    // What is made with a shared key says nothing about who else could have made it, so this is its only use.
    if message.algorithm != "HS256" {
        return Err(Problem::new(ProblemType::BadSignatureAlgorithm, "externalAccountBinding: use HS256"));
    }
    let Signer::Kid(kid) = message.signer.clone() else {
        return Err(wrong("its `kid` is the id of the credential, and it has no `jwk`"));
    };
    match Jwk::parse(&message.payload) {
        Ok(bound) if bound.thumbprint() == key.thumbprint() => Ok(Binding { message, kid }),
        _ => Err(wrong("its payload is not the key of the request around it")),
    }
}

impl Binding {
    /// The id of the credential.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Whether whoever made it knows the credential's key.
    pub fn is_made_with(&self, key: &[u8]) -> bool {
        let (signed, mac) = self.message.signed();
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), signed, mac).is_ok()
    }
}
