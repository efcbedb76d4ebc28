//! Certificate policies (RFC 5280 §6.1.2 to §6.1.5) as a graph instead of a tree, which RFC 9618 makes of them: a tree grows
//! with the product of what certificates map, a graph with the sum.

use std::collections::{BTreeMap, BTreeSet};

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;

/// The contents of a policy's object identifier.
type Policy<'a> = &'a [u8];

/// anyPolicy (RFC 5280 §4.2.1.4).
const ANY: &[u8] = rfc5280::ANY_POLICY.as_bytes();

/// Which policies a path must be valid for (RFC 5280 §6.1.1 (c), (e) to (g)). By default any, and none is demanded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyTerms {
    /// user-initial-policy-set, as dotted object identifiers; `None` is any-policy. What is no object identifier meets nothing.
    pub acceptable: Option<BTreeSet<String>>,
    /// initial-explicit-policy: the path must be valid for at least one of them.
    pub demanded: bool,
    /// initial-policy-mapping-inhibit.
    pub without_mapping: bool,
    /// initial-any-policy-inhibit.
    pub without_any: bool,
}

/// valid_policy_graph. The last level is never empty: a graph without one is NULL.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    levels: Vec<Level<'a>>,
}

/// The nodes of one depth by their valid_policy.
type Level<'a> = BTreeMap<Policy<'a>, Policies<'a>>;

#[derive(Debug)]
struct Policies<'a> {
    /// expected_policy_set.
    expected: BTreeSet<Policy<'a>>,
    /// Nodes one level up.
    parents: BTreeSet<Policy<'a>>,
}

impl<'a> Graph<'a> {
    /// RFC 9618 §5.1: one node of depth zero.
    pub(super) fn new() -> Self {
        let root = Policies { expected: BTreeSet::from([ANY]), parents: BTreeSet::new() };
        Self { levels: vec![BTreeMap::from([(ANY, root)])] }
    }

    /// RFC 9618 §5.2 (d): the policies of the next certificate; `None` when nothing is left. `takes_any` says whether its
    /// anyPolicy counts.
    pub(super) fn grown(mut self, policies: &[Policy<'a>], takes_any: bool) -> Option<Self> {
        let last = self.levels.last()?;
        let mut expecting: Level<'a> = BTreeMap::new();
        for (valid, node) in last {
            for expected in &node.expected {
                let child = expecting.entry(*expected).or_insert_with(|| Policies::child(expected));
                child.parents.insert(*valid);
            }
        }
        let has_any = last.contains_key(ANY);
        let mut level: Level<'a> = BTreeMap::new();
        for policy in policies.iter().copied().filter(|policy| *policy != ANY) {
            if let Some(expected) = expecting.remove(policy) {
                level.insert(policy, expected);
            } else if has_any {
                level.entry(policy).or_insert_with(|| Policies::below_any(BTreeSet::from([policy])));
            }
        }
        if takes_any && policies.contains(&ANY) {
            // Those that are there already were taken out.
            level.extend(expecting);
        }
        self.levels.push(level);
        self.pruned()
    }

    /// RFC 9618 §5.3 (b): mappings of the last certificate; `None` when nothing is left.
    pub(super) fn mapped(mut self, mappings: &[(Policy<'a>, Policy<'a>)], allowed: bool) -> Option<Self> {
        let mut by_issuer: BTreeMap<Policy<'a>, BTreeSet<Policy<'a>>> = BTreeMap::new();
        for (issuer, subject) in mappings {
            by_issuer.entry(*issuer).or_default().insert(*subject);
        }
        let last = self.levels.last_mut()?;
        let has_any = last.contains_key(ANY);
        for (policy, subjects) in by_issuer {
            if !allowed {
                last.remove(policy);
            } else if let Some(node) = last.get_mut(policy) {
                node.expected = subjects;
            } else if has_any {
                last.insert(policy, Policies::below_any(subjects));
            }
        }
        self.pruned()
    }

    /// Without nodes that have no child, but for those of the last level; `None` when nothing is left.
    fn pruned(mut self) -> Option<Self> {
        let mut used: Option<BTreeSet<Policy<'a>>> = None;
        for level in self.levels.iter_mut().rev() {
            if let Some(used) = used {
                level.retain(|valid, _| used.contains(valid));
            }
            used = Some(level.values().flat_map(|node| node.parents.iter().copied()).collect());
        }
        self.levels.last().is_some_and(|last| !last.is_empty()).then_some(self)
    }

    /// RFC 9618 §5.4 (g): user-constrained-policy-set, with anyPolicy in it for any-policy.
    pub(super) fn accepted(&self, acceptable: Option<&BTreeSet<String>>) -> BTreeSet<String> {
        let dotted = |policy: &[u8]| ObjectIdentifier::from_bytes(policy).map(|oid| oid.to_string()).ok();
        let any = || dotted(ANY).into_iter().collect();
        if self.levels.last().is_some_and(|last| last.contains_key(ANY)) {
            return acceptable.map_or_else(any, Clone::clone);
        }
        let below_any = |(valid, node): (&Policy<'a>, &Policies<'a>)| {
            (*valid != ANY && node.parents.contains(ANY)).then(|| dotted(valid)).flatten()
        };
        let constrained: BTreeSet<String> = self.levels.iter().flatten().filter_map(below_any).collect();
        match acceptable {
            Some(acceptable) => constrained.intersection(acceptable).cloned().collect(),
            None => constrained,
        }
    }
}

impl<'a> Policies<'a> {
    fn child(policy: Policy<'a>) -> Self {
        Self { expected: BTreeSet::from([policy]), parents: BTreeSet::new() }
    }

    fn below_any(expected: BTreeSet<Policy<'a>>) -> Self {
        Self { expected, parents: BTreeSet::from([ANY]) }
    }
}

/// Whether this is anyPolicy.
pub(super) fn is_any(policy: &[u8]) -> bool {
    policy == ANY
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = &[0x2a, 1];
    const TWO: &[u8] = &[0x2a, 2];

    fn accepted(graph: Option<Graph<'_>>) -> Vec<String> {
        graph.map(|graph| graph.accepted(None).into_iter().collect()).unwrap_or_default()
    }

    #[test]
    fn policies_are_met_along_the_path() {
        let path = |levels: &[&[Policy<'static>]]| {
            let mut graph = Some(Graph::new());
            for policies in levels {
                graph = graph.and_then(|graph| graph.grown(policies, true));
            }
            accepted(graph)
        };
        assert_eq!(path(&[&[ONE, TWO], &[ONE]]), ["1.2.1"]);
        assert!(path(&[&[ONE], &[TWO]]).is_empty());
        assert_eq!(path(&[&[ANY], &[TWO]]), ["1.2.2"]);
        assert_eq!(path(&[&[ONE], &[ANY]]), ["1.2.1"]);
        assert_eq!(path(&[&[ANY], &[ANY]]), ["2.5.29.32.0"]);
    }

    #[test]
    fn mappings_are_followed_or_inhibited() {
        let mapped = |allowed| {
            let graph = Graph::new().grown(&[ONE], true).and_then(|graph| graph.mapped(&[(ONE, TWO)], allowed));
            accepted(graph.and_then(|graph| graph.grown(&[TWO], true)))
        };
        // What the issuer of the path calls it.
        assert_eq!(mapped(true), ["1.2.1"]);
        assert!(mapped(false).is_empty());
    }

    #[test]
    fn what_grows_exponentially_in_a_tree_stays_small() {
        // Each of thirty certificates maps every policy to every other one: a tree would have 20^30 leaves.
        let policies: Vec<[u8; 2]> = (0..20).map(|number| [0x2a, number]).collect();
        let all: Vec<Policy<'_>> = policies.iter().map(|policy| &policy[..]).collect();
        let mappings: Vec<_> = all.iter().flat_map(|one| all.iter().map(move |other| (*one, *other))).collect();
        let mut graph = Graph::new().grown(&all, true).unwrap();
        for _ in 0..30 {
            graph = graph.mapped(&mappings, true).unwrap().grown(&all, true).unwrap();
        }
        assert!(graph.levels.iter().skip(1).all(|level| level.len() == 20));
        assert_eq!(graph.accepted(None).len(), 20);
    }
}
