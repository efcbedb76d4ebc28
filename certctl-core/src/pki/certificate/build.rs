//! Building what is to be signed.

use const_oid::db::rfc4519;

use super::extension::{self as ext, Criticality};
use super::{Authority, AuthorityRequest, ChallengeRequest, LeafRequest, OcspResponderRequest, UnsignedCertificate};
use crate::domain::{ExtendedKeyUsage, NameConstraints, Serial, Timestamp};
use crate::pki::tlv::{self, write};
use crate::pki::{PkiError, algorithm, key, name, time};

/// id-kp-OCSPSigning (RFC 6960 §4.2.2.2).
pub(crate) const OCSP_SIGNING: &str = "1.3.6.1.5.5.7.3.9";

/// A leaf certificate, ready to be linted and signed.
///
/// keyUsage follows the extended key usages and the key; the subject holds the common name alone, and is empty without
/// one, which makes the subject alternative names critical (RFC 5280 §4.2.1.6).
///
/// # Errors
/// [`PkiError`] when a value cannot be encoded, the key is not certified, or the leaf would outlive its authority.
pub fn leaf(request: &LeafRequest, authority: &Authority) -> Result<UnsignedCertificate, PkiError> {
    let subject = subject(&[(rfc4519::COMMON_NAME, request.names.common_name.as_deref())]);
    let mut extensions = vec![
        ext::basic_constraints_leaf(),
        ext::key_usage(ext::key_usage_for(&request.extended_key_usages, key::algorithm(&request.spki)?)),
    ];
    if !request.extended_key_usages.is_empty() {
        let oids = request.extended_key_usages.iter().map(|usage| usage.oid());
        // RFC 3161 §2.3: critical for time stamping, and for nothing else.
        let criticality =
            Criticality::critical_if(request.extended_key_usages.iter().eq([&ExtendedKeyUsage::TimeStamping]));
        extensions.push(ext::extended_key_usage(oids, criticality)?);
    }
    extensions.push(ext::subject_key_identifier(&key::identifier(&request.spki)?));
    extensions.push(ext::authority_key_identifier(&authority.key_id));
    if !request.names.sans.is_empty() {
        let criticality = Criticality::critical_if(request.names.common_name.is_none());
        extensions.push(ext::subject_alt_name(&request.names.sans, criticality));
    }
    if !request.policies.is_empty() {
        extensions.push(ext::certificate_policies(&request.policies)?);
    }
    extensions.extend(locations(&request.crl_urls, &request.ocsp_urls, &request.ca_issuer_urls)?);
    if request.must_staple {
        extensions.push(ext::must_staple());
    }
    Parts {
        serial: &request.serial,
        subject: &subject,
        spki: &request.spki,
        not_before: request.not_before,
        not_after: request.not_after,
        extensions,
    }
    .signed_by(authority)
}

/// A self-signed root, to be signed by its own key (RFC 5280 §3.2).
///
/// # Errors
/// [`PkiError`] when a value cannot be encoded or the key is not certified.
pub fn root(request: &AuthorityRequest) -> Result<UnsignedCertificate, PkiError> {
    let itself = Authority {
        subject: authority_subject(request),
        key_id: key::identifier(&request.spki)?,
        spki: request.spki.clone(),
        algorithm: key::algorithm(&request.spki)?,
        not_after: request.not_after,
        signs_crls: true,
    };
    authority_parts(request, &itself.subject, &itself)?.signed_by(&itself)
}

/// The certificate of an authority below another one that is to keep to some names (RFC 5280 §4.2.1.10).
///
/// # Errors
/// Those of [`subordinate`], and for constraints that cannot be encoded.
pub fn subordinate_within(
    request: &AuthorityRequest,
    constraints: &NameConstraints,
    parent: &Authority,
) -> Result<UnsignedCertificate, PkiError> {
    let subject = authority_subject(request);
    let mut parts = authority_parts(request, &subject, parent)?;
    if !constraints.is_empty() {
        parts.extensions.push(ext::name_constraints(constraints)?);
    }
    parts.signed_by(parent)
}

/// The certificate of an authority below another one.
///
/// # Errors
/// [`PkiError`] when a value cannot be encoded, the key is not certified, or it would outlive its parent.
pub fn subordinate(request: &AuthorityRequest, parent: &Authority) -> Result<UnsignedCertificate, PkiError> {
    let subject = authority_subject(request);
    authority_parts(request, &subject, parent)?.signed_by(parent)
}

/// The certificate of a delegated OCSP responder: OCSP signing only, and not itself to be checked for revocation
/// (RFC 6960 §4.2.2.2).
///
/// # Errors
/// [`PkiError`] when a value cannot be encoded, the key is not certified, or it would outlive its authority.
pub fn ocsp_responder(request: &OcspResponderRequest, authority: &Authority) -> Result<UnsignedCertificate, PkiError> {
    let subject = subject(&[(rfc4519::COMMON_NAME, Some(&request.common_name))]);
    // A key that certctl does not certify must not sign answers either.
    key::algorithm(&request.spki)?;
    let extensions = vec![
        ext::basic_constraints_leaf(),
        ext::key_usage(ext::DIGITAL_SIGNATURE),
        ext::extended_key_usage([OCSP_SIGNING], Criticality::NotCritical)?,
        ext::subject_key_identifier(&key::identifier(&request.spki)?),
        ext::authority_key_identifier(&authority.key_id),
        ext::ocsp_no_check(),
    ];
    Parts {
        serial: &request.serial,
        subject: &subject,
        spki: &request.spki,
        not_before: request.not_before,
        not_after: request.not_after,
        extensions,
    }
    .signed_by(authority)
}

/// The certificate that is shown in the handshake of a tls-alpn-01 challenge, to be signed by its own key (RFC 8737 §3).
///
/// # Errors
/// [`PkiError`] when a value cannot be encoded or the key is of an unknown kind.
pub fn challenge(request: &ChallengeRequest) -> Result<UnsignedCertificate, PkiError> {
    let itself = Authority {
        subject: subject(&[(rfc4519::COMMON_NAME, Some("ACME challenge"))]),
        key_id: key::identifier(&request.spki)?,
        spki: request.spki.clone(),
        algorithm: key::algorithm(&request.spki)?,
        not_after: request.not_after,
        signs_crls: false,
    };
    let extensions =
        vec![ext::subject_alt_name([&request.name], Criticality::NotCritical), ext::acme_identifier(&request.digest)];
    Parts {
        serial: &request.serial,
        subject: &itself.subject,
        spki: &request.spki,
        not_before: request.not_before,
        not_after: request.not_after,
        extensions,
    }
    .signed_by(&itself)
}

fn subject(attributes: &[(const_oid::ObjectIdentifier, Option<&str>)]) -> Vec<u8> {
    let given: Vec<_> = attributes.iter().filter_map(|(oid, text)| text.map(|text| (*oid, text))).collect();
    name::encode(&given)
}

fn authority_subject(request: &AuthorityRequest) -> Vec<u8> {
    subject(&[
        (rfc4519::COUNTRY_NAME, request.subject.country.as_deref()),
        (rfc4519::ORGANIZATION_NAME, request.subject.organization.as_deref()),
        (rfc4519::COMMON_NAME, Some(&request.subject.common_name)),
    ])
}

fn authority_parts<'a>(
    request: &'a AuthorityRequest,
    subject: &'a [u8],
    parent: &Authority,
) -> Result<Parts<'a>, PkiError> {
    key::algorithm(&request.spki)?;
    let mut extensions = vec![
        ext::basic_constraints_authority(request.path_length),
        ext::key_usage(ext::KEY_CERT_SIGN | ext::CRL_SIGN),
        ext::subject_key_identifier(&key::identifier(&request.spki)?),
        // A root names itself: RFC 5280 §4.2.1.1 lets it, BR §7.1.2.1.2 recommends it.
        ext::authority_key_identifier(&parent.key_id),
    ];
    extensions.extend(locations(&request.crl_urls, &request.ocsp_urls, &request.ca_issuer_urls)?);
    Ok(Parts {
        serial: &request.serial,
        subject,
        spki: &request.spki,
        not_before: request.not_before,
        not_after: request.not_after,
        extensions,
    })
}

fn locations(crl: &[String], ocsp: &[String], ca_issuers: &[String]) -> Result<Vec<Vec<u8>>, PkiError> {
    let mut extensions = Vec::new();
    if !crl.is_empty() {
        extensions.push(ext::crl_distribution_points(crl)?);
    }
    if !ocsp.is_empty() || !ca_issuers.is_empty() {
        extensions.push(ext::authority_information_access(ocsp, ca_issuers)?);
    }
    Ok(extensions)
}

/// What differs between certificates.
struct Parts<'a> {
    serial: &'a Serial,
    subject: &'a [u8],
    spki: &'a [u8],
    not_before: Timestamp,
    not_after: Timestamp,
    extensions: Vec<Vec<u8>>,
}

impl Parts<'_> {
    /// TBSCertificate (RFC 5280 §4.1).
    fn signed_by(&self, authority: &Authority) -> Result<UnsignedCertificate, PkiError> {
        let refused = |why: String| Err(PkiError::Unencodable { what: "validity", why });
        if self.not_after.floor_to_second() > authority.not_after {
            let (asked, end) = (self.not_after, authority.not_after);
            return refused(format!(
                "the certificate ends {asked}, after its authority, which ends {end}; end it sooner"
            ));
        }
        if self.not_before > self.not_after {
            return refused(format!("it begins {} and ends {}; begin it sooner", self.not_before, self.not_after));
        }
        let extensions: Vec<&[u8]> = self.extensions.iter().map(Vec::as_slice).collect();
        let tbs = write(
            tlv::SEQUENCE,
            &[
                // [0] EXPLICIT INTEGER 2: v3.
                &[0xa0, 3, tlv::INTEGER, 1, 2],
                &write(tlv::INTEGER, &[&self.serial.to_integer()]),
                &algorithm::encode(authority.signature_algorithm()),
                &authority.subject,
                &write(tlv::SEQUENCE, &[&time::write(self.not_before), &time::write(self.not_after)]),
                self.subject,
                self.spki,
                &write(0xa3, &[&write(tlv::SEQUENCE, &extensions)]),
            ],
        );
        Ok(UnsignedCertificate::new(tbs, authority))
    }
}
