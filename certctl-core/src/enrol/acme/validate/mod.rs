//! Looking whether a challenge is met (RFC 8555 §8, RFC 8737, RFC 8738). Everything that is called was named by a stranger, so all of
//! it goes through the egress guard, and nothing of what came back is shown.

pub(crate) mod caa;
mod dns01;
mod http01;
mod tls_alpn01;

use std::net::IpAddr;

use aws_lc_rs::digest;

use super::config::AcmeValidation;
use super::problem::{Problem, ProblemType};
use crate::domain::{AcmeChallengeType, AcmeIdentifierType};
use crate::ports::Ports;

/// What has to be proven, and by whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proof<'a> {
    /// The kind of the name.
    pub(crate) kind: AcmeIdentifierType,
    /// The name, without the `*.` of a wildcard.
    pub(crate) name: &'a str,
    /// The challenge's token.
    pub(crate) token: &'a str,
    /// The thumbprint of the account's key.
    pub(crate) thumbprint: &'a str,
}

impl Proof<'_> {
    /// What only the account's holder can have published (RFC 8555 §8.1).
    fn key_authorization(&self) -> String {
        format!("{}.{}", self.token, self.thumbprint)
    }

    /// SHA-256 over it.
    fn digest(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, self.key_authorization().as_bytes()).as_ref().to_vec()
    }

    /// The name as the host of a URL: an IPv6 address in brackets.
    fn host(&self) -> String {
        match self.name.parse() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.name.to_owned(),
        }
    }
}

/// Looks once.
pub(crate) async fn validate(
    ports: &Ports,
    how: &AcmeValidation,
    (kind, proof): (AcmeChallengeType, &Proof<'_>),
) -> Result<(), Problem> {
    match kind {
        AcmeChallengeType::Dns01 => dns01::validate(ports, how, proof).await,
        AcmeChallengeType::Http01 => http01::validate(ports, how, proof).await,
        AcmeChallengeType::TlsAlpn01 => tls_alpn01::validate(ports, how, proof).await,
    }
}

fn incorrect(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemType::IncorrectResponse, detail)
}

fn unreachable(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemType::Connection, detail)
}
