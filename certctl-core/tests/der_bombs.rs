//! DER that is made to hurt: a million values in each other, lengths of two gigabytes, names of five megabytes. Every parser
//! refuses it, within 16 MB beside the input. That memory is what the kernel counts; where it does not, this shows as ignored.
//! How long the worst took is printed, and not judged.

#![expect(clippy::unwrap_used, reason = "a trial fails by panicking, as tests do")]
#![expect(clippy::disallowed_methods, reason = "what the process takes is in a file, and time is printed")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use certctl_core::discovery::contents;
use certctl_core::domain::{Chain, Timestamp, pem};
use certctl_core::pki::certificate::{self, Authority};
use certctl_core::pki::chain::{self, Root};
use certctl_core::pki::lint::{self, Scope};
use certctl_core::pki::path::{RevocationList, TrustAnchor, Validation};
use certctl_core::pki::{algorithm, csr, key, private_key};
use libtest_mimic::{Arguments, Failed, Trial};

const MILLION: usize = 1_000_000;
const MEGABYTE: usize = 1 << 20;
/// The most that a parser may take, in kilobytes.
const MOST_KILOBYTES: u64 = 16 * 1024;

/// A parser; whether it took what it was given.
type Parser = fn(&[u8]) -> bool;

const PARSERS: [(&str, Parser); 15] = [
    ("certificate", |der| certificate::parse(der).is_ok()),
    ("authority", |der| Authority::from_certificate(der).is_ok()),
    ("trust_anchor", |der| TrustAnchor::from_certificate(der).is_ok()),
    ("path", |der| Validation::new(&[], NOW).validate(&[der]).is_ok()),
    ("path_search", |der| Validation::new(&[], NOW).find(der, &[der]).is_ok()),
    ("revocation_list", |der| RevocationList::read(der).is_ok()),
    ("chain", |der| Chain::from_bytes(der).is_ok_and(|chain| chain::check_links(&chain, NOW).is_ok())),
    ("chain_of_one", |der| chain::assemble(der, &[der.to_vec()], Root::Keep).is_ok()),
    ("csr", |der| csr::parse_der(der).is_ok()),
    ("private_key", |der| private_key::algorithm(der).is_ok()),
    ("public_key", |der| key::algorithm(der).is_ok()),
    ("key_identifier", |der| key::identifier(der).is_ok_and(|id| id.len() != 20)),
    ("algorithm", |der| algorithm::decode(der).is_some()),
    ("lint", |der| lint::check(der, Scope::PublicTrust).is_empty()),
    ("file", |der| !contents(der).certificates.is_empty()),
];

/// The same behind PEM, which is slow to make.
const PARSERS_OF_TEXT: [(&str, Parser); 3] = [
    ("csr_in_pem", |der| csr::parse_pem(&pem::encode("CERTIFICATE REQUEST", der)).is_ok()),
    ("chain_in_pem", |der| Chain::from_pem(&pem::encode("CERTIFICATE", der)).is_ok()),
    ("private_key_in_pem", |der| {
        private_key::from_pem(&pem::encode("PRIVATE KEY", der)).is_ok_and(|key| private_key::algorithm(&key).is_ok())
    }),
];

const NOW: Timestamp = Timestamp::from_unix_seconds(1_900_000_000);

/// A value: tag, length, contents.
fn value(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut out = header(tag, contents.len());
    out.extend_from_slice(contents);
    out
}

fn header(tag: u8, length: usize) -> Vec<u8> {
    let octets = length.to_be_bytes();
    let octets = &octets[octets.iter().take_while(|octet| **octet == 0).count()..];
    match length {
        0..0x80 => vec![tag, u8::try_from(length).unwrap()],
        _ => [&[tag, 0x80 | u8::try_from(octets.len()).unwrap()], octets].concat(),
    }
}

/// So many values in each other, with lengths that are right.
fn nested(tag: u8, depth: usize) -> Vec<u8> {
    let mut reversed: Vec<u8> = Vec::new();
    for _ in 0..depth {
        let header = header(tag, reversed.len());
        reversed.extend(header.iter().rev());
    }
    reversed.reverse();
    reversed
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    value(0x30, &parts.concat())
}

/// What goes off.
fn charges() -> Vec<(&'static str, Vec<u8>)> {
    let attribute = |octets: usize| {
        let pair = sequence(&[&[6, 3, 0x55, 4, 3], &value(0x0c, &vec![b'a'; octets])]);
        value(0x31, &pair)
    };
    vec![
        ("a million sequences", nested(0x30, MILLION)),
        ("a million sets", nested(0x31, MILLION)),
        ("a million explicit tags", nested(0xa0, MILLION)),
        ("a million constructed strings", nested(0x24, MILLION)),
        ("a million openings", [0x30, 0x80].repeat(MILLION)),
        ("two gigabytes", [0x30, 0x84, 0x80, 0, 0, 0].repeat(3)),
        ("four gigabytes of octets", vec![0x04, 0x84, 0xff, 0xff, 0xff, 0xff, 1, 2]),
        ("a length of eight octets", vec![0x30, 0x88, 0, 0, 0, 0, 0x80, 0, 0, 0]),
        ("a name of 5 MB", sequence(&[&attribute(5 * MEGABYTE)])),
        (
            "a name of words",
            sequence(&[&value(0x31, &sequence(&[&[6, 3, 0x55, 4, 3], &value(0x0c, &b"a ".repeat(5 * MEGABYTE / 2))]))]),
        ),
        ("a name of many parts", sequence(&[&attribute(1).repeat(5 * MEGABYTE / 12)])),
        ("a million alternative names", sequence(&[&value(0x82, b"a").repeat(MILLION)])),
        ("an identifier of 5 MB", sequence(&[&value(6, &vec![0x2a; 5 * MEGABYTE])])),
        ("a number of 5 MB", value(2, &vec![0x11; 5 * MEGABYTE])),
        ("a million empty extensions", sequence(&[&sequence(&[&[6, 1, 0x2a], &[4, 0]]).repeat(MILLION / 2)])),
    ]
}

/// Where it is put: each part of an object that parsers come to.
fn shapes(charge: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let ed25519 = sequence(&[&[6, 3, 0x2b, 0x65, 0x70]]);
    let name = sequence(&[]);
    let time = value(0x17, b"300101000000Z");
    let validity = sequence(&[&time, &time]);
    let spki = sequence(&[&ed25519, &value(3, &[0; 33])]);
    let head: [&[u8]; 3] = [&[0xa0, 3, 2, 1, 2], &[2, 1, 9], &ed25519];
    let tbs = |issuer: &[u8], subject: &[u8], key: &[u8], rest: &[u8]| {
        sequence(&[&head.concat(), issuer, &validity, subject, key, rest])
    };
    let signed = |tbs: &[u8]| sequence(&[tbs, &ed25519, &value(3, &[0; 65])]);
    let extension = |oid: &[u8]| {
        let extension = sequence(&[&value(6, oid), &value(4, charge)]);
        value(0xa3, &sequence(&[&extension]))
    };
    let mut shapes = vec![("alone", charge.to_vec())];
    let mut certificate = |place, tbs: Vec<u8>| {
        shapes.push((place, signed(&tbs)));
        shapes.push((place, tbs));
    };
    certificate("issuer", tbs(charge, &name, &spki, &[]));
    certificate("subject", tbs(&name, charge, &spki, &[]));
    certificate("key", tbs(&name, &name, charge, &[]));
    certificate("serial number", sequence(&[&[0xa0, 3, 2, 1, 2], charge, &ed25519, &name, &validity, &name, &spki]));
    certificate("extensions", tbs(&name, &name, &spki, &value(0xa3, charge)));
    // subjectAltName, nameConstraints, certificatePolicies, extKeyUsage, cRLDistributionPoints.
    for last in [17, 30, 32, 37, 31] {
        certificate("extension", tbs(&name, &name, &spki, &extension(&[0x55, 0x1d, last])));
    }
    certificate("algorithm", sequence(&[&[0xa0, 3, 2, 1, 2], &[2, 1, 9], charge, &name, &validity, &name, &spki]));
    shapes.push(("signature", sequence(&[&tbs(&name, &name, &spki, &[]), charge, &value(3, &[0; 65])])));
    let request = |subject: &[u8], attributes: &[u8]| signed(&sequence(&[&[2, 1, 0], subject, &spki, attributes]));
    shapes.push(("subject of a request", request(charge, &[])));
    shapes.push(("attributes of a request", request(&name, &value(0xa0, charge))));
    let list = |issuer: &[u8], entries: &[u8], rest: &[u8]| {
        signed(&sequence(&[&[2, 1, 1], &ed25519, issuer, &time, &time, entries, rest]))
    };
    shapes.push(("issuer of a list", list(charge, &[], &[])));
    shapes.push(("extensions of a list", list(&name, &[], &value(0xa0, charge))));
    shapes.push(("private key", sequence(&[&[2, 1, 0], &sequence(&[charge]), &value(4, charge)])));
    shapes.push(("public key", sequence(&[charge, &value(3, &[0; 33])])));
    shapes
}

/// A kilobyte count of the process.
fn kilobytes(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix("kB")?.trim().parse().ok())
}

/// Begins to count anew; `None` where the kernel does not.
fn forget_the_peak() -> Option<u64> {
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    kilobytes("VmRSS:")
}

/// The worst that a parser was seen to do: how long, with what, and the most that any took.
type Worst = BTreeMap<&'static str, (Duration, String, u64)>;

fn explode(
    (name, parser): (&'static str, Parser),
    (what, bomb): (&str, &[u8]),
    worst: &mut Worst,
) -> Result<(), Failed> {
    let before = forget_the_peak().ok_or("the kernel counts no peak")?;
    let begun = Instant::now();
    let is_taken = parser(bomb);
    let took = begun.elapsed();
    let grown = kilobytes("VmHWM:").ok_or("the kernel counts no peak")?.saturating_sub(before);
    // An extension that nobody opens may hold anything, as long as it is short.
    let is_opaque = what.ends_with("as extension") && bomb.len() < 1_000;
    if is_taken && !is_opaque {
        return Err(format!("{name} takes {what}").into());
    }
    if grown > MOST_KILOBYTES {
        return Err(format!("{name} needs {grown} kB for {what}").into());
    }
    let worst = worst.entry(name).or_default();
    if worst.0 <= took {
        (worst.0, worst.1) = (took, what.to_owned());
    }
    worst.2 = worst.2.max(grown);
    Ok(())
}

fn all_bombs() -> Result<(), Failed> {
    let mut worst = Worst::new();
    // What is greedy is noticed.
    let greedy: Parser = |_| vec![1_u8; 24 * MEGABYTE].iter().all(|octet| *octet == 0);
    if explode(("greedy", greedy), ("nothing", &[]), &mut worst).is_ok() {
        return Err("24 MB were not noticed".into());
    }
    for (charge, octets) in charges() {
        for parser in PARSERS_OF_TEXT {
            explode(parser, (charge, &octets), &mut worst)?;
        }
        for (place, bomb) in shapes(&octets) {
            let what = format!("{charge} as {place}");
            for parser in PARSERS {
                explode(parser, (&what, &bomb), &mut worst)?;
            }
        }
    }
    for (name, (took, what, grown)) in worst {
        eprintln!("{name}: at most {:.1} ms ({what}) and {grown} kB", took.as_secs_f64() * 1e3);
    }
    Ok(())
}

fn main() {
    let is_uncounted = forget_the_peak().is_none();
    let trial = Trial::test("every_parser_refuses_every_bomb", all_bombs).with_ignored_flag(is_uncounted);
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit();
}
