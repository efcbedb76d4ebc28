//! Intermediate CAs.

use certctl_core::Error;
use certctl_core::domain::{
    self, CaKeyAlgorithm, IntermediateCa, IntermediateCaId, IntermediateCaState, IssuerId, RevocationReason, Serial,
    Timestamp, pem,
};
use certctl_core::ops::intermediate::{Create, Locations, Register};
use certctl_core::pki::certificate::DistinguishedName;
use certctl_core::ports::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names;
use super::patch::unless_empty;

/// A CA of an issuer besides its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = IntermediateCA)]
pub struct Intermediate {
    /// Its id.
    #[schema(value_type = String)]
    pub id: IntermediateCaId,
    /// The issuer whose it is.
    #[schema(value_type = String)]
    pub issuer_id: IssuerId,
    /// The one right above it; absent when that is the issuer's own CA, or none that is kept here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub parent_id: Option<IntermediateCaId>,
    /// Its name.
    pub name: String,
    /// The subject of its certificate as RFC 4514 writes it.
    pub subject: String,
    /// Whether it signs.
    #[schema(value_type = names::IntermediateCaState)]
    pub state: IntermediateCaState,
    /// The serial number of its certificate, in hexadecimal.
    #[schema(value_type = String)]
    pub serial_number: Serial,
    /// SHA-256 of its certificate, in hexadecimal.
    pub fingerprint_sha256: String,
    /// What kind of key it has.
    #[schema(value_type = names::CaKeyAlgorithm)]
    pub key_algorithm: CaKeyAlgorithm,
    /// Whether its key is kept here. Without one it only stands above others.
    pub has_key: bool,
    /// First moment of validity.
    #[schema(value_type = String, format = DateTime)]
    pub not_before: Timestamp,
    /// Last moment of validity.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
    /// How many CAs may stand below it; absent for any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub path_length: Option<i64>,
    /// The names that it limits itself to.
    pub name_constraints: NameConstraints,
    /// When it was revoked; absent when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub revoked_at: Option<Timestamp>,
    /// Why; absent when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<names::RevocationReason>, nullable = false)]
    pub revocation_reason: Option<RevocationReason>,
    /// Its certificate; absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub certificate_pem: Option<String>,
    /// Its certificate and those above it, up to the root; absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub chain_pem: Option<String>,
    /// When it was made or registered.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it, or what stands right below it, was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// The names that may and must not stand in certificates below a CA (RFC 5280 §4.2.1.10).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NameConstraints {
    /// Of each kind that is named here, only these.
    #[serde(default)]
    pub permitted: NameSubtrees,
    /// Not these.
    #[serde(default)]
    pub excluded: NameSubtrees,
}

/// Names of each kind, at most 100.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NameSubtrees {
    /// DNS names, each with all below it.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub dns: Vec<String>,
    /// Networks in CIDR notation.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub ip: Vec<String>,
    /// Mailboxes (`a@example.com`), hosts (`example.com`), or all hosts of a domain (`.example.com`).
    #[serde(default)]
    #[schema(max_items = 100)]
    pub email: Vec<String>,
    /// Hosts of URIs (`www.example.com`), or all hosts of a domain (`.example.com`).
    #[serde(default)]
    #[schema(max_items = 100)]
    pub uri: Vec<String>,
}

/// Makes an intermediate CA; or registers one that there is already: then `certificate_pem` stands in place of what its certificate
/// says.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = CreateIntermediateRequest)]
pub struct CreateIntermediate {
    /// An id of the client's choice; generated when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub id: Option<IntermediateCaId>,
    /// The intermediate CA right above it; the issuer's own CA when absent. Of one that is registered it is found by its certificate.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub parent_id: Option<IntermediateCaId>,
    /// Unique for the issuer.
    #[schema(min_length = 1, max_length = 255)]
    pub name: String,
    /// The common name of its certificate; `name` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 64)]
    pub common_name: Option<String>,
    /// The organization in its subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 64)]
    pub organization: Option<String>,
    /// The country in its subject: two capital letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 2, max_length = 2)]
    pub country: Option<String>,
    /// The key to make; `ECDSA-P256` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<names::CaKeyAlgorithm>, nullable = false)]
    pub key_algorithm: Option<CaKeyAlgorithm>,
    /// How long it is valid, in days; 1825 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 36500)]
    pub validity_days: Option<i64>,
    /// How many CAs may stand below it; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 10)]
    pub path_length: Option<i64>,
    /// The names that it limits itself to.
    #[serde(default)]
    pub name_constraints: NameConstraints,
    /// The certificate of a CA that there is already, in PEM, and those above it up to a root or to a CA that the issuer has.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 524_288)]
    pub certificate_pem: Option<String>,
    /// The key of `certificate_pem` in PEM, not encrypted. It is kept sealed. Without it the CA signs nothing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, max_length = 65536)]
    pub private_key_pem: Option<Secret>,
    /// Where the CRL of the CA above it is; where this server publishes it when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crl_urls: Vec<String>,
    /// Where the OCSP responder of the CA above it is; this server's when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ocsp_urls: Vec<String>,
    /// Where the certificate of the CA above it is; where this server publishes it when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ca_issuer_urls: Vec<String>,
}

/// Revokes an intermediate CA.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RevokeIntermediateRequest)]
pub struct RevokeIntermediate {
    /// Why; `unspecified` when absent. A CA is not put on hold.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<names::RevocationReason>, nullable = false)]
    pub reason: Option<RevocationReason>,
}

/// What a request for an intermediate CA asks for.
#[derive(Debug)]
pub(crate) enum WantedIntermediate {
    Made(Box<Create>),
    Registered(Register),
}

impl CreateIntermediate {
    /// Five years.
    const VALIDITY_DAYS: i64 = 1_825;

    pub(crate) fn for_issuer(self, issuer_id: IssuerId) -> Result<WantedIntermediate, Error> {
        match &self.certificate_pem {
            Some(_) => self.registered(issuer_id).map(WantedIntermediate::Registered),
            None if self.private_key_pem.is_some() => {
                let detail =
                    "a key is made here; give its `certificate_pem`, too, to register a CA that has one already";
                Err(Error::invalid_field("/private_key_pem", "not_allowed", detail))
            }
            None => Ok(WantedIntermediate::Made(Box::new(self.made(issuer_id)))),
        }
    }

    /// The first member that says what the certificate says already.
    fn said_twice(&self) -> Option<&'static str> {
        let said = [
            ("/common_name", self.common_name.is_some()),
            ("/organization", self.organization.is_some()),
            ("/country", self.country.is_some()),
            ("/key_algorithm", self.key_algorithm.is_some()),
            ("/validity_days", self.validity_days.is_some()),
            ("/path_length", self.path_length.is_some()),
            ("/name_constraints", self.name_constraints != NameConstraints::default()),
            ("/crl_urls", !self.crl_urls.is_empty()),
            ("/ocsp_urls", !self.ocsp_urls.is_empty()),
            ("/ca_issuer_urls", !self.ca_issuer_urls.is_empty()),
        ];
        said.into_iter().find(|(_, is_said)| *is_said).map(|(pointer, _)| pointer)
    }

    fn registered(self, issuer_id: IssuerId) -> Result<Register, Error> {
        if let Some(pointer) = self.said_twice() {
            let detail = "`certificate_pem` says it of a CA that there is already; leave it out";
            return Err(Error::invalid_field(pointer, "not_allowed", detail));
        }
        let (id, parent_id, name) = (self.id, self.parent_id, self.name);
        let certificate_pem = self.certificate_pem.unwrap_or_default();
        Ok(Register { issuer_id, id, parent_id, name, certificate_pem, private_key_pem: self.private_key_pem })
    }

    fn made(self, issuer_id: IssuerId) -> Create {
        let common_name = self.common_name.unwrap_or_else(|| self.name.clone());
        Create {
            issuer_id,
            id: self.id,
            parent_id: self.parent_id,
            name: self.name,
            subject: DistinguishedName { country: self.country, organization: self.organization, common_name },
            key_algorithm: self.key_algorithm.unwrap_or(CaKeyAlgorithm::EcdsaP256),
            validity_days: self.validity_days.unwrap_or(Self::VALIDITY_DAYS),
            path_length: self.path_length.unwrap_or(0),
            name_constraints: self.name_constraints.into(),
            locations: Locations {
                crl_urls: self.crl_urls,
                ocsp_urls: self.ocsp_urls,
                ca_issuer_urls: self.ca_issuer_urls,
            },
        }
    }
}

impl Intermediate {
    /// With its certificates.
    pub(crate) fn whole(ca: IntermediateCa) -> Self {
        let certificate_pem = Some(pem::encode("CERTIFICATE", ca.chain.leaf()));
        let chain_pem = Some(ca.chain.to_pem());
        Self { certificate_pem, chain_pem, ..Self::from(ca) }
    }
}

/// Without its certificates, as lists have it.
impl From<IntermediateCa> for Intermediate {
    fn from(ca: IntermediateCa) -> Self {
        Self {
            id: ca.id,
            issuer_id: ca.issuer_id,
            parent_id: ca.parent_id,
            name: ca.name,
            subject: ca.subject,
            state: ca.state,
            serial_number: ca.serial_number,
            fingerprint_sha256: ca.fingerprint_sha256.to_string(),
            key_algorithm: ca.key_algorithm,
            has_key: ca.authority_id.is_some(),
            not_before: ca.not_before,
            not_after: ca.not_after,
            path_length: ca.path_length,
            name_constraints: ca.name_constraints.0.into(),
            revoked_at: ca.revoked_at,
            revocation_reason: ca.revocation_reason,
            certificate_pem: None,
            chain_pem: None,
            created_at: ca.created_at,
            updated_at: ca.updated_at,
        }
    }
}

impl From<NameConstraints> for domain::NameConstraints {
    fn from(constraints: NameConstraints) -> Self {
        let NameConstraints { permitted, excluded } = constraints;
        Self { permitted: permitted.into(), excluded: excluded.into() }
    }
}

impl From<NameSubtrees> for domain::NameSubtrees {
    fn from(NameSubtrees { dns, ip, email, uri }: NameSubtrees) -> Self {
        Self { dns, ip, email, uri }
    }
}

impl From<domain::NameConstraints> for NameConstraints {
    fn from(constraints: domain::NameConstraints) -> Self {
        let domain::NameConstraints { permitted, excluded } = constraints;
        Self { permitted: permitted.into(), excluded: excluded.into() }
    }
}

impl From<domain::NameSubtrees> for NameSubtrees {
    fn from(domain::NameSubtrees { dns, ip, email, uri }: domain::NameSubtrees) -> Self {
        Self { dns, ip, email, uri }
    }
}
