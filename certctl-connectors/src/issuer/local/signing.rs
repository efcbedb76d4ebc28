//! The CA at work: opened, checked, and what it puts into a leaf.

use std::time::Duration;

use certctl_core::connector::{Authority, ConnectorError, ConnectorErrorKind, IssueOrder, LintScope};
use certctl_core::domain::{Chain, Serial, Timestamp};
use certctl_core::pki::certificate::{self, LeafRequest, SigningError};
use certctl_core::pki::chain::{check_signatures, check_validity};
use certctl_core::pki::key;
use certctl_core::pki::lint::Scope;
use certctl_core::pki::path::limits_what_is_below;
use certctl_core::pki::verify;
use certctl_core::ports::SecureRng;

use super::config::LocalCaTerms;

/// What a test signs: no DER, so it can be neither a certificate nor anything else that a CA signs.
const PROBE: &[u8] = b"certctl asks whether this CA key signs; this is no certificate";

/// A certificate holds whole seconds.
const SECOND: Duration = Duration::from_secs(1);

/// An opened authority whose key and certificate belong together.
pub(super) struct SigningCa {
    /// With the CA certificate first, then those above it as they are known now.
    authority: Authority,
    lends: certificate::Authority,
    not_before: Timestamp,
    /// Whether a certificate of the chain limits names or policies below it.
    limits: bool,
}

impl SigningCa {
    /// Checks what was opened.
    pub(super) fn new(mut authority: Authority, terms: &LocalCaTerms) -> Result<Self, ConnectorError> {
        let unusable = |error: certctl_core::pki::PkiError| {
            ConnectorError::permanent("the CA certificate cannot be used").because(error)
        };
        let lends = certificate::Authority::from_certificate(authority.chain.leaf()).map_err(unusable)?;
        if !key::are_same(lends.spki(), authority.signer.public_key()) {
            return Err(ConnectorError::permanent(
                "the CA key does not belong to the CA certificate; configure the two that belong together",
            ));
        }
        let not_before = certificate::parse(authority.chain.leaf()).map_err(unusable)?.not_before;
        // The store keeps a given CA by its own certificate; those above it may be others by now.
        if let Some(given) = terms.given_chain.clone().filter(|_| terms.signing_ca.is_none()) {
            authority.chain = given;
        }
        check_signatures(&authority.chain).map_err(|error| {
            ConnectorError::permanent(
                "the CA certificate and those above it are no chain; configure those that belong together",
            )
            .because(error)
        })?;
        let limits = limits_what_is_below(&authority.chain);
        Ok(Self { authority, lends, not_before, limits })
    }

    /// What signs.
    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Signs one leaf: the chain is the leaf, the CA certificate, and those above it as they are known.
    pub(super) async fn sign(
        &self,
        order: &IssueOrder<'_>,
        terms: &LocalCaTerms,
        rng: &dyn SecureRng,
    ) -> Result<Chain, ConnectorError> {
        self.check_now(order.now)?;
        let (not_before, not_after) = self.validity(order, terms)?;
        let serial = Serial::random(rng);
        let request = LeafRequest {
            names: order.names.clone(),
            spki: order.csr.spki().to_vec(),
            crl_urls: self.crl_urls(&serial, terms),
            serial,
            not_before,
            not_after,
            extended_key_usages: order.terms.ekus.clone(),
            must_staple: order.terms.must_staple,
            policies: Vec::new(),
            ocsp_urls: given_or(&terms.ocsp_urls, self.authority.published.ocsp_url.clone()),
            ca_issuer_urls: given_or(&terms.ca_issuer_urls, self.authority.published.ca_url.clone()),
        };
        let unsigned = certificate::leaf(&request, &self.lends)
            .map_err(|error| ConnectorError::permanent("the certificate cannot be built").because(error))?;
        if self.limits {
            unsigned.check_below(&self.authority.chain).map_err(|error| {
                let message = format!("the CA may not issue this certificate: {error}");
                ConnectorError::new(ConnectorErrorKind::Policy, message)
            })?;
        }
        let scope = match terms.lint {
            LintScope::Private => Scope::Always,
            LintScope::PublicTrust => Scope::PublicTrust,
        };
        let leaf = unsigned.lint_and_sign(scope, &*self.authority.signer).await.map_err(refused)?;
        let issuers = self.authority.chain.certificates();
        Chain::from_der(std::iter::once(&leaf).chain(issuers).cloned().collect())
            .map_err(|error| ConnectorError::permanent("the chain cannot be put together").because(error))
    }

    /// Proves that the CA could sign: its certificates are valid now, and what its key signs is verified by its certificate.
    /// Answers until when it can.
    pub(super) async fn prove(&self, now: Timestamp) -> Result<Timestamp, ConnectorError> {
        self.check_now(now)?;
        let signature = self.authority.signer.sign(PROBE).await.map_err(silent)?;
        if !verify::signature(self.lends.spki(), self.authority.signer.signature_algorithm(), PROBE, &signature) {
            return Err(ConnectorError::permanent("what the CA key signs is not verified by the CA certificate"));
        }
        Ok(self.lends.not_after())
    }

    /// The list that will tell of its revocation. With shards it is the one that its serial number falls into, so that each grows
    /// alike.
    fn crl_urls(&self, serial: &Serial, terms: &LocalCaTerms) -> Vec<String> {
        let published = &self.authority.published;
        let url = match terms.crl.shards {
            0 => published.crl_url.clone(),
            shards => published.shard_url(shard(serial, shards)),
        };
        given_or(&terms.crl_urls, url)
    }

    fn check_now(&self, now: Timestamp) -> Result<(), ConnectorError> {
        check_validity(&self.authority.chain, now).map_err(|error| {
            ConnectorError::permanent("the CA certificate cannot be used now; configure a current one").because(error)
        })
    }

    /// First and last second. Both count, so a lifetime of an hour ends a second before the hour is full.
    fn validity(&self, order: &IssueOrder<'_>, terms: &LocalCaTerms) -> Result<(Timestamp, Timestamp), ConnectorError> {
        let lifetime = order.terms.lifetime.unwrap_or(terms.max_lifetime).min(terms.max_lifetime).max(SECOND);
        // A certificate of a few minutes must not be over when it is made.
        let backdate = terms.backdate.min(lifetime / 10);
        // Certificates are read with their CA's, so there is no use in beginning before it.
        let not_before = (order.now - backdate).max(self.not_before.min(order.now)).floor_to_second();
        let not_after = (not_before + lifetime.saturating_sub(SECOND)).floor_to_second().min(self.lends.not_after());
        if not_after < order.now.floor_to_second() {
            return Err(ConnectorError::permanent(format!(
                "the CA certificate ends {}; configure a current one",
                self.lends.not_after()
            )));
        }
        Ok((not_before, not_after))
    }
}

/// What the operator wrote goes before what the engine knows.
fn given_or(given: &[String], known: Option<String>) -> Vec<String> {
    if given.is_empty() { known.into_iter().collect() } else { given.to_vec() }
}

/// Serial numbers are random, and their last octets as random as any.
fn shard(serial: &Serial, shards: u16) -> u16 {
    let octets = serial.as_bytes();
    let last = octets.iter().rev().take(4).fold(0_u32, |number, octet| (number << 8) | u32::from(*octet));
    u16::try_from(last % u32::from(shards.max(1))).unwrap_or(0)
}

fn silent(error: impl std::error::Error + Send + Sync + 'static) -> ConnectorError {
    ConnectorError::transient("the CA key did not sign").because(error)
}

fn refused(error: SigningError) -> ConnectorError {
    match &error {
        SigningError::Lint(findings) => {
            let rules: Vec<_> = findings
                .iter()
                .map(|finding| format!("{} ({}): {}", finding.rule, finding.section, finding.detail))
                .collect();
            let message = format!("lint refuses the certificate: {}", rules.join("; "));
            ConnectorError::new(ConnectorErrorKind::Policy, message)
        }
        SigningError::Key(_) => silent(error),
        _ => ConnectorError::permanent("the CA key cannot sign").because(error),
    }
}
