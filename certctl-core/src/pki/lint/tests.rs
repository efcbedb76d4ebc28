//! One bad certificate for each rule, refused by exactly that rule.

use std::collections::BTreeSet;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc4519, rfc5280};

use super::draft::*;
use super::{RULES, Scope, check};
use crate::pki::certificate::{OCSP_NO_CHECK, TLS_FEATURE};
use crate::pki::tlv::{self, write};

/// A rule, and what makes a good certificate break it.
type Case = (&'static str, fn(&mut Draft));

/// What makes a good leaf break one rule.
const LEAVES: &[Case] = &[
    ("version_3", |d| d.version = vec![]),
    ("serial_positive", |d| d.serial = vec![0]),
    ("serial_at_most_20_octets", |d| d.serial = vec![1; 21]),
    ("serial_in_shortest_form", |d| d.serial = vec![0, 1, 1, 1, 1, 1, 1, 1, 1]),
    // sha1WithRSAEncryption.
    ("signature_algorithm", |d| d.algorithm = hex::decode("300d06092a864886f70d0101050500").unwrap()),
    ("no_unique_identifiers", |d| d.unique_id = vec![0x81, 2, 0, 1]),
    ("public_key", |d| d.spki = rsa(&[0x80], 128, &[1, 0, 1], &[5, 0])),
    ("rsa_parameters_null", |d| d.spki = rsa(&[0x80], 256, &[1, 0, 1], &[])),
    ("rsa_exponent_odd", |d| d.spki = rsa(&[0x80], 256, &[1, 0, 0], &[5, 0])),
    ("times_well_formed", |d| d.not_before = utc("2704010000Z")),
    ("times_in_form_of_their_year", |d| d.not_after = write(tlv::GENERALIZED_TIME, &[b"20270630000000Z"])),
    ("validity_in_order", |d| d.not_after = utc("270331000000Z")),
    ("names_well_formed", |d| d.subject = vec![0x30, 2, 0x31, 0]),
    ("issuer_not_empty", |d| d.issuer = vec![0x30, 0]),
    ("directory_string_types", |d| d.subject = attribute(rfc4519::COMMON_NAME, 0x14, b"shop")),
    ("printable_string_alphabet", |d| d.subject = attribute(rfc4519::COMMON_NAME, 0x13, b"a@b")),
    ("utf8_string_valid", |d| d.subject = attribute(rfc4519::COMMON_NAME, 0x0c, &[0xff])),
    ("name_attributes_not_empty", |d| d.subject = attribute(rfc4519::COMMON_NAME, 0x0c, b"")),
    ("name_attribute_lengths", |d| d.subject = attribute(rfc4519::ORGANIZATION_NAME, 0x0c, &[b'x'; 65])),
    ("country_two_letters", |d| d.subject = attribute(rfc4519::COUNTRY_NAME, 0x13, b"DEU")),
    ("subject_or_san", |d| {
        d.subject = vec![0x30, 0];
        d.remove(SAN);
    }),
    ("san_critical_without_subject", |d| d.subject = vec![0x30, 0]),
    ("san_dns_syntax", |d| d.set(SAN, sans(&[dns("a_b.certctl.de")]))),
    ("san_email_syntax", |d| d.set(SAN, sans(&[write(0x81, &[b"no address"])]))),
    ("san_uri_syntax", |d| d.set(SAN, sans(&[write(0x86, &[b"relative"])]))),
    ("san_ip_length", |d| d.set(SAN, sans(&[write(0x87, &[&[1; 5]])]))),
    ("extensions_not_empty", |d| {
        d.extensions = vec![];
        d.issuer.clone_from(&d.subject);
    }),
    ("extensions_unique", |d| {
        let twice = d.extension(SAN).clone();
        d.extensions.push(twice);
    }),
    ("extensions_well_formed", |d| d.set(KEY_USAGE, vec![4, 0])),
    ("critical_in_der", |d| d.extension(KEY_USAGE).critical = Some(1)),
    ("no_unknown_critical_extension", |d| {
        d.extensions.push(critical(ObjectIdentifier::new_unwrap("1.3.6.1.4.1.99999.1"), vec![5, 0]));
    }),
    ("authority_key_identifier", |d| d.remove(AUTHORITY_KEY)),
    ("authority_key_identifier_not_critical", |d| d.make_critical(AUTHORITY_KEY)),
    ("subject_key_identifier_not_critical", |d| d.make_critical(SUBJECT_KEY)),
    ("policies_unique", |d| d.set(POLICIES, policies(&["1.2.3", "1.2.3"]))),
    ("name_constraints_in_ca", |d| {
        d.extensions.push(critical(rfc5280::ID_CE_NAME_CONSTRAINTS, vec![0x30, 0]));
    }),
    ("crl_distribution_points_not_critical", |d| d.make_critical(CRL)),
    ("crl_locations", |d| d.set(CRL, crl("file:///crl"))),
    ("authority_information_access_not_critical", |d| d.make_critical(ACCESS)),
    ("authority_information_access_locations", |d| d.set(ACCESS, access(&[(rfc5280::ID_AD_OCSP, "ocsp")]))),
    ("tls_feature_not_critical", |d| d.extensions.push(critical(TLS_FEATURE, vec![0x30, 3, 2, 1, 5]))),
    ("ocsp_no_check_not_critical", |d| d.extensions.push(critical(OCSP_NO_CHECK, vec![5, 0]))),
    ("path_length_only_in_ca", |d| d.set(CONSTRAINTS, vec![0x30, 3, 2, 1, 0])),
    ("key_usage_critical", |d| d.extension(KEY_USAGE).critical = None),
    ("key_usage_not_empty", |d| d.set(KEY_USAGE, vec![3, 1, 0])),
    ("certificate_signing_only_in_ca", |d| d.set(KEY_USAGE, vec![3, 2, 2, 0x84])),
    ("key_usage_fits_ec_key", |d| d.set(KEY_USAGE, vec![3, 2, 5, 0xa0])),
    ("key_usage_fits_ed25519_key", |d| {
        d.spki = ed25519();
        d.set(KEY_USAGE, vec![3, 2, 3, 0x88]);
    }),
    ("key_usage_fits_rsa_key", |d| {
        d.spki = rsa_2048();
        d.set(KEY_USAGE, vec![3, 2, 3, 0x88]);
    }),
    ("extended_key_usage_not_empty", |d| d.set(EKU, vec![0x30, 0])),
    ("extended_key_usage_unique", |d| {
        d.set(EKU, sequence(&[oid(rfc5280::ID_KP_SERVER_AUTH), oid(rfc5280::ID_KP_SERVER_AUTH)]));
    }),
    ("any_extended_key_usage_not_critical", |d| {
        d.set(EKU, sequence(&[oid(ObjectIdentifier::new_unwrap("2.5.29.37.0"))]));
        d.make_critical(EKU);
    }),
    ("extended_key_usage_consistent", |d| {
        d.spki = rsa_2048();
        d.set(KEY_USAGE, vec![3, 2, 5, 0x20]);
    }),
    ("time_stamping_alone_and_critical", |d| d.set(EKU, sequence(&[oid(rfc5280::ID_KP_TIME_STAMPING)]))),
];

/// What makes a good authority break one rule.
const AUTHORITIES: &[Case] = &[
    ("ca_subject_not_empty", |d| d.subject = vec![0x30, 0]),
    ("subject_key_identifier_in_ca", |d| d.remove(SUBJECT_KEY)),
    ("basic_constraints_critical_in_ca", |d| d.extension(CONSTRAINTS).critical = None),
    ("path_length_not_negative", |d| d.set(CONSTRAINTS, sequence(&[vec![1, 1, 0xff], vec![2, 1, 0xff]]))),
    ("key_usage_in_ca", |d| d.remove(KEY_USAGE)),
    ("certificate_signing_in_ca", |d| d.set(KEY_USAGE, vec![3, 2, 1, 0x02])),
];

/// What makes a leaf that is fit for public trust unfit for it and nothing else.
const PUBLIC_TRUST: &[Case] = &[
    ("br_validity", |d| d.not_after = utc("270710000000Z")),
    ("br_serial_entropy", |d| d.serial = vec![1; 7]),
    ("br_key_algorithm", |d| d.spki = ed25519()),
    ("br_rsa_modulus", |d| d.spki = rsa(&[0x01], 257, &[1, 0, 1], &[5, 0])),
    ("br_rsa_exponent", |d| d.spki = rsa(&[0x80], 256, &[3], &[5, 0])),
    ("br_san", |d| {
        d.subject = attribute(rfc4519::ORGANIZATION_NAME, 0x0c, b"Beispiel");
        d.remove(SAN);
    }),
    ("br_san_kinds", |d| d.set(SAN, sans(&[dns("shop.certctl.de"), write(0x81, &[b"a@certctl.de"])]))),
    ("br_no_internal_names", |d| d.set(SAN, sans(&[dns("shop.certctl.de"), dns("shop.local")]))),
    ("br_no_reserved_addresses", |d| d.set(SAN, sans(&[dns("shop.certctl.de"), write(0x87, &[&[10, 0, 0, 1]])]))),
    ("br_wildcard_below_registry", |d| d.set(SAN, sans(&[dns("shop.certctl.de"), dns("*.de")]))),
    ("br_common_name_in_san", |d| d.subject = common_name("other.certctl.de")),
    ("br_server_auth", |d| d.set(EKU, sequence(&[oid(rfc5280::ID_KP_CLIENT_AUTH)]))),
    ("br_extended_key_usages", |d| {
        d.set(EKU, sequence(&[oid(rfc5280::ID_KP_SERVER_AUTH), oid(rfc5280::ID_KP_CODE_SIGNING)]));
    }),
    ("br_key_usage", |d| d.set(KEY_USAGE, vec![3, 2, 6, 0xc0])),
    ("br_policies", |d| d.remove(POLICIES)),
    ("br_authority_information_access", |d| d.remove(ACCESS)),
    ("br_http_locations", |d| d.set(CRL, crl("ldap://ca.certctl.de/crl"))),
    ("br_revocation_location", |d| {
        d.remove(CRL);
        d.set(ACCESS, access(&[(rfc5280::ID_AD_CA_ISSUERS, "http://ca.certctl.de/ca")]));
    }),
    ("br_basic_constraints_critical", |d| d.extension(CONSTRAINTS).critical = None),
];

fn broken(draft: &Draft, scope: Scope) -> Vec<&'static str> {
    check(&draft.tbs(), scope).into_iter().map(|finding| finding.rule).collect()
}

fn mutated(good: &Draft, spoil: fn(&mut Draft)) -> Draft {
    let mut draft = good.clone();
    spoil(&mut draft);
    draft
}

#[test]
fn good_certificates_break_no_rule() {
    assert_eq!(broken(&Draft::leaf(), Scope::PublicTrust), Vec::<&str>::new());
    assert_eq!(broken(&Draft::authority(), Scope::PublicTrust), Vec::<&str>::new());
    let rsa = mutated(&Draft::leaf(), |d| {
        d.spki = rsa_2048();
        d.set(KEY_USAGE, vec![3, 2, 5, 0xa0]);
    });
    assert_eq!(broken(&rsa, Scope::PublicTrust), Vec::<&str>::new());
}

#[test]
fn each_bad_certificate_breaks_exactly_its_rule() {
    for (rule, spoil) in LEAVES {
        assert_eq!(broken(&mutated(&Draft::leaf(), *spoil), Scope::Always), [*rule]);
    }
    for (rule, spoil) in AUTHORITIES {
        assert_eq!(broken(&mutated(&Draft::authority(), *spoil), Scope::PublicTrust), [*rule]);
    }
    assert_eq!(broken_bytes(b"no certificate"), ["well_formed"]);
    assert_eq!(broken_bytes(&[0x30, 0]), ["well_formed"]);
}

#[test]
fn rules_of_public_trust_hold_only_where_they_are_asked_for() {
    for (rule, spoil) in PUBLIC_TRUST {
        let draft = mutated(&Draft::leaf(), *spoil);
        assert_eq!(broken(&draft, Scope::PublicTrust), [*rule]);
        assert_eq!(broken(&draft, Scope::Always), Vec::<&str>::new(), "{rule}");
    }
}

#[test]
fn no_rule_lacks_its_bad_certificate_and_none_its_section() {
    let cases: BTreeSet<&str> =
        [LEAVES, AUTHORITIES, PUBLIC_TRUST].concat().iter().map(|(rule, _)| *rule).chain(["well_formed"]).collect();
    let rules: BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(cases, rules);
    assert_eq!(rules.len(), RULES.len(), "a name stands twice");
    assert!(RULES.iter().all(|rule| rule.section.contains('§') || rule.section.contains("appendix")));
    assert!(RULES.iter().filter(|rule| rule.scope == Scope::Always).count() >= 30);
}

#[test]
fn the_longest_validity_shrinks_with_the_years() {
    let lasting = |first: &str, last: &str| {
        let draft = Draft { not_before: utc(first), not_after: utc(last), ..Draft::leaf() };
        broken(&draft, Scope::PublicTrust).is_empty()
    };
    // To the second: both ends belong to the validity.
    assert!(lasting("260401000000Z", "261017235959Z") && !lasting("260401000000Z", "261018000000Z"));
    assert!(lasting("270401000000Z", "270709235959Z") && !lasting("270401000000Z", "270710000000Z"));
    assert!(lasting("290401000000Z", "290517235959Z") && !lasting("290401000000Z", "290518000000Z"));
}

fn broken_bytes(tbs: &[u8]) -> Vec<&'static str> {
    check(tbs, Scope::Always).into_iter().map(|finding| finding.rule).collect()
}
