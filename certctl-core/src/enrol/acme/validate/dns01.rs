//! dns-01 (RFC 8555 §8.4).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Proof, incorrect};
use crate::domain::AcmeIdentifierType;
use crate::enrol::acme::config::AcmeValidation;
use crate::enrol::acme::problem::{Problem, ProblemType};
use crate::ports::Ports;

pub(super) async fn validate(ports: &Ports, how: &AcmeValidation, proof: &Proof<'_>) -> Result<(), Problem> {
    if proof.kind != AcmeIdentifierType::Dns {
        return Err(Problem::malformed("an IP address is not proven by the DNS (RFC 8738 section 7)"));
    }
    let name = format!("_acme-challenge.{}", proof.name);
    let found = ports.resolver.txt(&name, &how.dns_servers).await;
    let found = found.map_err(|error| Problem::new(ProblemType::Dns, error.to_string()))?;
    let expected = URL_SAFE_NO_PAD.encode(proof.digest());
    if found.contains(&expected) {
        return Ok(());
    }
    Err(incorrect(match found.len() {
        0 => format!("there is no TXT record at {name}"),
        count => format!("none of the {count} TXT records at {name} is that of this challenge and account"),
    }))
}
