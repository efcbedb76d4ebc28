//! NIST's Public Key Interoperability Test Suite (PKITS), all of it that has certificates: sections 4.1 to 4.16. Every path is
//! searched for among all certificates and all revocation lists of the suite at once.
//!
//! The vectors are in the package `cryptography_vectors`, which `scripts/vectors` installs. Where they are missing, the cases show
//! as ignored, never as passed.

#![expect(clippy::unwrap_used, reason = "a trial fails by panicking, as tests do")]
#![expect(clippy::disallowed_methods, reason = "the vectors are files")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use certctl_core::domain::Timestamp;
use certctl_core::pki::path::{
    PathFault, PolicyTerms, Revocation, RevocationList, TrustAnchor, UnknownStatus, Validation,
};
use libtest_mimic::{Arguments, Failed, Trial};

/// 2020: the suite is valid from 2010 to 2030.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_577_880_000);
/// How many end entities the suite has; with fewer of them something would be passed over.
const END_ENTITIES: usize = 223;

/// The certificates and lists of the suite.
struct Suite {
    certificates: BTreeMap<String, Vec<u8>>,
    lists: BTreeMap<String, Vec<u8>>,
}

/// Where the suite departs from what is meant by `outcome`, and why.
const DEVIATIONS: [(&str, &str); 3] = [
    ("ValidDSASignaturesTest4", "DSA with SHA-1 is not verified: nobody has issued such certificates for long"),
    ("ValidDSAParameterInheritanceTest5", "the same"),
    (
        "ValidcRLIssuerTest30",
        "whether the signer of the list is revoked itself, only that list says: nobody vouches for himself",
    ),
];

/// What is asked of a path.
#[derive(Clone, Copy)]
struct Settings {
    /// user-initial-policy-set: the last arc of NIST-test-policy-1 to 6.
    policies: &'static [u8],
    demanded: bool,
    without_mapping: bool,
    without_any: bool,
}

const DEFAULT: Settings = Settings { policies: &[], demanded: false, without_mapping: false, without_any: false };
const DEMANDED: Settings = Settings { demanded: true, ..DEFAULT };
const WITHOUT_MAPPING: Settings = Settings { without_mapping: true, ..DEFAULT };
const WITHOUT_ANY: Settings = Settings { without_any: true, ..DEFAULT };

const fn only(policies: &'static [u8]) -> Settings {
    Settings { policies, ..DEFAULT }
}

const fn demanded(policies: &'static [u8]) -> Settings {
    Settings { policies, ..DEMANDED }
}

/// The cases whose name does not tell their outcome, and those with settings of their own (sections 4.8, 4.10 and 4.12).
const CASES: [(&str, &[(Settings, bool)]); 32] = [
    (
        "ValidCertificatePathTest1",
        &[
            (DEFAULT, true),
            (DEMANDED, true),
            (demanded(&[1]), true),
            (demanded(&[2]), false),
            (demanded(&[1, 2]), true),
        ],
    ),
    ("AllCertificatesNoPoliciesTest2", &[(DEFAULT, true), (DEMANDED, false)]),
    ("DifferentPoliciesTest3", &[(DEFAULT, true), (DEMANDED, false), (demanded(&[1, 2]), false)]),
    ("DifferentPoliciesTest4", &[(DEFAULT, false)]),
    ("DifferentPoliciesTest5", &[(DEFAULT, false)]),
    ("OverlappingPoliciesTest6", &[(DEFAULT, true), (only(&[1]), true), (only(&[2]), false)]),
    ("DifferentPoliciesTest7", &[(DEFAULT, false)]),
    ("DifferentPoliciesTest8", &[(DEFAULT, false)]),
    ("DifferentPoliciesTest9", &[(DEFAULT, false)]),
    ("AllCertificatesSamePoliciesTest10", &[(DEFAULT, true), (only(&[1]), true), (only(&[2]), true)]),
    ("AllCertificatesanyPolicyTest11", &[(DEFAULT, true), (only(&[1]), true)]),
    ("DifferentPoliciesTest12", &[(DEFAULT, false)]),
    ("AllCertificatesSamePoliciesTest13", &[(only(&[1]), true), (only(&[2]), true), (only(&[3]), true)]),
    ("AnyPolicyTest14", &[(only(&[1]), true), (only(&[2]), false)]),
    ("UserNoticeQualifierTest15", &[(DEFAULT, true)]),
    ("UserNoticeQualifierTest16", &[(DEFAULT, true)]),
    ("UserNoticeQualifierTest17", &[(DEFAULT, true)]),
    ("UserNoticeQualifierTest18", &[(only(&[1]), true), (only(&[2]), true)]),
    ("UserNoticeQualifierTest19", &[(DEFAULT, true)]),
    ("CPSPointerQualifierTest20", &[(DEFAULT, true)]),
    ("ValidPolicyMappingTest1", &[(only(&[1]), true), (only(&[2]), false), (WITHOUT_MAPPING, false)]),
    ("InvalidPolicyMappingTest2", &[(DEFAULT, false), (WITHOUT_MAPPING, false)]),
    ("ValidPolicyMappingTest3", &[(only(&[1]), false), (only(&[2]), true)]),
    ("ValidPolicyMappingTest5", &[(only(&[1]), true), (only(&[6]), false)]),
    ("ValidPolicyMappingTest6", &[(only(&[1]), true), (only(&[6]), false)]),
    ("ValidPolicyMappingTest9", &[(DEFAULT, true)]),
    ("ValidPolicyMappingTest11", &[(DEFAULT, true)]),
    ("ValidPolicyMappingTest12", &[(only(&[1]), true), (only(&[2]), true)]),
    ("ValidPolicyMappingTest13", &[(DEFAULT, true)]),
    ("ValidPolicyMappingTest14", &[(DEFAULT, true)]),
    ("inhibitAnyPolicyTest3", &[(DEFAULT, true), (WITHOUT_ANY, false)]),
    ("ValidinhibitAnyPolicyTest2", &[(DEFAULT, true)]),
];

/// What a refused path is refused for, by what is in the name of its case; the first that fits counts.
const REASONS: [(&str, &[&str]); 34] = [
    // Two signatures are damaged where their BIT STRING says how many bits it has: nobody reads such a certificate.
    ("InvalidDSASignature", &["malformed"]),
    ("CASignature", &["untrusted"]),
    ("DSA", &["algorithm"]),
    ("BadCRLSignature", &["unknown"]),
    ("ValidCertificatePath", &["policy"]),
    ("EESignature", &["signature"]),
    ("notBeforeDate", &["not yet"]),
    ("notAfterDate", &["expired"]),
    ("NameChaining", &["untrusted", "signature"]),
    ("BadCRLIssuerName", &["unknown"]),
    ("MissingCRL", &["unknown"]),
    ("WrongCRL", &["unknown"]),
    ("UnknownCRL", &["unknown"]),
    ("CRLnextUpdate", &["unknown"]),
    ("Revoked", &["revoked"]),
    ("SerialNumber", &["revoked"]),
    ("SeparateCertificateandCRLKeys", &["revoked", "unknown"]),
    ("SelfIssuedCRLSigningKeyTest7", &["revoked"]),
    ("SelfIssuedCRLSigningKeyTest8", &["no authority", "key usage"]),
    ("BasicSelfIssued", &["revoked"]),
    ("MissingbasicConstraints", &["no authority"]),
    ("cAFalse", &["no authority"]),
    ("pathLenConstraint", &["path length"]),
    ("keyCertSignFalse", &["key usage"]),
    ("cRLSignFalse", &["unknown"]),
    ("MappingFromanyPolicy", &["any policy mapped"]),
    ("MappingToanyPolicy", &["any policy mapped"]),
    ("olicy", &["policy"]),
    ("olicies", &["policy"]),
    ("nameConstraints", &["names"]),
    ("UnknownCritical", &["extension"]),
    ("deltaCRL", &["revoked", "unknown"]),
    ("distributionPoint", &["revoked", "unknown"]),
    ("", &["revoked", "unknown"]),
];

fn kind(fault: &PathFault) -> &'static str {
    match fault {
        PathFault::Malformed(_) => "malformed",
        PathFault::Algorithm(_) => "algorithm",
        PathFault::Signature => "signature",
        PathFault::NotYetValid(_) => "not yet",
        PathFault::Expired(_) => "expired",
        PathFault::Untrusted { .. } => "untrusted",
        PathFault::RevocationUnknown(_) => "unknown",
        PathFault::Revoked { .. } => "revoked",
        PathFault::NotAnAuthority => "no authority",
        PathFault::KeyUsage => "key usage",
        PathFault::PathLength => "path length",
        PathFault::AnyPolicyMapped => "any policy mapped",
        PathFault::Policy => "policy",
        PathFault::NotPermitted(_) | PathFault::Excluded(_) | PathFault::NotComparable(_) => "names",
        PathFault::CriticalExtension(_) => "extension",
        _ => "something else",
    }
}

impl Suite {
    fn read(place: &Path) -> Self {
        let files = |folder: &str, ending: &str| -> BTreeMap<String, Vec<u8>> {
            let entries = std::fs::read_dir(place.join(folder)).unwrap();
            let name =
                |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().strip_suffix(ending).map(str::to_owned);
            let paths = entries.map(|entry| entry.unwrap().path());
            paths.filter_map(|path| Some((name(&path)?, std::fs::read(&path).unwrap()))).collect()
        };
        Self { certificates: files("certs", ".crt"), lists: files("crls", ".crl") }
    }

    fn end_entities(&self) -> Vec<String> {
        self.certificates.keys().filter_map(|name| name.strip_suffix("EE").map(str::to_owned)).collect()
    }

    fn outcome<'s>(&'s self, name: &str, settings: Settings) -> Result<(), PathFault> {
        let anchors = [TrustAnchor::from_certificate(&self.certificates["TrustAnchorRootCertificate"]).unwrap()];
        // One signature is damaged where its BIT STRING says how many bits it has.
        let is_read = |(name, der): (&String, &'s Vec<u8>)| match RevocationList::read(der) {
            Err(_) if name == "BadCRLSignatureCACRL" => None,
            read => Some(read.unwrap()),
        };
        let lists: Vec<_> = self.lists.iter().filter_map(is_read).collect();
        let pool: Vec<&[u8]> =
            self.certificates.iter().filter(|(name, _)| !name.ends_with("EE")).map(|(_, der)| der.as_slice()).collect();
        let policy = |number: &u8| format!("2.16.840.1.101.3.2.1.48.{number}");
        let acceptable: BTreeSet<String> = settings.policies.iter().map(policy).collect();
        let validation = Validation {
            policies: PolicyTerms {
                acceptable: (!acceptable.is_empty()).then_some(acceptable),
                demanded: settings.demanded,
                without_mapping: settings.without_mapping,
                without_any: settings.without_any,
            },
            revocation: Revocation::Lists { lists: &lists, signers: &pool, unknown: UnknownStatus::Refuse },
            ..Validation::new(&anchors, NOW)
        };
        let leaf = &self.certificates[&format!("{name}EE")];
        match validation.find(leaf, &pool) {
            Ok(found) => {
                // What was found is valid as it stands, too.
                assert_eq!(validation.validate(&found.path), Ok(found.valid));
                Ok(())
            }
            Err(error) => Err(error.fault),
        }
    }

    fn check(&self, name: &str) -> Result<(), Failed> {
        let by_name = [(DEFAULT, name.starts_with("Valid"))];
        let cases = CASES.iter().find(|(case, _)| *case == name).map_or(&by_name[..], |(_, cases)| cases);
        for (position, (settings, is_valid)) in cases.iter().enumerate() {
            let deviates = DEVIATIONS.iter().any(|(case, _)| *case == name);
            match (self.outcome(name, *settings), *is_valid && !deviates) {
                (Ok(()), true) => {}
                (Ok(()), false) => return Err(format!("settings {position}: valid, and should not be").into()),
                (Err(fault), true) => return Err(format!("settings {position}: it {fault}").into()),
                (Err(fault), false) => {
                    let reasons =
                        REASONS.iter().find(|(part, _)| name.contains(part)).map_or(&[][..], |(_, kinds)| kinds);
                    if !reasons.contains(&kind(&fault)) {
                        return Err(format!("settings {position}: refused for another reason: it {fault}").into());
                    }
                }
            }
        }
        Ok(())
    }
}

fn main() {
    let place =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/vectors/files/cryptography_vectors/x509/PKITS_data");
    if !place.is_dir() {
        let absent =
            Trial::test("pkits", || Err("scripts/vectors installs the vectors".into())).with_ignored_flag(true);
        libtest_mimic::run(&Arguments::from_args(), vec![absent]).exit();
    }
    let suite = Arc::new(Suite::read(&place));
    let names = suite.end_entities();
    let count = names.len();
    let mut trials = vec![Trial::test("no_case_is_passed_over", move || {
        let untold: Vec<&str> =
            CASES.iter().map(|(name, _)| *name).filter(|case| !names.iter().any(|name| name == case)).collect();
        let unclear: Vec<&String> = names
            .iter()
            .filter(|name| !name.starts_with("Valid") && !name.starts_with("Invalid"))
            .filter(|name| !CASES.iter().any(|(case, _)| case == name))
            .collect();
        if (count, untold.is_empty(), unclear.is_empty()) == (END_ENTITIES, true, true) {
            Ok(())
        } else {
            Err(format!("{count} end entities; cases without: {untold:?}; without an outcome: {unclear:?}").into())
        }
    })];
    for name in suite.end_entities() {
        let suite = Arc::clone(&suite);
        trials.push(Trial::test(name.clone(), move || suite.check(&name)));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
