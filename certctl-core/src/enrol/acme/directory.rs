//! The directory of one profile, and the URLs below it (RFC 8555 §7.1.1).

use serde_json::{Value, json};

use super::config::{AcmeConfig, AcmeProfile};
use crate::domain::{AcmeAccountId, AcmeAuthorizationId, AcmeChallengeId, AcmeOrderId, ProfileId};

/// Where the resources of one profile are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// The profile.
    pub(super) profile_id: ProfileId,
    /// What every URL begins with, without a slash at the end.
    base: String,
}

impl Directory {
    pub(super) fn new(profile_id: ProfileId, base: &str) -> Self {
        Self { profile_id, base: base.trim_end_matches('/').to_owned() }
    }

    /// The profile.
    pub fn profile_id(&self) -> &ProfileId {
        &self.profile_id
    }

    /// The directory's own URL.
    pub fn index(&self) -> String {
        self.url("directory")
    }

    pub(super) fn account(&self, id: &AcmeAccountId) -> String {
        self.url(&format!("account/{id}"))
    }

    /// The account that an account's URL names, if it is one of this directory.
    pub(super) fn account_of<'a>(&self, url: &'a str) -> Option<&'a str> {
        url.strip_prefix(self.base.as_str())?.strip_prefix("/account/")
    }

    pub(super) fn order(&self, id: &AcmeOrderId) -> String {
        self.url(&format!("order/{id}"))
    }

    pub(super) fn finalize(&self, id: &AcmeOrderId) -> String {
        self.url(&format!("order/{id}/finalize"))
    }

    pub(super) fn certificate(&self, id: &AcmeOrderId) -> String {
        self.url(&format!("cert/{id}"))
    }

    pub(super) fn authorization(&self, id: &AcmeAuthorizationId) -> String {
        self.url(&format!("authz/{id}"))
    }

    pub(super) fn challenge(&self, id: &AcmeChallengeId) -> String {
        self.url(&format!("challenge/{id}"))
    }

    pub(super) fn orders(&self, account: &AcmeAccountId) -> String {
        self.url(&format!("account/{account}/orders"))
    }

    fn url(&self, rest: &str) -> String {
        format!("{}/{rest}", self.base)
    }

    /// The document.
    pub(super) fn document(&self, config: &AcmeConfig, profile: &AcmeProfile) -> Value {
        let mut meta = json!({ "externalAccountRequired": profile.external_account_required });
        let mut document = json!({
            "newNonce": self.url("new-nonce"), "newAccount": self.url("new-account"), "newOrder": self.url("new-order"),
            "revokeCert": self.url("revoke-cert"), "keyChange": self.url("key-change"),
        });
        if let Some(terms) = &config.terms_of_service {
            meta["termsOfService"] = json!(terms);
        }
        if let Some(website) = &config.website {
            meta["website"] = json!(website);
        }
        if !config.caa_identities.is_empty() {
            meta["caaIdentities"] = json!(config.caa_identities);
        }
        if config.renewal_info.is_some() {
            document["renewalInfo"] = json!(self.url("renewal-info"));
        }
        document["meta"] = meta;
        document
    }
}
