//! What travels (RFC 8555 §7.1).

use std::net::IpAddr;

use certctl_core::domain::{SubjectAltName, SubjectNames};
use serde::{Deserialize, Serialize};
use url::Url;

use super::problem::Problem;

/// Where everything is (RFC 8555 §7.1.1).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Directory {
    pub(super) new_nonce: Url,
    pub(super) new_account: Url,
    pub(super) new_order: Url,
    pub(super) revoke_cert: Option<Url>,
    pub(super) key_change: Option<Url>,
    /// RFC 9773 §4.
    pub(super) renewal_info: Option<Url>,
    #[serde(default)]
    pub(super) meta: Meta,
}

/// What the CA says of itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Meta {
    pub(super) terms_of_service: Option<String>,
    pub(super) external_account_required: bool,
    /// Names and descriptions (draft-ietf-acme-profiles §3).
    pub(super) profiles: std::collections::BTreeMap<String, serde_json::Value>,
}

/// What a name is called there (RFC 8555 §9.7.7, RFC 8738).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identifier {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) value: String,
}

impl Identifier {
    /// `None` for names that ACME does not know.
    pub(super) fn of(name: &SubjectAltName) -> Option<Self> {
        let (kind, value) = match name {
            SubjectAltName::Dns(name) => ("dns", name.as_str().to_owned()),
            SubjectAltName::Ip(address) => ("ip", address.to_string()),
            SubjectAltName::Email(_) | SubjectAltName::Uri(_) => return None,
        };
        Some(Self { kind: kind.to_owned(), value })
    }

    /// The names of an order, as far as ACME knows them.
    pub(super) fn all(names: &SubjectNames) -> Vec<Self> {
        names.sans.iter().filter_map(Self::of).collect()
    }

    /// The name that a wildcard is of; `None` for what is none.
    pub(super) fn of_wildcard(&self) -> Option<Self> {
        let name = self.value.strip_prefix("*.").filter(|_| self.kind == "dns")?;
        Some(Self { kind: self.kind.clone(), value: name.to_owned() })
    }

    pub(super) fn address(&self) -> Option<IpAddr> {
        (self.kind == "ip").then(|| self.value.parse().ok()).flatten()
    }
}

/// RFC 8555 §7.1.3.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Order {
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) authorizations: Vec<Url>,
    pub(super) finalize: Url,
    #[serde(default)]
    pub(super) certificate: Option<Url>,
    #[serde(default)]
    pub(super) error: Option<Problem>,
}

/// RFC 8555 §7.1.4.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Authorization {
    #[serde(default)]
    pub(super) status: String,
    pub(super) identifier: Identifier,
    #[serde(default)]
    pub(super) challenges: Vec<Challenge>,
    #[serde(default)]
    pub(super) wildcard: bool,
}

/// RFC 8555 §8.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Challenge {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    pub(super) url: Url,
    /// Absent in dns-persist-01.
    #[serde(default)]
    pub(super) token: String,
    #[serde(default)]
    pub(super) error: Option<Problem>,
    /// Names under which the CA knows itself in a standing record (draft-ietf-acme-dns-persist).
    #[serde(rename = "issuer-domain-names", default)]
    pub(super) issuer_domain_names: Vec<String>,
}

/// RFC 9773 §4.2.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RenewalInfoDocument {
    pub(super) suggested_window: Window,
    #[serde(rename = "explanationURL", default)]
    pub(super) explanation_url: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Window {
    pub(super) start: String,
    pub(super) end: String,
}
