//! Fingerprints of certificates: SHA-256 over the DER.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::entity::{Cell, Kind, Value};

/// SHA-256 over the DER of a certificate, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

/// A text that is no fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a SHA-256 fingerprint: write 64 hexadecimal digits, with or without colons")]
pub struct InvalidFingerprint(String);

impl Fingerprint {
    /// The fingerprint of these bytes.
    pub fn of(der: &[u8]) -> Self {
        let mut octets = [0; 32];
        for (octet, hashed) in octets.iter_mut().zip(digest(&SHA256, der).as_ref()) {
            *octet = *hashed;
        }
        Self(octets)
    }

    /// Reads hexadecimal of either case; colons are accepted.
    ///
    /// # Errors
    /// [`InvalidFingerprint`] with the text.
    pub fn parse(text: &str) -> Result<Self, InvalidFingerprint> {
        let refused = || InvalidFingerprint(text.chars().take(100).collect());
        if text.len() > 3 * 32 {
            return Err(refused());
        }
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        let octets = hex::decode(digits).map_err(|_| refused())?;
        octets.try_into().map(Self).map_err(|_| refused())
    }

    /// The 32 octets.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::str::FromStr for Fingerprint {
    type Err = InvalidFingerprint;
    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        Self::parse(text)
    }
}

impl Cell for Fingerprint {
    const KIND: Kind = Kind::Text;
    fn to_value(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn from_value(value: Value) -> Option<Self> {
        Self::parse(value.as_text()?).ok()
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_sha256_in_lower_case() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Fingerprint::of(b"abc").to_string(), abc);
        assert_eq!(Fingerprint::parse(&abc.to_uppercase()), Ok(Fingerprint::of(b"abc")));
        for bad in ["", "ba78", &abc[1..], &format!("{abc}00"), "zz"] {
            assert!(Fingerprint::parse(bad).is_err(), "{bad}");
        }
    }
}
