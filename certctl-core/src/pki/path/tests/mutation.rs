//! Frankenstein's certificates: parts of valid ones in combinations that no CA makes, and damaged ones. Nothing panics, and
//! what is valid is valid whichever way it is asked.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;
use proptest::collection::vec;
use proptest::prelude::*;

use super::forge::{Entity, NOW, alternative_names, authority, constraints, critical, harmless};
use crate::domain::ExtendedKeyUsage;
use crate::pki::general_name as kind;
use crate::pki::path::{
    PolicyTerms, Purpose, PurposeScope, Revocation, RevocationList, TrustAnchor, UnknownStatus, Validation,
};
use crate::pki::tlv::{self, write};

const ONE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.3.1");
const TWO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.3.2");

fn oid(oid: ObjectIdentifier) -> Vec<u8> {
    write(tlv::OBJECT_IDENTIFIER, &[oid.as_bytes()])
}

/// Extensions to choose from, good and bad.
fn parts() -> Vec<Vec<u8>> {
    let sequence = |values: &[&[u8]]| write(tlv::SEQUENCE, values);
    let policies = |policies: &[ObjectIdentifier]| {
        let policies: Vec<u8> = policies.iter().flat_map(|policy| sequence(&[&oid(*policy)])).collect();
        harmless(rfc5280::ID_CE_CERTIFICATE_POLICIES, &sequence(&[&policies]))
    };
    let mapping =
        |one, other| critical(rfc5280::ID_CE_POLICY_MAPPINGS, &sequence(&[&sequence(&[&oid(one), &oid(other)])]));
    let usage = |octet: u8| critical(rfc5280::ID_CE_KEY_USAGE, &[tlv::BIT_STRING, 2, 0, octet]);
    let purposes = |usage: ExtendedKeyUsage| {
        let usage = ObjectIdentifier::new_unwrap(usage.oid());
        harmless(rfc5280::ID_CE_EXT_KEY_USAGE, &sequence(&[&oid(usage)]))
    };
    vec![
        authority(None),
        authority(Some(0)),
        authority(Some(1)),
        critical(rfc5280::ID_CE_BASIC_CONSTRAINTS, &sequence(&[])),
        usage(0x04),
        usage(0x06),
        usage(0x80),
        purposes(ExtendedKeyUsage::ClientAuth),
        purposes(ExtendedKeyUsage::ServerAuth),
        alternative_names(&[(kind::DNS_NAME, b"a.example.com"), (kind::IP_ADDRESS, &[192, 0, 2, 1])]),
        alternative_names(&[(kind::URI, b"spiffe://example.com/a"), (kind::RFC822_NAME, b"a@example.com")]),
        alternative_names(&[(0xa0, b"?"), (0x88, &[1]), (kind::DNS_NAME, &[0xff])]),
        constraints(&[(kind::DNS_NAME, b"example.com"), (kind::IP_ADDRESS, &[192, 0, 2, 0, 255, 255, 255, 0])], &[]),
        constraints(&[], &[(kind::DNS_NAME, b"a.example.com"), (kind::URI, b".example.com")]),
        constraints(&[(kind::DIRECTORY_NAME, &[tlv::SEQUENCE, 0])], &[(0xa0, b"?")]),
        policies(&[ONE]),
        policies(&[ONE, TWO]),
        policies(&[rfc5280::ANY_POLICY]),
        mapping(ONE, TWO),
        mapping(TWO, ONE),
        mapping(ONE, rfc5280::ANY_POLICY),
        critical(rfc5280::ID_CE_POLICY_CONSTRAINTS, &sequence(&[&[0x80, 1, 0]])),
        critical(rfc5280::ID_CE_POLICY_CONSTRAINTS, &sequence(&[&[0x80, 1, 1], &[0x81, 1, 0]])),
        critical(rfc5280::ID_CE_INHIBIT_ANY_POLICY, &[tlv::INTEGER, 1, 0]),
        harmless(rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS, &sequence(&[&sequence(&[&[0x81, 2, 0, 0x60]])])),
        harmless(rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS, &[5, 0]),
        critical(ObjectIdentifier::new_unwrap("1.2.3.4"), &[5, 0]),
    ]
}

/// Which parts each certificate has, and what is changed in the finished one: place and octet.
#[derive(Clone, Debug)]
struct Plan {
    parts: Vec<usize>,
    damage: Option<(usize, u8)>,
}

fn plan() -> impl Strategy<Value = Plan> {
    let damage = prop_oneof![3 => Just(None), 1 => (any::<usize>(), any::<u8>()).prop_map(Some)];
    (vec(0..parts().len(), 0..5), damage).prop_map(|(parts, damage)| Plan { parts, damage })
}

fn built(issuer: &Entity, subject: &Entity, plan: &Plan, is_ca: bool) -> Vec<u8> {
    let library = parts();
    let ca = is_ca.then(|| authority(None));
    // Half of what is to be a CA is one, or few paths would get anywhere.
    let chosen = plan.parts.iter().filter(|index| !is_ca || **index > 3).map(|index| library[*index].clone());
    let mut der = issuer.certify(subject, &ca.into_iter().chain(chosen).collect::<Vec<_>>());
    if let Some((place, octet)) = plan.damage {
        let place = place % der.len();
        der[place] = octet;
    }
    der
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_combination_of_parts_panics(
        of_leaf in plan(), of_ca in plan(), of_root in plan(), demanded: bool, whole: bool,
        list_damage in (any::<usize>(), any::<u8>()),
    ) {
        let (root, ca, leaf) = (Entity::new("Root", 1), Entity::new("CA", 2), Entity::new("a.example.com", 3));
        let certificates = [
            built(&ca, &leaf, &of_leaf, false),
            built(&root, &ca, &of_ca, true),
            built(&root, &root, &of_root, true),
        ];
        let Ok(anchor) = TrustAnchor::from_certificate(&certificates[2]) else { return Ok(()) };
        let anchors = [anchor];
        // Any SEQUENCE { SEQUENCE, SEQUENCE, BIT STRING } may be taken for a list; most are none.
        let mut list = certificates[1].clone();
        let place = list_damage.0 % list.len();
        list[place] = list_damage.1;
        let lists: Vec<_> = RevocationList::read(&list).into_iter().collect();
        let scope = if whole { PurposeScope::WholePath } else { PurposeScope::Leaf };
        let validation = Validation {
            purpose: demanded.then_some(Purpose { usage: ExtendedKeyUsage::ClientAuth, scope }),
            policies: PolicyTerms { demanded, ..PolicyTerms::default() },
            revocation: Revocation::Lists { lists: &lists, signers: &[], unknown: UnknownStatus::Accept },
            ..Validation::new(&anchors, NOW)
        };
        let taken = validation.validate(&certificates[..2]);
        prop_assert_eq!(&validation.validate(&certificates[..2]), &taken);
        let found = validation.find(&certificates[0], &certificates[1..]);
        // A search takes what a validation takes, and nothing else.
        match taken {
            Ok(valid) => prop_assert_eq!(found.map(|found| found.valid), Ok(valid)),
            Err(_) => prop_assert!(found.is_err()),
        }
        // Without anything that demands more, what is valid keeps what those above say.
        let is_leaf = of_leaf.damage.is_none() && of_leaf.parts.iter().all(|index| *index > 2);
        if is_leaf && validation.validate(&certificates[..2]).is_ok() {
            prop_assert_eq!(crate::pki::path::check_below(&certificates), Ok(()));
        }
    }
}
