//! Rules on extensions in general, and on those that point elsewhere.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;

use super::{Verdict, View};
use crate::pki::certificate::{OCSP_NO_CHECK, TLS_FEATURE};
use crate::pki::general_name::GeneralName;
use crate::pki::key;

/// Extensions that software is known to process (RFC 5280 §4.2 and later).
const KNOWN: [ObjectIdentifier; 16] = [
    rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER,
    rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER,
    rfc5280::ID_CE_KEY_USAGE,
    rfc5280::ID_CE_CERTIFICATE_POLICIES,
    rfc5280::ID_CE_POLICY_MAPPINGS,
    rfc5280::ID_CE_SUBJECT_ALT_NAME,
    rfc5280::ID_CE_ISSUER_ALT_NAME,
    rfc5280::ID_CE_BASIC_CONSTRAINTS,
    rfc5280::ID_CE_NAME_CONSTRAINTS,
    rfc5280::ID_CE_POLICY_CONSTRAINTS,
    rfc5280::ID_CE_EXT_KEY_USAGE,
    rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS,
    rfc5280::ID_CE_INHIBIT_ANY_POLICY,
    rfc5280::ID_PE_AUTHORITY_INFO_ACCESS,
    TLS_FEATURE,
    OCSP_NO_CHECK,
];

pub(super) fn not_empty(view: &View<'_>) -> Verdict {
    if view.tbs.has_extensions && view.tbs.extensions.is_empty() {
        return Err("the field extensions is there and empty".to_owned());
    }
    Ok(())
}

pub(super) fn unique(view: &View<'_>) -> Verdict {
    let all = &view.tbs.extensions;
    let twice = all.iter().enumerate().find(|(n, one)| all.iter().take(*n).any(|other| other.oid == one.oid));
    twice.map_or(Ok(()), |(_, extension)| Err(format!("{} is there twice", key::dotted(extension.oid))))
}

pub(super) fn well_formed(view: &View<'_>) -> Verdict {
    view.damaged_extensions.first().map_or(Ok(()), |(name, damage)| Err(format!("{name}: {damage}")))
}

/// FALSE is the default and not written; TRUE is FF.
pub(super) fn critical_in_der(view: &View<'_>) -> Verdict {
    let wrong = view.tbs.extensions.iter().find(|extension| !extension.critical_is_der);
    wrong.map_or(Ok(()), |extension| Err(format!("critical of {} is not in DER", key::dotted(extension.oid))))
}

/// Software must refuse a certificate with a critical extension that it does not know.
pub(super) fn no_unknown_critical(view: &View<'_>) -> Verdict {
    let is_known = |oid: &[u8]| KNOWN.iter().any(|known| known.as_bytes() == oid);
    let wrong = view.tbs.extensions.iter().find(|extension| extension.critical && !is_known(extension.oid));
    wrong.map_or(Ok(()), |extension| Err(format!("{} is critical and unknown", key::dotted(extension.oid))))
}

fn not_critical(view: &View<'_>, oid: ObjectIdentifier, name: &str) -> Verdict {
    match view.extension(oid) {
        Some(extension) if extension.critical => Err(format!("{name} is critical")),
        _ => Ok(()),
    }
}

/// Everybody but a self-issued root says which key signed.
pub(super) fn authority_key_identifier(view: &View<'_>) -> Verdict {
    let there = view.extension(rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER).is_some();
    if there || view.is_self_issued() { Ok(()) } else { Err("authorityKeyIdentifier is absent".to_owned()) }
}

pub(super) fn authority_key_identifier_not_critical(view: &View<'_>) -> Verdict {
    not_critical(view, rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER, "authorityKeyIdentifier")
}

pub(super) fn subject_key_identifier_in_ca(view: &View<'_>) -> Verdict {
    let there = view.extension(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER).is_some();
    if there || !view.is_ca() { Ok(()) } else { Err("subjectKeyIdentifier is absent from a CA".to_owned()) }
}

pub(super) fn subject_key_identifier_not_critical(view: &View<'_>) -> Verdict {
    not_critical(view, rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER, "subjectKeyIdentifier")
}

pub(super) fn policies_unique(view: &View<'_>) -> Verdict {
    let all = view.policies.as_deref().unwrap_or_default();
    let twice = all.iter().enumerate().find(|(n, policy)| all.iter().take(*n).any(|other| other == *policy));
    twice.map_or(Ok(()), |(_, policy)| Err(format!("the policy {policy} is there twice")))
}

/// Only in a CA, and critical there.
pub(super) fn name_constraints_in_ca(view: &View<'_>) -> Verdict {
    match view.extension(rfc5280::ID_CE_NAME_CONSTRAINTS) {
        Some(_) if !view.is_ca() => Err("nameConstraints are in a leaf".to_owned()),
        Some(extension) if !extension.critical => Err("nameConstraints are not critical".to_owned()),
        _ => Ok(()),
    }
}

pub(super) fn crl_distribution_points_not_critical(view: &View<'_>) -> Verdict {
    not_critical(view, rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS, "cRLDistributionPoints")
}

pub(super) fn crl_locations(view: &View<'_>) -> Verdict {
    if view.crl_locations.as_ref().is_some_and(Vec::is_empty) {
        return Err("no distribution point has a location".to_owned());
    }
    view.crl_locations.iter().flatten().try_for_each(reachable)
}

pub(super) fn access_not_critical(view: &View<'_>) -> Verdict {
    not_critical(view, rfc5280::ID_PE_AUTHORITY_INFO_ACCESS, "authorityInfoAccess")
}

pub(super) fn access_locations(view: &View<'_>) -> Verdict {
    if view.access.as_ref().is_some_and(Vec::is_empty) {
        return Err("authorityInfoAccess is empty".to_owned());
    }
    view.access.iter().flatten().try_for_each(|access| reachable(&access.location))
}

/// An HTTP or LDAP URI; https would need the very certificate that is being checked.
fn reachable(location: &GeneralName<'_>) -> Verdict {
    let uri = location.ia5().filter(|_| location.kind() == "uniformResourceIdentifier").unwrap_or_default();
    let scheme = uri.split("://").next().unwrap_or_default().to_ascii_lowercase();
    let host = uri.split("://").nth(1).unwrap_or_default();
    if ["http", "https", "ldap", "ftp"].contains(&scheme.as_str()) && !host.is_empty() {
        return Ok(());
    }
    Err(format!("{} is not an absolute HTTP, LDAP or FTP URI", location.to_text()))
}

pub(super) fn tls_feature_not_critical(view: &View<'_>) -> Verdict {
    not_critical(view, TLS_FEATURE, "TLS Feature")
}

pub(super) fn ocsp_no_check_not_critical(view: &View<'_>) -> Verdict {
    not_critical(view, OCSP_NO_CHECK, "id-pkix-ocsp-nocheck")
}
