//! Serial numbers of certificates (RFC 5280 §4.1.2.2).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::entity::{Cell, Kind, Value};
use crate::ports::SecureRng;

/// The longest serial number, in octets of its DER contents (RFC 5280 §4.1.2.2).
const MAX_OCTETS: usize = 20;

/// A serial number: a positive integer of at most 20 octets.
///
/// It has one form everywhere: lower-case hexadecimal with an even number of digits, no separators, no sign octet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(Vec<u8>);

/// A text or number that cannot be a serial number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSerial {
    /// Not hexadecimal.
    #[error("`{0}` is not a serial number: write hexadecimal digits, with or without colons")]
    NotHexadecimal(String),
    /// Zero or negative.
    #[error("a serial number is positive (RFC 5280 section 4.1.2.2); this one is zero or negative")]
    NotPositive,
    /// Longer than 20 octets.
    #[error("a serial number has at most 20 octets (RFC 5280 section 4.1.2.2); this one has {octets}")]
    TooLong {
        /// Octets of its DER contents.
        octets: usize,
    },
}

impl Serial {
    /// 159 random bits and never zero: always positive and at most 20 octets, with far more entropy than the 64 bits
    /// that publicly trusted CAs owe (CA/Browser Forum BR §7.1).
    pub fn random(rng: &dyn SecureRng) -> Self {
        loop {
            let mut octets = [0; MAX_OCTETS];
            rng.fill(&mut octets);
            octets[0] &= 0x7f;
            if let Ok(serial) = Self::from_magnitude(&octets) {
                return serial;
            }
        }
    }

    /// From an unsigned big-endian number; leading zeros are dropped.
    ///
    /// # Errors
    /// [`InvalidSerial`] when it is zero, or needs more than 20 octets in DER.
    pub fn from_magnitude(octets: &[u8]) -> Result<Self, InvalidSerial> {
        let start = octets.iter().position(|octet| *octet != 0).ok_or(InvalidSerial::NotPositive)?;
        let magnitude = octets.get(start..).unwrap_or_default();
        let sign_octet = usize::from(magnitude.first().is_some_and(|octet| octet & 0x80 != 0));
        if magnitude.len() + sign_octet > MAX_OCTETS {
            return Err(InvalidSerial::TooLong { octets: magnitude.len() + sign_octet });
        }
        Ok(Self(magnitude.to_vec()))
    }

    /// From the contents of a DER INTEGER, which carry a sign.
    ///
    /// # Errors
    /// [`InvalidSerial`] when it is empty, zero, negative or too long.
    pub fn from_integer(contents: &[u8]) -> Result<Self, InvalidSerial> {
        if contents.first().is_none_or(|octet| octet & 0x80 != 0) {
            return Err(InvalidSerial::NotPositive);
        }
        Self::from_magnitude(contents)
    }

    /// The number, unsigned and big-endian, without leading zeros.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The contents of a DER INTEGER: with a leading zero where the highest bit is set.
    pub fn to_integer(&self) -> Vec<u8> {
        let sign_octet = self.0.first().is_some_and(|octet| octet & 0x80 != 0);
        sign_octet.then_some(0).into_iter().chain(self.0.iter().copied()).collect()
    }
}

impl std::fmt::Display for Serial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl std::str::FromStr for Serial {
    type Err = InvalidSerial;

    /// Reads hexadecimal of either case; colons between octets and leading zeros are accepted.
    fn from_str(text: &str) -> Result<Self, InvalidSerial> {
        let refused = || InvalidSerial::NotHexadecimal(text.chars().take(64).collect());
        // Room for every separator and a sign octet; what is longer is refused before it is copied.
        if text.len() > 3 * (MAX_OCTETS + 1) {
            return Err(refused());
        }
        let mut digits: String = text.chars().filter(|c| *c != ':').collect();
        if digits.is_empty() {
            return Err(refused());
        }
        if digits.len() % 2 == 1 {
            digits.insert(0, '0');
        }
        Self::from_magnitude(&hex::decode(digits).map_err(|_| refused())?)
    }
}

impl Cell for Serial {
    const KIND: Kind = Kind::Text;
    fn to_value(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn from_value(value: Value) -> Option<Self> {
        let text = value.as_text()?;
        // What was stored in the one form need not be looked at digit by digit.
        match hex::decode(text) {
            Ok(octets)
                if octets.first().is_some_and(|first| (1..0x80).contains(first)) && octets.len() <= MAX_OCTETS =>
            {
                Some(Self(octets))
            }
            _ => text.parse().ok(),
        }
    }
}

impl Serialize for Serial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Serial {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_serial_is_the_same_serial() {
        for text in ["0a:FF:01", "aff01", "0AFF01", "00:00:0a:ff:01"] {
            assert_eq!(text.parse::<Serial>().map(|serial| serial.to_string()), Ok("0aff01".to_owned()), "{text}");
        }
        for bad in ["", ":", "xyz", "0", "00:00", "0x12", &"ab".repeat(21), &"1".repeat(10_000)] {
            assert!(bad.parse::<Serial>().is_err(), "{bad}");
        }
    }

    #[test]
    fn twenty_octets_include_the_sign() {
        assert!(Serial::from_magnitude(&[0x7f; 20]).is_ok());
        assert_eq!(Serial::from_magnitude(&[0x80; 20]), Err(InvalidSerial::TooLong { octets: 21 }));
        assert_eq!(Serial::from_integer(&[0x80]), Err(InvalidSerial::NotPositive));
        assert_eq!(Serial::from_integer(&[0, 0x80]).map(|serial| serial.to_integer()), Ok(vec![0, 0x80]));
    }

    struct Stream(std::sync::atomic::AtomicUsize);
    impl SecureRng for Stream {
        fn fill(&self, out: &mut [u8]) {
            let round = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            out.fill(if round == 0 { 0x80 } else { 0xff });
            if round == 0 {
                out[1..].fill(0);
            }
        }
    }

    #[test]
    fn a_random_serial_has_159_bits_and_is_never_zero() {
        // The first draw is zero once its sign bit is cleared, so a second one is taken.
        let serial = Serial::random(&Stream(std::sync::atomic::AtomicUsize::new(0)));
        assert_eq!(serial.to_string(), format!("7f{}", "ff".repeat(19)));
    }
}
