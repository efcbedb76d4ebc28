//! An order, and the steps to its certificate.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Bench;
use crate::connector::{ConnectorError, Issuance, IssueOrder, Issuer, IssuerCapabilities, Predecessor};
use crate::domain::{
    CertificateFacts, Chain, Csr, EnforcedTerms, ExtendedKeyUsage, KeyAlgorithm, KeyFamily, SanKind, SubjectNames,
};
use crate::pki::{certificate, csr};
use crate::ports::Clock;
use crate::testing::block_on;

/// More steps than any issuer needs.
const MOST_STEPS: usize = 50;

/// What a case orders.
pub(super) struct Order {
    pub(super) id: String,
    pub(super) csr: Csr,
    pub(super) names: SubjectNames,
    pub(super) terms: EnforcedTerms,
    pub(super) replaces: Option<Predecessor>,
}

impl Order {
    pub(super) fn step<'a>(&'a self, bench: &Bench<'_>) -> IssueOrder<'a> {
        IssueOrder {
            idempotency_key: &self.id,
            csr: &self.csr,
            names: &self.names,
            terms: &self.terms,
            replaces: self.replaces.as_ref(),
            now: bench.world.fakes.clock.now(),
        }
    }
}

/// An order for these names that the issuer should be able to fulfil.
pub(super) fn order(bench: &Bench<'_>, id: &str, sans: &[&str]) -> Order {
    let capabilities = bench.issuer().capabilities();
    order_with_key(bench, id, sans, first_family(&capabilities))
}

pub(super) fn order_with_key(bench: &Bench<'_>, id: &str, sans: &[&str], family: KeyFamily) -> Order {
    let fakes = &bench.world.fakes;
    let sans: Vec<String> = sans.iter().map(|&san| san.to_owned()).collect();
    let names = SubjectNames::new("", &sans).unwrap();
    let key = block_on(fakes.keys.generate(key_of(family), &*fakes.rng)).unwrap();
    let csr = block_on(csr::build(&names, &*key.signer)).unwrap();
    let usages = bench.issuer().capabilities().ekus;
    let ekus = usages.iter().filter(|usage| **usage == ExtendedKeyUsage::ServerAuth).copied().collect();
    let terms = EnforcedTerms { lifetime: Some(Duration::from_hours(24)), ekus, must_staple: false };
    Order { id: id.to_owned(), csr, names, terms, replaces: None }
}

/// Takes every step of an order, waiting as long as the issuer asks.
pub(super) fn fulfil(bench: &Bench<'_>, issuer: &dyn Issuer, order: &Order) -> Result<Chain, ConnectorError> {
    let mut issuance = block_on(issuer.issue(order.step(bench)))?;
    for _ in 0..MOST_STEPS {
        match issuance {
            Issuance::Issued(chain) => return Ok(chain),
            Issuance::Pending { state, retry_after, .. } => {
                bench.world.fakes.clock.advance(retry_after);
                issuance = block_on(issuer.resume(order.step(bench), &state))?;
            }
        }
    }
    panic!("the order is still pending after {MOST_STEPS} steps")
}

pub(super) fn leaf(chain: &Chain) -> CertificateFacts {
    certificate::parse(chain.leaf()).unwrap()
}

/// A name of that kind.
pub(super) const fn name_of(kind: SanKind) -> &'static str {
    match kind {
        SanKind::Dns => "shop.example.com",
        SanKind::Email => "ops@example.com",
        SanKind::Ip => "192.0.2.7",
        SanKind::Uri => "spiffe://example.com/ns/shop",
    }
}

pub(super) fn key_of(family: KeyFamily) -> KeyAlgorithm {
    match family {
        KeyFamily::Ecdsa => KeyAlgorithm::EcdsaP256,
        KeyFamily::Ed25519 => KeyAlgorithm::Ed25519,
        KeyFamily::Rsa => KeyAlgorithm::Rsa { bits: 2048 },
    }
}

/// ECDSA before others: it is quick to make.
fn first_family(capabilities: &IssuerCapabilities) -> KeyFamily {
    *capabilities.key_families.first().expect("an issuer certifies some keys")
}

/// A name that the issuer certifies.
pub(super) fn known_name(bench: &Bench<'_>) -> &'static str {
    let kinds: BTreeSet<SanKind> = bench.issuer().capabilities().san_kinds;
    name_of(*kinds.first().expect("an issuer certifies some names"))
}
