//! Looking up which CAs a name is for (RFC 8659 §3).

use crate::enrol::acme::caa::{Issuance, verdict};
use crate::enrol::acme::config::AcmeValidation;
use crate::enrol::acme::problem::{Problem, ProblemType};
use crate::ports::Ports;

/// Asks for the CAA records of a name, or of the nearest name above it that has any. Where nobody answers, nobody knows, and nothing
/// is allowed.
pub(crate) async fn check(
    ports: &Ports,
    how: &AcmeValidation,
    (name, issuance): (&str, &Issuance<'_>),
) -> Result<(), Problem> {
    for domain in climb(name) {
        let found = ports.resolver.caa(domain, &how.dns_servers).await;
        let found = found.map_err(|error| Problem::new(ProblemType::Dns, format!("CAA records: {error}")))?;
        if !found.is_empty() {
            let verdict = verdict(&found, issuance);
            return verdict.map_err(|why| {
                Problem::new(ProblemType::Caa, format!("the CAA records at {domain} {why} (RFC 8659)"))
            });
        }
    }
    Ok(())
}

/// The name and those above it, without the root.
fn climb(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, above)| above))
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_climbed_to_the_top_level() {
        assert_eq!(climb("a.b.example").collect::<Vec<_>>(), ["a.b.example", "b.example", "example"]);
        assert_eq!(climb("localhost").collect::<Vec<_>>(), ["localhost"]);
    }
}
