//! Finding a path: what is found, what is told when nothing is, and that a search has an end.

use const_oid::db::rfc5280;

use super::forge::{DAY, Entity, NOW, authority, critical, fault};
use crate::pki::path::{FoundPath, MAX_PATH, PathError, PathFault, TrustAnchor, Validation};
use crate::pki::tlv;

fn find(anchor: &TrustAnchor, leaf: &[u8], pool: &[Vec<u8>]) -> Result<FoundPath, PathError> {
    Validation::new(std::slice::from_ref(anchor), NOW).find(leaf, pool)
}

fn told(outcome: Result<FoundPath, PathError>) -> (usize, PathFault) {
    let error = outcome.unwrap_err();
    (error.position, error.fault)
}

#[test]
fn a_path_is_found_whatever_the_order_and_whatever_lies_around() {
    let (root, top, ca, leaf) =
        (Entity::new("Root", 1), Entity::new("Top", 2), Entity::new("CA", 3), Entity::new("leaf", 4));
    let (of_top, of_ca) = (root.certify(&top, &[authority(None)]), top.certify(&ca, &[authority(None)]));
    let of_leaf = ca.certify(&leaf, &[]);
    // One of the same name with another key, one that is no CA, and what is no certificate.
    let other = Entity::new("CA", 9).certify(&Entity::new("CA", 9), &[authority(None)]);
    let no_ca = top.certify(&ca, &[]);
    let pool = [vec![0x30, 0], other, no_ca, of_ca.clone(), of_leaf.clone(), of_top.clone()];
    let anchor = root.anchor(&[]);
    let found = find(&anchor, &of_leaf, &pool).unwrap();
    assert_eq!(found.path, [of_leaf.clone(), of_ca.clone(), of_top.clone()]);
    assert!(found.valid.policies.is_empty(), "nobody names one");
    // As a path with the anchor's own certificate at its end, and as one whose order is wrong.
    let with_anchor = [of_leaf.clone(), of_ca.clone(), of_top.clone(), root.certify(&root, &[authority(None)])];
    assert_eq!(fault(&anchor, &with_anchor), None);
    assert!(matches!(fault(&anchor, &[of_leaf, of_top, of_ca]), Some((2, PathFault::Untrusted { .. }))));
    assert_eq!(fault(&anchor, &[]), Some((0, PathFault::Length(0))));
}

#[test]
fn what_came_closest_is_told() {
    let (root, ca, leaf) = (Entity::new("Root", 1), Entity::new("CA", 2), Entity::new("leaf", 3));
    let anchor = root.anchor(&[]);
    let of_leaf = ca.certify(&leaf, &[]);
    let untrusted = |issuer: &str| PathFault::Untrusted { issuer: issuer.to_owned() };
    assert_eq!(told(find(&anchor, &of_leaf, &[])), (0, untrusted("CN=CA")));
    let stranger = Entity::new("Stranger", 7);
    let of_ca = stranger.certify(&ca, &[authority(None)]);
    assert_eq!(told(find(&anchor, &of_leaf, std::slice::from_ref(&of_ca))), (1, untrusted("CN=Stranger")));
    assert_eq!(told(find(&anchor, &of_leaf, &[root.certify(&ca, &[])])), (1, PathFault::NotAnAuthority));
    let forged = Entity { name: root.name.clone(), signer: stranger.signer }.certify(&ca, &[authority(None)]);
    assert_eq!(told(find(&anchor, &of_leaf, &[forged])), (1, PathFault::Signature));
    // keyUsage without keyCertSign.
    let usage = critical(rfc5280::ID_CE_KEY_USAGE, &[tlv::BIT_STRING, 2, 1, 2]);
    let no_signer = root.certify(&ca, &[authority(None), usage]);
    assert_eq!(told(find(&anchor, &of_leaf, &[no_signer])), (1, PathFault::KeyUsage));
    for (at, early) in [(NOW - DAY * 2, true), (NOW + DAY * 2, false)] {
        let anchors = [anchor.clone()];
        let error = Validation::new(&anchors, at).find(&of_leaf, &[root.certify(&ca, &[authority(None)])]).unwrap_err();
        assert_eq!((error.position, matches!(error.fault, PathFault::NotYetValid(_))), (1, early));
    }
    let anchors = [anchor.clone()];
    let timeless = Validation { at: None, ..Validation::new(&anchors, NOW - DAY * 2) };
    assert!(timeless.find(&of_leaf, &[root.certify(&ca, &[authority(None)])]).is_ok());
}

#[test]
fn path_lengths_count_authorities_that_are_not_self_issued() {
    let entities: Vec<Entity> = (0..4).map(|n| Entity::new(&format!("CA {n}"), 10 + n)).collect();
    let (root, leaf) = (Entity::new("Root", 1), Entity::new("leaf", 2));
    let chain = |length: Option<u8>| {
        vec![
            entities[1].certify(&leaf, &[]),
            entities[0].certify(&entities[1], &[authority(None)]),
            root.certify(&entities[0], &[authority(length)]),
        ]
    };
    let anchor = root.anchor(&[]);
    assert_eq!(fault(&anchor, &chain(Some(1))), None);
    assert_eq!(fault(&anchor, &chain(Some(0))), Some((1, PathFault::PathLength)));
    // The anchor's own limit counts too, and a CA's new key does not (RFC 5280 §6.1.4 (l)).
    let limited = TrustAnchor::from_certificate(&root.certify(&root, &[authority(Some(0))])).unwrap();
    assert_eq!(fault(&limited, &chain(None)), Some((2, PathFault::PathLength)));
    let new_key = Entity { name: entities[0].name.clone(), signer: entities[3].signer.clone() };
    let rolled = [
        new_key.certify(&leaf, &[]),
        entities[0].certify(&new_key, &[authority(None)]),
        root.certify(&entities[0], &[authority(Some(0))]),
    ];
    assert_eq!(fault(&anchor, &rolled), None);
}

#[test]
fn circles_and_labyrinths_have_an_end() {
    // Twelve authorities, each of which certifies every other: more simple paths than there is time, and none to the anchor.
    let authorities: Vec<Entity> = (0..12).map(|n| Entity::new(&format!("CA {n}"), 30 + n)).collect();
    let pool: Vec<Vec<u8>> = authorities
        .iter()
        .flat_map(|one| authorities.iter().map(move |other| one.certify(other, &[authority(None)])))
        .collect();
    let leaf = authorities[0].certify(&Entity::new("leaf", 1), &[]);
    let anchor = Entity::new("Root", 2).anchor(&[]);
    assert_eq!(told(find(&anchor, &leaf, &pool)), (0, PathFault::TooManyTries));
    // Where only two certify each other the search is over by itself.
    let pool = [
        authorities[0].certify(&authorities[1], &[authority(None)]),
        authorities[1].certify(&authorities[0], &[authority(None)]),
    ];
    assert!(matches!(told(find(&anchor, &leaf, &pool)), (_, PathFault::Untrusted { .. })));
}

#[test]
fn a_path_has_a_longest_length() {
    let root = Entity::new("Root", 1);
    let chain = |certificates: usize| {
        let entities: Vec<Entity> = (0..certificates).map(|n| Entity::new(&format!("CA {n}"), 50 + n as u64)).collect();
        let mut issuer = &root;
        let mut path = Vec::new();
        for entity in &entities {
            path.insert(0, issuer.certify(entity, &[authority(None)]));
            issuer = entity;
        }
        path
    };
    let anchor = root.anchor(&[]);
    let longest = chain(MAX_PATH);
    assert_eq!(fault(&anchor, &longest), None);
    assert!(find(&anchor, &longest[0], &longest[1..]).is_ok());
    let longer = chain(MAX_PATH + 1);
    assert_eq!(fault(&anchor, &longer), Some((0, PathFault::Length(MAX_PATH + 1))));
    assert!(find(&anchor, &longer[0], &longer[1..]).is_err());
}
