//! Finding a path through a pool of certificates (RFC 4158): depth first, with a bound on the work and not only on the depth.

use std::collections::BTreeMap;

use super::distinguished::ComparableName;
use super::node::Node;
use super::validate::{Continuation, Signatures, Walk, is_signed_with, may_issue};
use super::{
    FoundPath, MAX_PATH, MAX_STEPS, MAX_TRIES, PathError, PathFault, PolicyTerms, TrustAnchor, ValidPath, Validation,
};
use crate::pki::name;

/// Certificates by their subjects.
pub(super) struct Pool<'a> {
    nodes: Vec<Node<'a>>,
    by_subject: BTreeMap<ComparableName, Vec<usize>>,
}

impl<'a> Pool<'a> {
    /// Those that can be read.
    pub(super) fn of(ders: impl Iterator<Item = &'a [u8]>) -> Self {
        let nodes: Vec<Node<'a>> = ders.filter_map(|der| Node::read(der).ok()).collect();
        let mut by_subject: BTreeMap<ComparableName, Vec<usize>> = BTreeMap::new();
        for (index, node) in nodes.iter().enumerate() {
            by_subject.entry(node.subject.clone()).or_default().push(index);
        }
        Self { nodes, by_subject }
    }

    pub(super) fn named(&self, subject: &ComparableName) -> impl Iterator<Item = &Node<'a>> {
        self.by_subject.get(subject).into_iter().flatten().filter_map(|index| self.nodes.get(*index))
    }
}

/// What may still be done. Searches for those who sign revocation lists share it with the search that they serve.
#[derive(Debug)]
pub(super) struct Budget {
    steps: usize,
    tries: usize,
}

/// Nothing more may be done.
pub(super) struct Spent;

impl Budget {
    pub(super) const fn full() -> Self {
        Self { steps: MAX_STEPS, tries: MAX_TRIES }
    }

    /// One signature.
    pub(super) fn step(&mut self) -> Result<(), Spent> {
        self.steps = self.steps.checked_sub(1).ok_or(Spent)?;
        Ok(())
    }

    /// One complete path.
    fn attempt(&mut self) -> Result<(), Spent> {
        self.tries = self.tries.checked_sub(1).ok_or(Spent)?;
        Ok(())
    }
}

/// A search for one certificate.
pub(super) struct Search<'a> {
    pub(super) terms: &'a Validation<'a>,
    pool: &'a Pool<'a>,
    pub(super) signers: &'a Pool<'a>,
    pub(super) budget: &'a mut Budget,
    /// How many searches wait for this one.
    pub(super) level: u8,
    /// What came closest, and how close.
    closest: Option<(Closeness, PathError)>,
}

/// How far a refused path got; more of it is closer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    NoIssuer,
    IssuerThatMayNot,
    WholePath,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        terms: &'a Validation<'a>,
        pool: &'a Pool<'a>,
        signers: &'a Pool<'a>,
        budget: &'a mut Budget,
    ) -> Self {
        Self { terms, pool, signers, budget, level: 0, closest: None }
    }

    pub(super) fn find(mut self, leaf: &Node<'a>) -> Result<FoundPath, PathError> {
        let mut path = vec![leaf];
        match self.extend(&mut path) {
            Ok(Some(valid)) => Ok(FoundPath { path: path.iter().map(|node| node.der.to_vec()).collect(), valid }),
            Err(Spent) => Err(leaf.fault(0, PathFault::TooManyTries)),
            Ok(None) => Err(self.closest.map_or_else(|| untrusted(leaf, 0), |(_, error)| error)),
        }
    }

    /// Leads a path on to an anchor, if it can.
    fn extend<'p>(&mut self, path: &mut Vec<&'p Node<'a>>) -> Result<Option<ValidPath>, Spent>
    where
        'a: 'p,
    {
        let Some((position, top)) = path.iter().copied().enumerate().next_back() else { return Ok(None) };
        let anchors = self.terms.anchors;
        for (index, anchor) in anchors.iter().enumerate().filter(|(_, anchor)| anchor.name == top.issuer) {
            self.budget.step()?;
            if let Err(fault) = is_signed_with(top, &anchor.spki) {
                self.refuse(Closeness::IssuerThatMayNot, top.fault(position, fault));
                continue;
            }
            self.budget.attempt()?;
            match self.complete(path, index, anchor) {
                Ok(valid) => return Ok(Some(valid)),
                Err(error) => self.refuse(Closeness::WholePath, error),
            }
        }
        if path.len() == MAX_PATH {
            return Ok(None);
        }
        let mut is_named = false;
        let pool = self.pool;
        let mut candidates: Vec<&Node<'a>> = pool.named(&top.issuer).collect();
        // Those whose key identifier fits first (RFC 4158 §3.5.12); the order is otherwise that of the pool.
        candidates.sort_by_key(|candidate| match (&top.authority_key_id, &candidate.subject_key_id) {
            (Some(wanted), Some(is)) if wanted == is => 0,
            (Some(_), Some(_)) => 2,
            _ => 1,
        });
        for candidate in candidates {
            // Cross-signed authorities can go in circles, so no key stands in a path twice under one name; nor does an anchor's,
            // which ended it before.
            let is_passed = path.iter().any(|node| node.subject == candidate.subject && node.spki == candidate.spki);
            if is_passed || anchors.iter().any(|a| a.name == candidate.subject && a.spki == candidate.spki) {
                is_named = true;
                continue;
            }
            is_named = true;
            self.budget.step()?;
            if let Err(fault) = is_signed_with(top, candidate.spki) {
                self.refuse(Closeness::IssuerThatMayNot, top.fault(position, fault));
            } else if let Err(fault) = may_issue(candidate) {
                self.refuse(Closeness::IssuerThatMayNot, candidate.fault(position + 1, fault));
            } else {
                path.push(candidate);
                if let Some(valid) = self.extend(path)? {
                    return Ok(Some(valid));
                }
                path.pop();
            }
        }
        if !is_named {
            self.refuse(Closeness::NoIssuer, untrusted(top, position));
        }
        Ok(None)
    }

    fn complete(&mut self, path: &[&Node<'a>], index: usize, anchor: &'a TrustAnchor) -> Result<ValidPath, PathError> {
        let (terms, signatures, then) = (self.terms, Signatures::Verified, Continuation::None);
        let policies = Walk { path, anchor, terms, signatures, then }.run()?;
        self.check_revocation(path, anchor)?;
        Ok(ValidPath { anchor: index, policies })
    }

    fn refuse(&mut self, closeness: Closeness, error: PathError) {
        if self.closest.as_ref().is_none_or(|(before, _)| *before < closeness) {
            self.closest = Some((closeness, error));
        }
    }
}

impl<'a> Validation<'a> {
    /// What holds for those who sign revocation lists: nothing about purposes and policies.
    pub(super) fn of_a_signer<'s>(&self, anchors: &'s [TrustAnchor]) -> Validation<'s>
    where
        'a: 's,
    {
        Validation {
            anchors,
            at: self.at,
            purpose: None,
            policies: PolicyTerms::default(),
            revocation: self.revocation,
        }
    }
}

fn untrusted(node: &Node<'_>, position: usize) -> PathError {
    node.fault(position, PathFault::Untrusted { issuer: name::to_text(node.issuer_der) })
}
