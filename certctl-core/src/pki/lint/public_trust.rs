//! Rules of public trust on TLS server certificates: the CA/Browser Forum's Baseline Requirements (BR).
//!
//! They hold for leaves; CA certificates of public trust are made by ceremony, not by this engine.

use std::net::IpAddr;

use const_oid::db::rfc5280;
use ipnet::IpNet;

use super::certificate::exponent;
use super::view::{DIGITAL_SIGNATURE, KEY_ENCIPHERMENT};
use super::{Verdict, View};
use crate::domain::{ExtendedKeyUsage, KeyAlgorithm, KeyFamily, SubjectAltName, Timestamp};
use crate::pki::general_name::GeneralName;
use crate::pki::name;

const DAY_SECONDS: i64 = 86_400;

/// The longest validity in days, by the day from which it holds (BR §6.3.2), newest first.
const LONGEST: [(&str, i64); 4] = [
    ("2029-03-15T00:00:00Z", 47),
    ("2027-03-15T00:00:00Z", 100),
    ("2026-03-15T00:00:00Z", 200),
    ("1970-01-01T00:00:00Z", 398),
];

/// The reserved policies of the CA/Browser Forum: domain, organization, individual, extended validation (BR §7.1.6.1).
const RESERVED_POLICIES: [&str; 4] = ["2.23.140.1.2.1", "2.23.140.1.2.2", "2.23.140.1.2.3", "2.23.140.1.1"];

/// Top-level domains that are nobody's (RFC 2606, RFC 6761, RFC 6762, RFC 7686, ICANN's `internal`).
const RESERVED_DOMAINS: [&str; 12] = [
    "test",
    "example",
    "invalid",
    "localhost",
    "local",
    "internal",
    "lan",
    "home",
    "corp",
    "mail",
    "intranet",
    "private",
];

/// Networks that are nobody's on the Internet (IANA special-purpose address registries).
const RESERVED_NETWORKS: [&str; 21] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/127",
    "::ffff:0:0/96",
    "100::/64",
    "2001:db8::/32",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

fn parsed(view: &View<'_>) -> Vec<SubjectAltName> {
    view.sans.iter().flatten().filter_map(|san| san.parse().ok()).collect()
}

fn algorithm(view: &View<'_>) -> Option<KeyAlgorithm> {
    view.key.as_ref().and_then(|key| key.algorithm)
}

fn leaf(view: &View<'_>, check: impl FnOnce() -> Verdict) -> Verdict {
    if view.is_ca() { Ok(()) } else { check() }
}

pub(super) fn validity(view: &View<'_>) -> Verdict {
    let (Some(first), Some(last)) = (view.not_before, view.not_after) else { return Ok(()) };
    leaf(view, || {
        let from = |text: &str| Timestamp::parse_rfc3339(text).unwrap_or_default();
        let longest = LONGEST.iter().find(|(since, _)| first >= from(since)).map_or(398, |(_, days)| *days);
        // Both ends belong to the validity (RFC 5280 §4.1.2.5).
        let seconds = last.unix_seconds().saturating_sub(first.unix_seconds()).saturating_add(1);
        if seconds <= longest * DAY_SECONDS { Ok(()) } else { Err(format!("it is longer than {longest} days")) }
    })
}

/// A serial number with 64 random bits has at least 8 octets but once in 256 times; ours have 20.
pub(super) fn serial_entropy(view: &View<'_>) -> Verdict {
    let octets = view.tbs.serial.len();
    if octets >= 8 { Ok(()) } else { Err(format!("{octets} octets cannot hold 64 random bits")) }
}

pub(super) fn key_algorithm(view: &View<'_>) -> Verdict {
    match algorithm(view) {
        Some(KeyAlgorithm::Ed25519) => Err("Ed25519 is not among the allowed keys; use ECDSA or RSA".to_owned()),
        _ => Ok(()),
    }
}

pub(super) fn rsa_modulus(view: &View<'_>) -> Verdict {
    match algorithm(view) {
        Some(KeyAlgorithm::Rsa { bits }) if bits % 8 != 0 => Err(format!("{bits} bits are not divisible by 8")),
        _ => Ok(()),
    }
}

/// Odd, and from 2^16 + 1 to 2^256 - 1.
pub(super) fn rsa_exponent(view: &View<'_>) -> Verdict {
    match exponent(view) {
        Some(exponent) if exponent.len() > 32 || exponent.len() < 3 => {
            Err(format!("the exponent {} is not from 2^16 + 1 to 2^256 - 1", hex::encode(exponent)))
        }
        _ => Ok(()),
    }
}

pub(super) fn san_present(view: &View<'_>) -> Verdict {
    let there = view.extension(rfc5280::ID_CE_SUBJECT_ALT_NAME).is_some();
    leaf(view, || if there { Ok(()) } else { Err("subjectAltName is absent".to_owned()) })
}

pub(super) fn san_kinds(view: &View<'_>) -> Verdict {
    let allowed = |san: &&GeneralName<'_>| ["dNSName", "iPAddress"].contains(&san.kind());
    let wrong = view.sans.iter().flatten().find(|san| !allowed(san));
    leaf(view, || wrong.map_or(Ok(()), |san| Err(format!("{} is neither dNSName nor iPAddress", san.to_text()))))
}

pub(super) fn no_internal_names(view: &View<'_>) -> Verdict {
    leaf(view, || {
        for san in parsed(view) {
            let SubjectAltName::Dns(name) = san else { continue };
            let mut labels = name.as_str().rsplit('.');
            let top = labels.next().unwrap_or_default();
            if labels.next().is_none() || RESERVED_DOMAINS.contains(&top) {
                return Err(format!("`{name}` is not a name of the public DNS"));
            }
        }
        Ok(())
    })
}

pub(super) fn no_reserved_addresses(view: &View<'_>) -> Verdict {
    let is_reserved = |address: &IpAddr| {
        RESERVED_NETWORKS.iter().filter_map(|text| text.parse::<IpNet>().ok()).any(|network| network.contains(address))
    };
    leaf(view, || {
        for san in parsed(view) {
            if let SubjectAltName::Ip(address) = san
                && is_reserved(&address)
            {
                return Err(format!("{address} is not a public address"));
            }
        }
        Ok(())
    })
}

/// A wildcard directly below a top-level domain covers what belongs to many.
pub(super) fn wildcard_below_registry(view: &View<'_>) -> Verdict {
    leaf(view, || {
        for san in parsed(view) {
            if let SubjectAltName::Dns(name) = san
                && name.as_str().strip_prefix("*.").is_some_and(|domain| !domain.contains('.'))
            {
                return Err(format!("`{name}` covers a whole top-level domain"));
            }
        }
        Ok(())
    })
}

pub(super) fn common_name_in_san(view: &View<'_>) -> Verdict {
    let common_name = name::common_name(view.tbs.subject).ok().flatten();
    leaf(view, || match common_name {
        Some(text) if !parsed(view).iter().any(|san| san.to_string() == text) => {
            Err(format!("the common name `{text}` is not among the subject alternative names"))
        }
        _ => Ok(()),
    })
}

pub(super) fn server_auth(view: &View<'_>) -> Verdict {
    let there = view.purposes.iter().flatten().any(|purpose| purpose == ExtendedKeyUsage::ServerAuth.oid());
    leaf(view, || if there { Ok(()) } else { Err("serverAuth is absent".to_owned()) })
}

/// serverAuth, and clientAuth beside it.
pub(super) fn purposes(view: &View<'_>) -> Verdict {
    let allowed = [ExtendedKeyUsage::ServerAuth.oid(), ExtendedKeyUsage::ClientAuth.oid()];
    let wrong = view.purposes.iter().flatten().find(|purpose| !allowed.contains(&purpose.as_str()));
    leaf(view, || wrong.map_or(Ok(()), |purpose| Err(format!("{purpose} is not for TLS servers"))))
}

/// digitalSignature, and for RSA keyEncipherment; nothing else.
pub(super) fn key_usage(view: &View<'_>) -> Verdict {
    let Some(usage) = &view.key_usage else { return Ok(()) };
    let is_rsa = algorithm(view).is_some_and(|key| key.family() == KeyFamily::Rsa);
    let allowed = |bit| bit == DIGITAL_SIGNATURE || (bit == KEY_ENCIPHERMENT && is_rsa);
    // Bits that other rules refuse are theirs: enciphering with EC keys, signing certificates.
    let others = [1, 3, 6, 7, 8];
    leaf(view, || match others.into_iter().find(|bit| usage.has(*bit) && !allowed(*bit)) {
        Some(bit) => Err(format!("bit {bit} of keyUsage is not for TLS servers")),
        None => Ok(()),
    })
}

/// Exactly one reserved policy.
pub(super) fn policies(view: &View<'_>) -> Verdict {
    let all = view.policies.as_deref().unwrap_or_default();
    let reserved = all.iter().filter(|policy| RESERVED_POLICIES.contains(&policy.as_str())).count();
    leaf(
        view,
        || if reserved == 1 { Ok(()) } else { Err(format!("{reserved} reserved policies; exactly one belongs")) },
    )
}

/// Where the issuer's certificate or its OCSP responder is.
pub(super) fn access(view: &View<'_>) -> Verdict {
    let there = view.extension(rfc5280::ID_PE_AUTHORITY_INFO_ACCESS).is_some();
    leaf(view, || if there { Ok(()) } else { Err("authorityInfoAccess is absent".to_owned()) })
}

/// Everything that a certificate points at is fetched by plain HTTP.
pub(super) fn http_locations(view: &View<'_>) -> Verdict {
    let access = view.access.iter().flatten().map(|access| &access.location);
    let crl = view.crl_locations.iter().flatten();
    // Other rules say that it must be a URI at all.
    let other_scheme = |location: &&GeneralName<'_>| {
        let scheme = location.ia5().and_then(|uri| uri.split_once("://")).map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| ["https", "ldap", "ftp"].contains(&scheme.to_ascii_lowercase().as_str()))
    };
    let wrong = access.chain(crl).find(other_scheme);
    leaf(view, || wrong.map_or(Ok(()), |location| Err(format!("{} is not http", location.to_text()))))
}

/// A CRL or an OCSP responder, unless the certificate lives for at most seven days (BR §7.1.2.11.2).
pub(super) fn revocation_location(view: &View<'_>) -> Verdict {
    let is_ocsp = |method: &[u8]| method == rfc5280::ID_AD_OCSP.as_bytes();
    let ocsp = view.access.iter().flatten().any(|access| is_ocsp(access.method));
    let crl = view.extension(rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS).is_some();
    let short = match (view.not_before, view.not_after) {
        (Some(first), Some(last)) => last.since(first).as_secs() < 7 * 86_400,
        _ => false,
    };
    leaf(view, || if ocsp || crl || short { Ok(()) } else { Err("neither a CRL nor an OCSP responder".to_owned()) })
}

/// Where a leaf has basicConstraints, they are critical.
pub(super) fn basic_constraints_critical(view: &View<'_>) -> Verdict {
    leaf(view, || match view.extension(rfc5280::ID_CE_BASIC_CONSTRAINTS) {
        Some(extension) if !extension.critical => Err("basicConstraints are not critical".to_owned()),
        _ => Ok(()),
    })
}
