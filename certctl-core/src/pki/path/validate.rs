//! One path from the anchor down (RFC 5280 §6.1).

use std::collections::BTreeSet;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912;

use super::build::{Budget, Pool, Search};
use super::constraint::Constraints;
use super::node::Node;
use super::policy::{Graph, is_any};
use super::{
    KEY_CERT_SIGN, MAX_PATH, PathError, PathFault, PolicyTerms, Purpose, PurposeScope, Revocation, TrustAnchor,
    Validation,
};
use crate::domain::{Chain, ExtendedKeyUsage, KeyAlgorithm, Timestamp};
use crate::pki::{algorithm, key, name, verify};

/// A path that is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidPath {
    /// To which of [`Validation::anchors`] it leads.
    pub anchor: usize,
    /// The certificate policies that it is valid for, as dotted object identifiers; anyPolicy (2.5.29.32.0) for any. Empty where
    /// certificates name none in common and none is demanded.
    pub policies: BTreeSet<String>,
}

/// A valid path that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPath {
    /// DER certificates, the one that was asked for first; the anchor's own is left out.
    pub path: Vec<Vec<u8>>,
    /// What it leads to.
    pub valid: ValidPath,
}

impl Validation<'_> {
    /// Validates a path: the certificate in question first, each issued by the next one, the last one by one of the anchors. An
    /// anchor's own certificate may stand at the end.
    ///
    /// # Errors
    /// [`PathError`]: which certificate is not fit, and why.
    pub fn validate<D: AsRef<[u8]>>(&self, path: &[D]) -> Result<ValidPath, PathError> {
        let nodes = read(path.iter().map(AsRef::as_ref))?;
        let mut path: Vec<&Node<'_>> = nodes.iter().collect();
        if let [_, .., top] = path.as_slice()
            && self.anchors.iter().any(|anchor| anchor.name == top.subject && anchor.spki == top.spki)
        {
            path.pop();
        }
        let Some((last, top)) = path.iter().enumerate().next_back() else { return Err(length(0)) };
        let untrusted = || top.fault(last, PathFault::Untrusted { issuer: name::to_text(top.issuer_der) });
        let mut refused = None;
        let signers = self.revocation.signers();
        for (position, anchor) in self.anchors.iter().enumerate().filter(|(_, anchor)| anchor.name == top.issuer) {
            let walk =
                Walk { path: &path, anchor, terms: self, signatures: Signatures::Verify, then: Continuation::None };
            let outcome = walk.run().and_then(|policies| {
                let mut budget = Budget::full();
                Search::new(self, &signers, &signers, &mut budget).check_revocation(&path, anchor)?;
                Ok(ValidPath { anchor: position, policies })
            });
            match outcome {
                Ok(valid) => return Ok(valid),
                // Of several anchors of one name, the one whose key fits has more to say.
                Err(error) if error.position < last || error.fault != PathFault::Signature => refused = Some(error),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.unwrap_or_else(untrusted))
    }

    /// Finds a valid path for a certificate through a pool of others, in any order. Those that cannot be read are left out, and
    /// so is whatever the search does not need; how large the pool is, is the caller's to limit.
    ///
    /// # Errors
    /// [`PathError`] of the path that came closest, or [`PathFault::Untrusted`] where none leads to an anchor, or
    /// [`PathFault::TooManyTries`].
    pub fn find<D: AsRef<[u8]>>(&self, certificate: &[u8], pool: &[D]) -> Result<FoundPath, PathError> {
        let nodes = read(std::iter::once(certificate))?;
        let Some(leaf) = nodes.first() else { return Err(length(0)) };
        let pool = Pool::of(pool.iter().map(AsRef::as_ref));
        let signers = self.revocation.signers();
        let mut budget = Budget::full();
        Search::new(self, &pool, &signers, &mut budget).find(leaf)
    }
}

impl<'a> Revocation<'a> {
    fn signers(&self) -> Pool<'a> {
        match self {
            Revocation::NotChecked => Pool::of(std::iter::empty()),
            Revocation::Lists { signers, .. } => Pool::of(signers.iter().copied()),
        }
    }
}

/// Whether the first certificate of a path is itself to issue others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Continuation {
    /// It ends the path.
    None,
    /// It is a CA, and what it may issue counts, too.
    Issues,
}

/// Checks everything of RFC 5280 §6.1 but signatures, names of issuers and dates in a chain whose last certificate is taken as
/// the anchor: whatever it is, those below it must keep what it and each other say. Where the first is a CA, it must be one that
/// may stand there and issue.
///
/// # Errors
/// [`PathError`], its position counted in the chain.
pub(crate) fn check_below(chain: &[Vec<u8>]) -> Result<(), PathError> {
    let Some((top, below)) = chain.split_last() else { return Err(length(0)) };
    if below.is_empty() {
        return Ok(());
    }
    let malformed =
        |source| PathError { position: below.len(), subject: String::new(), fault: PathFault::Malformed(source) };
    let anchor = TrustAnchor::from_certificate(top).map_err(malformed)?;
    let nodes = read(below.iter().map(Vec::as_slice))?;
    let path: Vec<&Node<'_>> = nodes.iter().collect();
    let issues = nodes.first().is_some_and(|node| node.is_ca);
    let then = if issues { Continuation::Issues } else { Continuation::None };
    let terms = Validation {
        anchors: &[],
        at: None,
        purpose: None,
        policies: PolicyTerms::default(),
        revocation: Revocation::NotChecked,
    };
    let walk = Walk { path: &path, anchor: &anchor, terms: &terms, signatures: Signatures::Verified, then };
    walk.run().map(|_| ())
}

/// Whether certificates of a chain limit what may stand below them by names or policies.
pub fn limits_what_is_below(chain: &Chain) -> bool {
    chain.certificates().iter().any(|der| {
        Node::read(der).is_ok_and(|node| {
            node.constraints.is_some() || node.require_explicit_policy.is_some() || node.inhibit_any_policy.is_some()
        })
    })
}

fn read<'a>(path: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Node<'a>>, PathError> {
    let mut nodes = Vec::new();
    for (position, der) in path.enumerate() {
        // One more may be the anchor's own.
        if position > MAX_PATH {
            return Err(length(position + 1));
        }
        let malformed = |source| PathError { position, subject: String::new(), fault: PathFault::Malformed(source) };
        nodes.push(Node::read(der).map_err(malformed)?);
    }
    Ok(nodes)
}

fn length(certificates: usize) -> PathError {
    PathError { position: 0, subject: String::new(), fault: PathFault::Length(certificates) }
}

/// Whether the links of a path were verified before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Signatures {
    Verify,
    Verified,
}

/// A path and what it is held against.
pub(super) struct Walk<'r, 'a> {
    pub(super) path: &'r [&'r Node<'a>],
    pub(super) anchor: &'r TrustAnchor,
    pub(super) terms: &'r Validation<'r>,
    pub(super) signatures: Signatures,
    pub(super) then: Continuation,
}

/// What is carried from one certificate to the next (RFC 5280 §6.1.2).
struct State<'r> {
    explicit_policy: usize,
    policy_mapping: usize,
    inhibit_any: usize,
    max_path_length: usize,
    constraints: Constraints<'r>,
    graph: Option<Graph<'r>>,
}

impl Walk<'_, '_> {
    /// Gives the policies that the path is valid for.
    pub(super) fn run(&self) -> Result<BTreeSet<String>, PathError> {
        let certificates = self.path.len();
        if !(1..=MAX_PATH).contains(&certificates) {
            return Err(length(certificates));
        }
        let mut state = State::new(certificates, self.anchor, &self.terms.policies);
        let mut policies = BTreeSet::new();
        for (position, node) in self.path.iter().enumerate().rev() {
            let ends = position == 0 && self.then == Continuation::None;
            let step = self.check(node, self.path.get(position + 1).copied(), ends);
            let step = step.and_then(|()| state.take(node, ends));
            let step = step.and_then(|()| {
                if ends {
                    policies = state.wrap_up(node, &self.terms.policies)?;
                }
                Ok(())
            });
            step.map_err(|fault| node.fault(position, fault))?;
        }
        Ok(policies)
    }

    /// RFC 5280 §6.1.3 (a) without revocation, and what stands in the certificate alone.
    fn check(&self, node: &Node<'_>, above: Option<&Node<'_>>, ends: bool) -> Result<(), PathFault> {
        if self.signatures == Signatures::Verify {
            let name = above.map_or(&self.anchor.name, |above| &above.subject);
            if *name != node.issuer {
                return Err(PathFault::IssuerName);
            }
            is_signed_with(node, above.map_or(self.anchor.spki.as_slice(), |above| above.spki))?;
        }
        if let Some(at) = self.terms.at {
            is_valid_at(node, at)?;
        }
        if let Some(fault) = &node.unfit {
            return Err(fault.clone());
        }
        match self.terms.purpose {
            Some(Purpose { usage, scope }) if ends || scope == PurposeScope::WholePath => is_for(node, usage),
            _ => Ok(()),
        }
    }
}

impl<'r> State<'r> {
    fn new(certificates: usize, anchor: &'r TrustAnchor, policies: &PolicyTerms) -> Self {
        let unless = |inhibited: bool| if inhibited { 0 } else { certificates + 1 };
        let mut constraints = Constraints::none();
        if let Some(subtrees) = anchor.subtrees() {
            constraints.narrow(&subtrees);
        }
        Self {
            explicit_policy: unless(policies.demanded),
            policy_mapping: unless(policies.without_mapping),
            inhibit_any: unless(policies.without_any),
            max_path_length: anchor.path_length.unwrap_or(usize::MAX),
            constraints,
            graph: Some(Graph::new()),
        }
    }

    /// RFC 5280 §6.1.3 (b) to (f); then §6.1.4 where another certificate follows.
    fn take(&mut self, node: &Node<'r>, ends: bool) -> Result<(), PathFault> {
        let self_issued = node.is_self_issued();
        if ends || !self_issued {
            self.constraints.check(node)?;
        }
        let takes_any = self.inhibit_any > 0 || (!ends && self_issued);
        let graph = self.graph.take().zip(node.policies.as_ref());
        self.graph = graph.and_then(|(graph, policies)| graph.grown(policies, takes_any));
        if self.explicit_policy == 0 && self.graph.is_none() {
            return Err(PathFault::Policy);
        }
        if ends { Ok(()) } else { self.prepare(node, self_issued) }
    }

    /// RFC 5280 §6.1.4.
    fn prepare(&mut self, node: &Node<'r>, self_issued: bool) -> Result<(), PathFault> {
        may_issue(node)?;
        if node.mappings.iter().any(|(issuer, subject)| is_any(issuer) || is_any(subject)) {
            return Err(PathFault::AnyPolicyMapped);
        }
        if !node.mappings.is_empty() {
            let allowed = self.policy_mapping > 0;
            self.graph = self.graph.take().and_then(|graph| graph.mapped(&node.mappings, allowed));
        }
        if let Some(subtrees) = &node.constraints {
            self.constraints.narrow(subtrees);
        }
        if !self_issued {
            self.explicit_policy = self.explicit_policy.saturating_sub(1);
            self.policy_mapping = self.policy_mapping.saturating_sub(1);
            self.inhibit_any = self.inhibit_any.saturating_sub(1);
            self.max_path_length = self.max_path_length.checked_sub(1).ok_or(PathFault::PathLength)?;
        }
        let lower = |value: &mut usize, to: Option<usize>| *value = to.map_or(*value, |to| to.min(*value));
        lower(&mut self.explicit_policy, node.require_explicit_policy);
        lower(&mut self.policy_mapping, node.inhibit_policy_mapping);
        lower(&mut self.inhibit_any, node.inhibit_any_policy);
        lower(&mut self.max_path_length, node.path_length);
        Ok(())
    }

    /// RFC 5280 §6.1.5 (a), (b) and (g).
    fn wrap_up(&self, node: &Node<'_>, terms: &PolicyTerms) -> Result<BTreeSet<String>, PathFault> {
        let demanded = self.explicit_policy <= 1 || node.require_explicit_policy == Some(0);
        let acceptable = terms.acceptable.as_ref();
        let policies = self.graph.as_ref().map(|graph| graph.accepted(acceptable)).unwrap_or_default();
        if demanded && policies.is_empty() { Err(PathFault::Policy) } else { Ok(policies) }
    }
}

/// RFC 5280 §6.1.4 (k) and (n).
pub(super) fn may_issue(node: &Node<'_>) -> Result<(), PathFault> {
    if !node.is_ca {
        return Err(PathFault::NotAnAuthority);
    }
    if node.key_usage.is_some_and(|bits| bits & KEY_CERT_SIGN == 0) {
        return Err(PathFault::KeyUsage);
    }
    Ok(())
}

/// RFC 5280 §6.1.3 (a)(1).
pub(super) fn is_signed_with(node: &Node<'_>, spki: &[u8]) -> Result<(), PathFault> {
    if node.signature_algorithm != node.inner_algorithm {
        return Err(PathFault::AlgorithmsDiffer);
    }
    verified(spki, node.signature_algorithm, node.tbs, node.signature)
}

/// Whether a signature is the key's, and made in a way that is accepted.
pub(super) fn verified(spki: &[u8], identifier: &[u8], signed: &[u8], signature: &[u8]) -> Result<(), PathFault> {
    let outdated = algorithm::parts(identifier).ok().and_then(|(oid, _)| outdated(oid));
    if let Some(name) = outdated {
        return Err(PathFault::Algorithm(name.to_owned()));
    }
    let Ok(public_key) = key::read(spki) else { return Err(PathFault::SigningKey("it is malformed".to_owned())) };
    match (public_key.algorithm, verify::by_identifier(spki, identifier, signed, signature)) {
        (_, Some(true)) => Ok(()),
        (Some(KeyAlgorithm::Rsa { bits: ..2048 }), _) => Err(PathFault::SigningKey(public_key.algorithm_text)),
        (_, Some(false)) => Err(PathFault::Signature),
        (None, None) if public_key.curve.is_none() => Err(PathFault::SigningKey(public_key.algorithm_text)),
        (_, None) => {
            let oid = algorithm::parts(identifier)
                .map_or_else(|_| "nothing that is known".to_owned(), |(oid, _)| key::dotted(oid));
            Err(PathFault::Algorithm(oid))
        }
    }
}

/// Algorithms that forgers can work with, or that nobody uses any more, by their names.
fn outdated(oid: &[u8]) -> Option<&'static str> {
    /// RFC 3279 §2.2.1.
    const MD2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.2");
    /// RFC 3279 §2.2.3.
    const ECDSA_SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");
    const KNOWN: [(ObjectIdentifier, &str); 5] = [
        (MD2, "RSA and MD2"),
        (rfc5912::MD_5_WITH_RSA_ENCRYPTION, "RSA and MD5"),
        (rfc5912::SHA_1_WITH_RSA_ENCRYPTION, "RSA and SHA-1"),
        (ECDSA_SHA_1, "ECDSA and SHA-1"),
        (rfc5912::DSA_WITH_SHA_1, "DSA and SHA-1"),
    ];
    KNOWN.iter().find(|(known, _)| known.as_bytes() == oid).map(|(_, name)| *name)
}

/// RFC 5280 §6.1.3 (a)(2); both bounds count.
fn is_valid_at(node: &Node<'_>, at: Timestamp) -> Result<(), PathFault> {
    if at < node.not_before {
        return Err(PathFault::NotYetValid(node.not_before));
    }
    // A certificate holds whole seconds, and the last one counts to its end.
    if at.floor_to_second() > node.not_after {
        return Err(PathFault::Expired(node.not_after));
    }
    Ok(())
}

/// RFC 5280 §4.2.1.12.
fn is_for(node: &Node<'_>, usage: ExtendedKeyUsage) -> Result<(), PathFault> {
    const ANY_USAGE: &str = "2.5.29.37.0";
    let fits = |purpose: &&[u8]| {
        let purpose = key::dotted(purpose);
        purpose == usage.oid() || purpose == ANY_USAGE
    };
    let allowed = node.purposes.as_ref().is_none_or(|purposes| purposes.iter().any(fits));
    if allowed { Ok(()) } else { Err(PathFault::Purpose(usage.name())) }
}
