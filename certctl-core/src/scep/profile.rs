//! A profile of the SCEP server: a path, and what is done there.

use crate::domain::Chain;
use crate::enrol::EnrolTerms;
use crate::pki::cms::Strength;
use crate::ports::Secret;

/// What is done at `/scep/{name}`.
#[derive(Clone, Debug)]
pub struct ScepProfile {
    /// Its name in the path: 1 to [`LONGEST_NAME`](Self::LONGEST_NAME) of `a-z 0-9 - _`.
    pub name: String,
    /// By what rules certificates are issued, and in whose name they are kept.
    pub terms: EnrolTerms,
    /// The challenge password that every client shares. Where it is absent, each client needs one of its own
    /// ([`CreateChallenge`](super::CreateChallenge)); those are good in any case.
    pub challenge: Option<Secret>,
    /// Which algorithms are accepted.
    pub strength: Strength,
    /// How many wrong challenge passwords and certificates from one address in an hour are too many: right ones are refused as
    /// well then. Whoever transports the messages counts them.
    pub failures_per_hour: u32,
    /// The certificate and key under which it answers; its own, which the issuer certifies, when absent.
    pub authority: Option<GivenAuthority>,
}

/// A registration authority that the operator brings.
#[derive(Clone, Debug)]
pub struct GivenAuthority {
    /// Its certificate, for signatures and key encipherment, then those above it.
    pub chain: Chain,
    /// Its private key, PEM.
    pub key_pem: Secret,
}

impl ScepProfile {
    /// What [`failures_per_hour`](Self::failures_per_hour) usually is: a building full of devices may share an address.
    pub const FAILURES: u32 = 100;

    /// The profile of `/scep` itself.
    pub const DEFAULT: &'static str = "default";

    /// The longest name, in characters: it is part of the registration authority's common name.
    pub const LONGEST_NAME: usize = 32;

    /// Whether a text can be a profile's name.
    pub fn is_name(text: &str) -> bool {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        (1..=Self::LONGEST_NAME).contains(&text.len()) && text.chars().all(plain)
    }

    /// The capabilities, each of which is true (RFC 8894 §3.5.2). SHA-384 is not in the RFC's list, but messages with it are
    /// read; strongSwan before 6.0 takes the bits of its own list for others and asks for this one when it means `AES`,
    /// `SCEPStandard` and `Renewal`.
    pub fn capabilities(&self) -> Vec<&'static str> {
        let mut words = vec!["AES", "POSTPKIOperation", "Renewal", "SHA-256", "SHA-384", "SHA-512", "SCEPStandard"];
        if self.strength == Strength::Legacy {
            words.extend(["DES3", "SHA-1"]);
        }
        words
    }
}
