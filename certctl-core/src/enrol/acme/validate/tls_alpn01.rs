//! tls-alpn-01 (RFC 8737, RFC 8738 §6).

use std::net::IpAddr;

use super::{Proof, incorrect, unreachable};
use crate::domain::AcmeIdentifierType;
use crate::enrol::acme::config::AcmeValidation;
use crate::enrol::acme::problem::{Problem, ProblemType};
use crate::pki;
use crate::ports::{Egress, Endpoint, Ports, ProbeError, TlsProbeRequest};

/// The protocol that is asked for (RFC 8737 §4).
const PROTOCOL: &str = "acme-tls/1";

pub(super) async fn validate(ports: &Ports, how: &AcmeValidation, proof: &Proof<'_>) -> Result<(), Problem> {
    let request = TlsProbeRequest {
        endpoint: Endpoint { host: proof.name.to_owned(), port: how.tls_port },
        server_name: Some(server_name(proof)),
        timeout: how.timeout,
        egress: Egress::Untrusted,
    };
    let seen = ports.tls.probe_protocol(&request, PROTOCOL).await.map_err(|error| failure(&error))?;
    let leaf = seen.chain.first().ok_or_else(|| incorrect("the TLS server showed no certificate"))?;
    let read = pki::certificate::acme_identifier(leaf);
    let (facts, digest) = read.map_err(|_| incorrect("the TLS server showed something that is no certificate"))?;
    let named: Vec<String> = facts.names.sans.iter().map(ToString::to_string).collect();
    if named != [proof.name] || !facts.other_names.is_empty() {
        return Err(incorrect("the certificate of the TLS server does not have the name as its only one"));
    }
    match digest {
        Some(digest) if digest == proof.digest() => Ok(()),
        Some(_) => Err(incorrect("the acmeIdentifier of the certificate is not that of this challenge and account")),
        None => Err(incorrect("the certificate of the TLS server has no critical acmeIdentifier")),
    }
}

/// An address is asked for by the name that it has in the reverse tree (RFC 8738 §6).
fn server_name(proof: &Proof<'_>) -> String {
    match (proof.kind, proof.name.parse::<IpAddr>()) {
        (AcmeIdentifierType::Ip, Ok(IpAddr::V4(address))) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        (AcmeIdentifierType::Ip, Ok(IpAddr::V6(address))) => {
            let nibbles = address.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            let labels: Vec<String> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
            format!("{}.ip6.arpa", labels.join("."))
        }
        _ => proof.name.to_owned(),
    }
}

fn failure(error: &ProbeError) -> Problem {
    match error {
        ProbeError::Refused { .. } => {
            Problem::new(ProblemType::RejectedIdentifier, "the name leads to an address that this server does not call")
        }
        ProbeError::Handshake { .. } => Problem::new(ProblemType::Tls, error.to_string()),
        other => unreachable(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_asked_for_by_its_reverse_name() {
        let name = |kind, name| server_name(&Proof { kind, name, token: "", thumbprint: "" });
        assert_eq!(name(AcmeIdentifierType::Dns, "a.example"), "a.example");
        assert_eq!(name(AcmeIdentifierType::Ip, "192.0.2.7"), "7.2.0.192.in-addr.arpa");
        let long = name(AcmeIdentifierType::Ip, "2001:db8::1");
        assert_eq!(long, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
    }
}
