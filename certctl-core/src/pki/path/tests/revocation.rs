//! Revocation by lists: whose word counts, and for how long.

use std::time::Duration;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;

use super::forge::{DAY, Entity, NOW, authority, critical};
use crate::domain::{RevocationReason, Timestamp};
use crate::pki::path::{PathFault, Revocation, RevocationList, UnknownStatus, Validation};
use crate::pki::tlv::{self, write};
use crate::pki::{algorithm, time};

/// What a list says.
#[derive(Clone)]
struct List {
    /// Serial numbers, reasons and further extensions of entries.
    entries: Vec<(u8, u8, Vec<u8>)>,
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    extensions: Vec<Vec<u8>>,
}

impl List {
    fn of(entries: &[(u8, u8)]) -> Self {
        let entries = entries.iter().map(|(serial, reason)| (*serial, *reason, Vec::new())).collect();
        Self { entries, this_update: NOW - DAY, next_update: Some(NOW + DAY), extensions: Vec::new() }
    }

    fn signed_by(&self, issuer: &Entity) -> Vec<u8> {
        let entry = |(serial, reason, more): &(u8, u8, Vec<u8>)| {
            let reason = critical(rfc5280::ID_CE_CRL_REASONS, &[0x0a, 1, *reason]);
            let extensions = write(tlv::SEQUENCE, &[&reason, more]);
            write(tlv::SEQUENCE, &[&[tlv::INTEGER, 1, *serial], &time::write(NOW - DAY), &extensions])
        };
        let entries: Vec<u8> = self.entries.iter().flat_map(entry).collect();
        let entries = if entries.is_empty() { Vec::new() } else { write(tlv::SEQUENCE, &[&entries]) };
        let extensions = write(0xa0, &[&write(tlv::SEQUENCE, &[&self.extensions.concat()])]);
        let next_update = self.next_update.map(time::write).unwrap_or_default();
        let identifier = algorithm::encode(issuer.signer.signature_algorithm());
        let this_update = time::write(self.this_update);
        let parts: [&[u8]; 7] =
            [&[tlv::INTEGER, 1, 1], &identifier, &issuer.name, &this_update, &next_update, &entries, &extensions];
        issuer.signed(&write(tlv::SEQUENCE, &parts))
    }
}

/// Everybody's certificate has the serial number 9.
struct World {
    root: Entity,
    ca: Entity,
    path: Vec<Vec<u8>>,
}

impl World {
    fn new() -> Self {
        let (root, ca, leaf) = (Entity::new("Root", 1), Entity::new("CA", 2), Entity::new("leaf", 3));
        let path = vec![ca.certify(&leaf, &[]), root.certify(&ca, &[authority(None)])];
        Self { root, ca, path }
    }

    fn outcome(&self, lists: &[Vec<u8>], unknown: UnknownStatus) -> Option<(usize, PathFault)> {
        let anchors = [self.root.anchor(&[])];
        let lists: Vec<_> = lists.iter().map(|der| RevocationList::read(der).unwrap()).collect();
        let revocation = Revocation::Lists { lists: &lists, signers: &[], unknown };
        let validation = Validation { revocation, ..Validation::new(&anchors, NOW) };
        validation.validate(&self.path).err().map(|error| (error.position, error.fault))
    }

    /// With a list of the root that is in order, and this one of the CA.
    fn with(&self, list: &List) -> Option<(usize, PathFault)> {
        self.outcome(&[List::of(&[]).signed_by(&self.root), list.signed_by(&self.ca)], UnknownStatus::Refuse)
    }
}

fn unknown(outcome: Option<(usize, PathFault)>) -> Option<usize> {
    outcome.and_then(|(position, fault)| matches!(fault, PathFault::RevocationUnknown(_)).then_some(position))
}

#[test]
fn who_is_on_the_list_is_refused_with_the_reason() {
    let world = World::new();
    assert_eq!(world.with(&List::of(&[(8, 1), (10, 1)])), None);
    for reason in RevocationReason::ALL {
        let revoked = PathFault::Revoked { at: NOW - DAY, reason: Some(*reason) };
        assert_eq!(world.with(&List::of(&[(9, reason.code())])), Some((0, revoked)));
    }
    let list = List::of(&[(9, 10)]);
    assert_eq!(world.with(&list), Some((0, PathFault::Revoked { at: NOW - DAY, reason: None })));
    // The CA's own status is the root's to tell.
    let of_root = List::of(&[(9, 2)]).signed_by(&world.root);
    let lists = [of_root, List::of(&[]).signed_by(&world.ca)];
    let outcome = world.outcome(&lists, UnknownStatus::Refuse);
    let reason = Some(RevocationReason::CaCompromise);
    assert_eq!(outcome, Some((1, PathFault::Revoked { at: NOW - DAY, reason })));
}

#[test]
fn a_list_counts_when_it_is_current_and_its_issuers() {
    let world = World::new();
    let good = List::of(&[]);
    assert_eq!(unknown(world.with(&List { next_update: Some(NOW - Duration::from_secs(1)), ..good.clone() })), Some(0));
    assert_eq!(unknown(world.with(&List { this_update: NOW + DAY, ..good.clone() })), Some(0));
    assert_eq!(unknown(world.with(&List { next_update: None, ..good.clone() })), Some(0));
    let stranger = Entity { name: world.ca.name.clone(), ..Entity::new("Stranger", 9) };
    let lists = [good.signed_by(&world.root), good.signed_by(&stranger)];
    assert_eq!(unknown(world.outcome(&lists, UnknownStatus::Refuse)), Some(0));
    assert_eq!(world.outcome(&lists, UnknownStatus::Accept), None);
    assert_eq!(unknown(world.outcome(&[], UnknownStatus::Refuse)), Some(1));
    assert_eq!(world.outcome(&[], UnknownStatus::Accept), None);
    // What is known counts even where what is not known is accepted.
    let lists = [List::of(&[(9, 1)]).signed_by(&world.ca)];
    assert!(matches!(world.outcome(&lists, UnknownStatus::Accept), Some((0, PathFault::Revoked { .. }))));
}

#[test]
fn what_is_not_understood_makes_a_list_useless() {
    let world = World::new();
    let oid = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.99999.1");
    let strange = critical(oid, &[5, 0]);
    let list = List { extensions: vec![strange.clone()], ..List::of(&[]) };
    assert_eq!(unknown(world.with(&list)), Some(0));
    // Even in the entry of another certificate (RFC 5280 §5.3).
    let list = List { entries: vec![(7, 1, strange)], ..List::of(&[]) };
    assert_eq!(unknown(world.with(&list)), Some(0));
    // One for attribute certificates alone, and one that is a delta list without what it builds upon.
    let only_attributes = critical(rfc5280::ID_CE_ISSUING_DISTRIBUTION_POINT, &[tlv::SEQUENCE, 3, 0x85, 1, 0xff]);
    let delta = critical(rfc5280::ID_CE_DELTA_CRL_INDICATOR, &[tlv::INTEGER, 1, 1]);
    for extension in [only_attributes, delta] {
        assert_eq!(unknown(world.with(&List { extensions: vec![extension], ..List::of(&[]) })), Some(0));
    }
}

#[test]
fn a_list_is_read_or_refused_as_a_whole() {
    let list = List::of(&[(1, 1), (2, 1)]).signed_by(&Entity::new("CA", 2));
    let read = RevocationList::read(&list).unwrap();
    assert_eq!((read.entries(), read.this_update(), read.next_update()), (Ok(2), NOW - DAY, Some(NOW + DAY)));
    assert!(RevocationList::read(&[&list[..], &[0]].concat()).is_err());
    for end in [0, 1, 10, list.len() / 2, list.len() - 1] {
        assert!(RevocationList::read(&list[..end]).is_err());
    }
}
