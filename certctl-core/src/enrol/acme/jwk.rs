//! Public keys as JSON (RFC 7517, RFC 7518 §6, RFC 8037) and their thumbprints (RFC 7638).

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::domain::KeyAlgorithm;
use crate::pki::{RawKey, key};

/// The smallest and the largest modulus of an RSA key, in bits. Larger ones cost more to verify than strangers may cost.
const RSA_BITS: std::ops::RangeInclusive<u16> = 2048..=4096;

/// A public key that can sign messages of this protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    spki: Vec<u8>,
    algorithm: KeyAlgorithm,
    thumbprint: String,
}

/// Why a key is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key cannot be used: {0}")]
pub struct BadKey(String);

/// The members of a key as they were sent. Those of private keys are looked at only to refuse them.
#[derive(Deserialize)]
pub(super) struct WrittenJwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<IgnoredAny>,
    k: Option<IgnoredAny>,
}

/// How a message is signed (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwsAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl JwsAlgorithm {
    /// The algorithm of this name, if it is one that accounts sign with. `none` and HMACs are not.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "ES256" => Some(Self::Es256),
            "ES384" => Some(Self::Es384),
            "EdDSA" => Some(Self::EdDsa),
            "RS256" => Some(Self::Rs256),
            _ => None,
        }
    }
}

impl Jwk {
    /// Reads a key.
    ///
    /// # Errors
    /// [`BadKey`] for a kind that accounts do not use, a wrong or missing member, a private key, or an RSA key of less than 2048
    /// or more than 4096 bits.
    pub fn parse(json: &[u8]) -> Result<Self, BadKey> {
        Self::read(&serde_json::from_slice(json).map_err(|error| BadKey(error.to_string()))?)
    }

    pub(super) fn read(written: &WrittenJwk) -> Result<Self, BadKey> {
        if written.d.is_some() || written.k.is_some() {
            return refused("it holds a private or symmetric key; never send one");
        }
        match (written.kty.as_str(), written.crv.as_deref()) {
            ("EC", Some("P-256")) => Self::elliptic(written, KeyAlgorithm::EcdsaP256, 32),
            ("EC", Some("P-384")) => Self::elliptic(written, KeyAlgorithm::EcdsaP384, 48),
            ("OKP", Some("Ed25519")) => {
                let x = octets(written.x.as_deref(), "x")?;
                if x.len() != 32 {
                    return refused("`x` of Ed25519 has 32 octets");
                }
                Self::of_spki(&RawKey::Ed25519(&x).to_spki())
            }
            ("RSA", None) => Self::rsa(written),
            ("EC" | "OKP", _) => refused("its curve is none of P-256, P-384, Ed25519"),
            _ => refused("its `kty` is none of EC, OKP, RSA"),
        }
    }

    /// The key of a DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    ///
    /// # Errors
    /// [`BadKey`] for a kind that accounts do not use.
    pub fn of_spki(spki: &[u8]) -> Result<Self, BadKey> {
        let read = key::read(spki).map_err(|damage| BadKey(damage.to_string()))?;
        let Some(algorithm) = read.algorithm else { return refused("it is of an unknown kind") };
        let encode = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        // RFC 7638 §3.2: the required members in the order of their names, without space.
        let canonical = match algorithm {
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 => {
                let curve = if algorithm == KeyAlgorithm::EcdsaP256 { "P-256" } else { "P-384" };
                let point = read.bits.get(1..).unwrap_or_default();
                let (x, y) = point.split_at_checked(point.len() / 2).unwrap_or_default();
                format!(r#"{{"crv":"{curve}","kty":"EC","x":"{}","y":"{}"}}"#, encode(x), encode(y))
            }
            KeyAlgorithm::Ed25519 => {
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(read.bits))
            }
            KeyAlgorithm::Rsa { bits } => {
                if !RSA_BITS.contains(&bits) {
                    return refused("its modulus has less than 2048 or more than 4096 bits");
                }
                let (n, e) = key::rsa_numbers(read.bits).map_err(|damage| BadKey(damage.to_string()))?;
                if e.len() > 5 || e.last().is_none_or(|last| last & 1 == 0) || e == [1] {
                    return refused("its exponent is even, 1, or larger than anybody needs");
                }
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(e), encode(n))
            }
        };
        let hash = digest::digest(&digest::SHA256, canonical.as_bytes());
        Ok(Self { spki: spki.to_vec(), algorithm, thumbprint: encode(hash.as_ref()) })
    }

    fn elliptic(written: &WrittenJwk, algorithm: KeyAlgorithm, size: usize) -> Result<Self, BadKey> {
        let (x, y) = (octets(written.x.as_deref(), "x")?, octets(written.y.as_deref(), "y")?);
        if x.len() != size || y.len() != size {
            // RFC 7518 §6.2.1.2: the full size of a coordinate, zeros and all.
            return refused("`x` and `y` do not have the size of the curve's coordinates");
        }
        let (x, y) = (&x, &y);
        let key = if algorithm == KeyAlgorithm::EcdsaP256 { RawKey::P256 { x, y } } else { RawKey::P384 { x, y } };
        Self::of_spki(&key.to_spki())
    }

    fn rsa(written: &WrittenJwk) -> Result<Self, BadKey> {
        let (n, e) = (octets(written.n.as_deref(), "n")?, octets(written.e.as_deref(), "e")?);
        if n.len() > usize::from(*RSA_BITS.end() / 8) + 1 || e.len() > 8 {
            return refused("its modulus has more than 4096 bits, or its exponent more than 64");
        }
        Self::of_spki(&RawKey::Rsa { n: &n, e: &e }.to_spki())
    }

    /// DER SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The SHA-256 thumbprint, base64url (RFC 7638; RFC 8555 §8.1).
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Whether an algorithm is for such keys.
    pub fn signs_with(&self, algorithm: JwsAlgorithm) -> bool {
        self.verifier(algorithm).is_some()
    }

    /// Whether the signature is the key's over the message. False also for an algorithm that is not for such keys.
    pub fn verify(&self, algorithm: JwsAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        let Ok(read) = key::read(&self.spki) else { return false };
        self.verifier(algorithm)
            .is_some_and(|verifier| UnparsedPublicKey::new(verifier, read.bits).verify(message, signature).is_ok())
    }

    fn verifier(&self, algorithm: JwsAlgorithm) -> Option<&'static dyn VerificationAlgorithm> {
        Some(match (self.algorithm, algorithm) {
            (KeyAlgorithm::EcdsaP256, JwsAlgorithm::Es256) => &ECDSA_P256_SHA256_FIXED,
            (KeyAlgorithm::EcdsaP384, JwsAlgorithm::Es384) => &ECDSA_P384_SHA384_FIXED,
            (KeyAlgorithm::Ed25519, JwsAlgorithm::EdDsa) => &ED25519,
            (KeyAlgorithm::Rsa { .. }, JwsAlgorithm::Rs256) => &RSA_PKCS1_2048_8192_SHA256,
            _ => return None,
        })
    }
}

fn refused<T>(why: &str) -> Result<T, BadKey> {
    Err(BadKey(why.to_owned()))
}

fn octets(text: Option<&str>, name: &str) -> Result<Vec<u8>, BadKey> {
    let text = text.ok_or_else(|| BadKey(format!("`{name}` is missing")))?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| BadKey(format!("`{name}` is not base64url without padding")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Jwk, BadKey> {
        Jwk::parse(text.as_bytes())
    }

    const N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4\
                     n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0z\
                     gdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-cs\
                     FCur-kEgU8awapJzKnqDKgw";

    #[test]
    fn the_thumbprint_is_that_of_the_example_of_rfc_7638_section_3_1() {
        let key = parse(&format!(r#"{{"kty":"RSA","n":"{N}","e":"AQAB","alg":"RS256","kid":"2011-04-29"}}"#)).unwrap();
        assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert!(key.signs_with(JwsAlgorithm::Rs256) && !key.signs_with(JwsAlgorithm::Es256));
        assert_eq!(Jwk::of_spki(key.spki()), Ok(key));
    }

    #[test]
    fn the_signature_of_the_example_of_rfc_8037_appendix_a_verifies() {
        let key = parse(r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#).unwrap();
        assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let signed = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(key.verify(JwsAlgorithm::EdDsa, signed.as_bytes(), &signature));
        assert!(!key.verify(JwsAlgorithm::EdDsa, b"else", &signature));
        assert!(!key.verify(JwsAlgorithm::Es256, signed.as_bytes(), &signature));
    }

    #[test]
    fn what_is_no_public_key_of_an_account_is_refused() {
        let short = &N[..170];
        for bad in [
            "7",
            "{}",
            r#"{"kty":"oct","k":"AAAA"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"AAAA"}"#,
            r#"{"kty":"OKP","crv":"Ed448","x":"AAAA"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo="}"#,
            r#"{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}"#,
            r#"{"kty":"EC","crv":"P-521","x":"AAAA","y":"AAAA"}"#,
            r#"{"kty":"EC","crv":"P-256","crv":"P-256","x":"AAAA","y":"AAAA"}"#,
            &format!(r#"{{"kty":"RSA","n":"{short}","e":"AQAB"}}"#),
            &format!(r#"{{"kty":"RSA","n":"{N}","e":"AQAA"}}"#),
            &format!(r#"{{"kty":"RSA","n":"{N}","e":"AQ"}}"#),
            &format!(r#"{{"kty":"RSA","n":"{N}{N}{N}","e":"AQAB"}}"#),
            r#"{"kty":"RSA","n":"","e":""}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
