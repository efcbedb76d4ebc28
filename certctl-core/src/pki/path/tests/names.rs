//! Names, purposes and extensions along a path.

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc4519, rfc5280};

use super::forge::{Entity, NOW, alternative_names, authority, constraints, critical, fault, harmless};
use crate::domain::ExtendedKeyUsage;
use crate::pki::path::{MAX_COMPARISONS, PathFault, Purpose, PurposeScope, Validation};
use crate::pki::tlv::{self, write};
use crate::pki::{general_name as kind, name};

/// What stands against a leaf with these names below a CA with these constraints.
fn held(permitted: &[(u8, &[u8])], excluded: &[(u8, &[u8])], names: &[(u8, &[u8])]) -> Option<PathFault> {
    let (root, ca, leaf) = (Entity::new("Root", 1), Entity::new("CA", 2), Entity::named(name::encode(&[]), 3));
    let issuing = root.certify(&ca, &[authority(None), constraints(permitted, excluded)]);
    let path = [ca.certify(&leaf, &[alternative_names(names)]), issuing];
    let found = fault(&root.anchor(&[]), &path);
    // The same constraints on the anchor itself (RFC 5937).
    let direct = [root.certify(&leaf, &[alternative_names(names)])];
    assert_eq!(fault(&root.anchor(&[constraints(permitted, excluded)]), &direct), found);
    assert!(found.as_ref().is_none_or(|(position, _)| *position == 0));
    found.map(|(_, fault)| fault)
}

fn refused(fault: Option<PathFault>) -> &'static str {
    match fault {
        None => "fits",
        Some(PathFault::NotPermitted(_)) => "not permitted",
        Some(PathFault::Excluded(_)) => "excluded",
        Some(PathFault::NotComparable(_)) => "not comparable",
        Some(_) => "refused for another reason",
    }
}

#[test]
fn every_kind_of_name_is_held_against_its_constraints() {
    let dns = |text: &'static str| (kind::DNS_NAME, text.as_bytes());
    let ip = |octets: &'static [u8]| (kind::IP_ADDRESS, octets);
    let (mail, uri) =
        (|text: &'static str| (kind::RFC822_NAME, text.as_bytes()), |text: &'static str| (kind::URI, text.as_bytes()));
    let other = (0xa0, &[][..]);
    let network = ip(&[192, 0, 2, 0, 255, 255, 255, 0]);
    for (permitted, excluded, name, outcome) in [
        (&[dns("example.com")][..], &[][..], dns("a.example.com"), "fits"),
        (&[dns("example.com")], &[], dns("example.org"), "not permitted"),
        (&[dns("example.com")], &[], ip(&[192, 0, 2, 1]), "fits"),
        (&[dns("example.com")], &[dns("a.example.com")], dns("b.a.example.com"), "excluded"),
        (&[], &[dns("a.example.com")], dns("*.example.com"), "excluded"),
        (&[dns("example.com")], &[], dns("\u{fc}.example.com"), "not comparable"),
        (&[network], &[], ip(&[192, 0, 2, 77]), "fits"),
        (&[network], &[], ip(&[192, 0, 3, 77]), "not permitted"),
        (&[network], &[], ip(&[0; 16]), "not permitted"),
        (&[network], &[], ip(&[1, 2, 3]), "not comparable"),
        (&[], &[network], ip(&[192, 0, 2, 77]), "excluded"),
        (&[mail("example.com")], &[], mail("a@example.com"), "fits"),
        (&[mail("example.com")], &[], mail("a@b.example.com"), "not permitted"),
        (&[uri(".example.com")], &[], uri("spiffe://a.example.com/x"), "fits"),
        (&[uri("example.com")], &[], uri("urn:a"), "not comparable"),
        (&[], &[uri("evil.example")], uri("https://evil.example/"), "excluded"),
        (&[other], &[], other, "not comparable"),
        (&[], &[other], other, "not comparable"),
        (&[other], &[], dns("example.com"), "fits"),
    ] {
        assert_eq!(refused(held(permitted, excluded, &[name])), outcome, "{permitted:x?} {excluded:x?} {name:x?}");
    }
}

#[test]
fn a_common_name_does_not_slip_past_dns_constraints() {
    let (root, leaf) = (Entity::new("Root", 1), Entity::new("www.example.org", 2));
    let anchor = root.anchor(&[constraints(&[(kind::DNS_NAME, b"example.com")], &[])]);
    let nameless = [root.certify(&leaf, &[])];
    assert_eq!(refused(fault(&anchor, &nameless).map(|(_, fault)| fault)), "not permitted");
    // With alternative names nobody looks at the common name; and not every common name is one of a host.
    let named = [root.certify(&leaf, &[alternative_names(&[(kind::DNS_NAME, b"a.example.com")])])];
    assert_eq!(fault(&anchor, &named), None);
    assert_eq!(fault(&anchor, &[root.certify(&Entity::new("A printer", 2), &[])]), None);
}

#[test]
fn directory_names_and_the_mail_in_a_subject_count() {
    let subject = |attributes: &[(ObjectIdentifier, &str)]| name::encode(attributes);
    let (country, organization) = (rfc4519::COUNTRY_NAME, rfc4519::ORGANIZATION_NAME);
    let root = Entity::new("Root", 1);
    let base = subject(&[(country, "DE"), (organization, "Example")]);
    let anchor = root.anchor(&[constraints(&[(kind::DIRECTORY_NAME, &base)], &[])]);
    let inside = Entity::named(subject(&[(country, "DE"), (organization, "EXAMPLE"), (rfc4519::COMMON_NAME, "x")]), 2);
    let outside = Entity::named(subject(&[(country, "DE"), (organization, "Other")]), 2);
    assert_eq!(fault(&anchor, &[root.certify(&inside, &[])]), None);
    assert_eq!(refused(fault(&anchor, &[root.certify(&outside, &[])]).map(|(_, fault)| fault)), "not permitted");
    let address = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");
    let mailing = Entity::named(subject(&[(address, "a@example.org")]), 2);
    let anchor = root.anchor(&[constraints(&[(kind::RFC822_NAME, b"example.com")], &[])]);
    assert_eq!(refused(fault(&anchor, &[root.certify(&mailing, &[])]).map(|(_, fault)| fault)), "not permitted");
}

#[test]
fn constraints_that_mean_nothing_refuse_the_path() {
    let (root, ca, leaf) = (Entity::new("Root", 1), Entity::new("CA", 2), Entity::new("leaf", 3));
    let base = write(kind::DNS_NAME, &[b"example.com"]);
    let subtree = |minimum: &[u8], maximum: &[u8]| {
        let subtree = write(tlv::SEQUENCE, &[&base, minimum, maximum]);
        critical(rfc5280::ID_CE_NAME_CONSTRAINTS, &write(tlv::SEQUENCE, &[&write(0xa0, &[&subtree])]))
    };
    for (constraints, fits) in [
        (subtree(&[], &[]), true),
        (subtree(&[0x80, 1, 0], &[]), true),
        (subtree(&[0x80, 1, 1], &[]), false),
        (subtree(&[], &[0x81, 1, 5]), false),
    ] {
        let path = [ca.certify(&leaf, &[]), root.certify(&ca, &[authority(None), constraints])];
        let found = fault(&root.anchor(&[]), &path);
        assert_eq!(found.is_none(), fits, "{found:?}");
        assert!(found.is_none_or(|(position, fault)| position == 1 && matches!(fault, PathFault::Malformed(_))));
    }
}

#[test]
fn comparing_names_has_an_end() {
    let (root, ca, leaf) = (Entity::new("Root", 1), Entity::new("CA", 2), Entity::new("leaf", 3));
    let many: Vec<String> = (0..600).map(|number| format!("h{number}.example")).collect();
    let many: Vec<(u8, &[u8])> = many.iter().map(|name| (kind::DNS_NAME, name.as_bytes())).collect();
    assert!(many.len() * many.len() > MAX_COMPARISONS);
    let issuing = root.certify(&ca, &[authority(None), constraints(&many, &[])]);
    let path = [ca.certify(&leaf, &[alternative_names(&many)]), issuing];
    assert_eq!(fault(&root.anchor(&[]), &path), Some((0, PathFault::TooManyNames)));
}

#[test]
fn purposes_are_asked_of_the_leaf_or_of_all() {
    let (root, ca, leaf) = (Entity::new("Root", 1), Entity::new("CA", 2), Entity::new("leaf", 3));
    let purposes = |usages: &[ExtendedKeyUsage]| {
        let oids = usages.iter().map(|usage| ObjectIdentifier::new_unwrap(usage.oid()));
        let oids: Vec<Vec<u8>> = oids.map(|oid| write(tlv::OBJECT_IDENTIFIER, &[oid.as_bytes()])).collect();
        let oids: Vec<&[u8]> = oids.iter().map(Vec::as_slice).collect();
        harmless(rfc5280::ID_CE_EXT_KEY_USAGE, &write(tlv::SEQUENCE, &oids))
    };
    let anchors = [root.anchor(&[])];
    let ask = |of_ca: &[ExtendedKeyUsage], of_leaf: &[ExtendedKeyUsage], scope| {
        let issuing = root.certify(&ca, &[authority(None), purposes(of_ca)]);
        let path = [ca.certify(&leaf, &[purposes(of_leaf)]), issuing];
        let purpose = Some(Purpose { usage: ExtendedKeyUsage::ClientAuth, scope });
        let outcome = Validation { purpose, ..Validation::new(&anchors, NOW) }.validate(&path);
        outcome.err().map(|error| (error.position, error.fault))
    };
    let (client, server) = ([ExtendedKeyUsage::ClientAuth], [ExtendedKeyUsage::ServerAuth]);
    let refused = |position| Some((position, PathFault::Purpose("clientAuth")));
    assert_eq!(ask(&client, &client, PurposeScope::WholePath), None);
    assert_eq!(ask(&server, &client, PurposeScope::Leaf), None);
    assert_eq!(ask(&server, &client, PurposeScope::WholePath), refused(1));
    assert_eq!(ask(&client, &server, PurposeScope::Leaf), refused(0));
}

#[test]
fn extensions_that_are_critical_or_there_twice_are_understood_or_refused() {
    let (root, leaf) = (Entity::new("Root", 1), Entity::new("leaf", 3));
    let unknown = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.99999.1");
    let anchor = root.anchor(&[]);
    assert_eq!(fault(&anchor, &[root.certify(&leaf, &[harmless(unknown, &[5, 0])])]), None);
    let found = fault(&anchor, &[root.certify(&leaf, &[critical(unknown, &[5, 0])])]);
    assert_eq!(found, Some((0, PathFault::CriticalExtension("1.3.6.1.4.1.99999.1".into()))));
    let twice = [harmless(unknown, &[5, 0]), harmless(unknown, &[5, 0])];
    let found = fault(&anchor, &[root.certify(&leaf, &twice)]);
    assert_eq!(found, Some((0, PathFault::RepeatedExtension("1.3.6.1.4.1.99999.1".into()))));
}
