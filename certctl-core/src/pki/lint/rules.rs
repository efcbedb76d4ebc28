//! Every rule, one row each.

use super::Scope::{Always, PublicTrust};
use super::{Rule, Verdict, View, WELL_FORMED};
use super::{certificate, extensions, names, public_trust, usage, validity};

const fn rule(name: &'static str, section: &'static str, check: fn(&View<'_>) -> Verdict) -> Rule {
    Rule { name, section, scope: Always, check }
}

const fn br(name: &'static str, section: &'static str, check: fn(&View<'_>) -> Verdict) -> Rule {
    Rule { name, section, scope: PublicTrust, check }
}

/// Every rule, in the order of the fields of a certificate.
pub const RULES: &[Rule] = &[
    // The certificate as a whole.
    // Taking the certificate apart has succeeded, or no rule would be asked.
    rule(WELL_FORMED, "RFC 5280 §4.1", |_| Ok(())),
    rule("version_3", "RFC 5280 §4.1.2.1", certificate::version_3),
    rule("serial_positive", "RFC 5280 §4.1.2.2", certificate::serial_positive),
    rule("serial_at_most_20_octets", "RFC 5280 §4.1.2.2", certificate::serial_at_most_20_octets),
    rule("serial_in_shortest_form", "X.690 §8.3.2", certificate::serial_in_shortest_form),
    rule("signature_algorithm", "RFC 5280 §4.1.2.3", certificate::signature_algorithm),
    rule("no_unique_identifiers", "RFC 5280 §4.1.2.8", certificate::no_unique_identifiers),
    rule("public_key", "RFC 5280 §4.1.2.7", certificate::public_key),
    rule("rsa_parameters_null", "RFC 3279 §2.3.1", certificate::rsa_parameters_null),
    rule("rsa_exponent_odd", "RFC 8017 §3.1", certificate::rsa_exponent_odd),
    // Validity.
    rule("times_well_formed", "RFC 5280 §4.1.2.5", validity::times_well_formed),
    rule("times_in_form_of_their_year", "RFC 5280 §4.1.2.5", validity::times_in_form_of_their_year),
    rule("validity_in_order", "RFC 5280 §4.1.2.5", validity::in_order),
    // Names.
    rule("names_well_formed", "RFC 5280 §4.1.2.4", names::well_formed),
    rule("issuer_not_empty", "RFC 5280 §4.1.2.4", names::issuer_not_empty),
    rule("ca_subject_not_empty", "RFC 5280 §4.1.2.6", names::ca_subject_not_empty),
    rule("directory_string_types", "RFC 5280 §4.1.2.4", names::directory_string_types),
    rule("printable_string_alphabet", "X.680 §41.4", names::printable_string_alphabet),
    rule("utf8_string_valid", "RFC 5280 §4.1.2.4", names::utf8_string_valid),
    rule("name_attributes_not_empty", "RFC 5280 appendix A.1", names::attributes_not_empty),
    rule("name_attribute_lengths", "RFC 5280 appendix A.1", names::attribute_lengths),
    rule("country_two_letters", "RFC 5280 appendix A.1", names::country_two_letters),
    // Subject alternative names.
    rule("subject_or_san", "RFC 5280 §4.1.2.6", names::subject_or_san),
    rule("san_critical_without_subject", "RFC 5280 §4.2.1.6", names::san_critical_without_subject),
    rule("san_dns_syntax", "RFC 5280 §4.2.1.6", names::san_dns_syntax),
    rule("san_email_syntax", "RFC 5280 §4.2.1.6", names::san_email_syntax),
    rule("san_uri_syntax", "RFC 5280 §4.2.1.6", names::san_uri_syntax),
    rule("san_ip_length", "RFC 5280 §4.2.1.6", names::san_ip_length),
    // Extensions.
    rule("extensions_not_empty", "RFC 5280 §4.1.2.9", extensions::not_empty),
    rule("extensions_unique", "RFC 5280 §4.2", extensions::unique),
    rule("extensions_well_formed", "RFC 5280 §4.2", extensions::well_formed),
    rule("critical_in_der", "X.690 §11.5", extensions::critical_in_der),
    rule("no_unknown_critical_extension", "RFC 5280 §4.2", extensions::no_unknown_critical),
    rule("authority_key_identifier", "RFC 5280 §4.2.1.1", extensions::authority_key_identifier),
    rule(
        "authority_key_identifier_not_critical",
        "RFC 5280 §4.2.1.1",
        extensions::authority_key_identifier_not_critical,
    ),
    rule("subject_key_identifier_in_ca", "RFC 5280 §4.2.1.2", extensions::subject_key_identifier_in_ca),
    rule("subject_key_identifier_not_critical", "RFC 5280 §4.2.1.2", extensions::subject_key_identifier_not_critical),
    rule("policies_unique", "RFC 5280 §4.2.1.4", extensions::policies_unique),
    rule("name_constraints_in_ca", "RFC 5280 §4.2.1.10", extensions::name_constraints_in_ca),
    rule(
        "crl_distribution_points_not_critical",
        "RFC 5280 §4.2.1.13",
        extensions::crl_distribution_points_not_critical,
    ),
    rule("crl_locations", "RFC 5280 §4.2.1.13", extensions::crl_locations),
    rule("authority_information_access_not_critical", "RFC 5280 §4.2.2.1", extensions::access_not_critical),
    rule("authority_information_access_locations", "RFC 5280 §4.2.2.1", extensions::access_locations),
    rule("tls_feature_not_critical", "RFC 7633 §4", extensions::tls_feature_not_critical),
    rule("ocsp_no_check_not_critical", "RFC 6960 §4.2.2.2.1", extensions::ocsp_no_check_not_critical),
    // Constraints and usages.
    rule("basic_constraints_critical_in_ca", "RFC 5280 §4.2.1.9", usage::basic_constraints_critical_in_ca),
    rule("path_length_only_in_ca", "RFC 5280 §4.2.1.9", usage::path_length_only_in_ca),
    rule("path_length_not_negative", "RFC 5280 §4.2.1.9", usage::path_length_not_negative),
    rule("key_usage_in_ca", "RFC 5280 §4.2.1.3", usage::key_usage_in_ca),
    rule("key_usage_critical", "RFC 5280 §4.2.1.3", usage::key_usage_critical),
    rule("key_usage_not_empty", "RFC 5280 §4.2.1.3", usage::key_usage_not_empty),
    rule("certificate_signing_only_in_ca", "RFC 5280 §4.2.1.9", usage::certificate_signing_only_in_ca),
    rule("certificate_signing_in_ca", "RFC 5280 §4.2.1.9", usage::certificate_signing_in_ca),
    rule("key_usage_fits_ec_key", "RFC 8813 §3", usage::fits_ec_key),
    rule("key_usage_fits_ed25519_key", "RFC 8410 §5", usage::fits_ed25519_key),
    rule("key_usage_fits_rsa_key", "RFC 3279 §2.3.1", usage::fits_rsa_key),
    rule("extended_key_usage_not_empty", "RFC 5280 §4.2.1.12", usage::purposes_not_empty),
    rule("extended_key_usage_unique", "RFC 5280 §4.2.1.12", usage::purposes_unique),
    rule("any_extended_key_usage_not_critical", "RFC 5280 §4.2.1.12", usage::any_purpose_not_critical),
    rule("extended_key_usage_consistent", "RFC 5280 §4.2.1.12", usage::purposes_fit_key_usage),
    rule("time_stamping_alone_and_critical", "RFC 3161 §2.3", usage::time_stamping_alone_and_critical),
    // Public trust: TLS server certificates.
    br("br_validity", "BR §6.3.2", public_trust::validity),
    br("br_serial_entropy", "BR §7.1", public_trust::serial_entropy),
    br("br_key_algorithm", "BR §6.1.5", public_trust::key_algorithm),
    br("br_rsa_modulus", "BR §6.1.5", public_trust::rsa_modulus),
    br("br_rsa_exponent", "BR §6.1.6", public_trust::rsa_exponent),
    br("br_san", "BR §7.1.2.7.12", public_trust::san_present),
    br("br_san_kinds", "BR §7.1.2.7.12", public_trust::san_kinds),
    br("br_no_internal_names", "BR §4.2.2", public_trust::no_internal_names),
    br("br_no_reserved_addresses", "BR §4.2.2", public_trust::no_reserved_addresses),
    br("br_wildcard_below_registry", "BR §3.2.2.6", public_trust::wildcard_below_registry),
    br("br_common_name_in_san", "BR §7.1.4.3", public_trust::common_name_in_san),
    br("br_server_auth", "BR §7.1.2.7.10", public_trust::server_auth),
    br("br_extended_key_usages", "BR §7.1.2.7.10", public_trust::purposes),
    br("br_key_usage", "BR §7.1.2.7.11", public_trust::key_usage),
    br("br_policies", "BR §7.1.2.7.9", public_trust::policies),
    br("br_authority_information_access", "BR §7.1.2.7.7", public_trust::access),
    br("br_http_locations", "BR §7.1.2.7.7", public_trust::http_locations),
    br("br_revocation_location", "BR §7.1.2.11.2", public_trust::revocation_location),
    br("br_basic_constraints_critical", "BR §7.1.2.7.8", public_trust::basic_constraints_critical),
];
