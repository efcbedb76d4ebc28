//! Policy rules and their violations.

use certctl_core::domain::PolicyRuleId;
use certctl_core::ports::Method;

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{CreatePolicy, Page, PolicyRule, PolicyViolation, UpdatePolicy};

fn path<'a>(rest: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    ["api", "v1", "policies"].into_iter().chain(rest)
}

impl Client {
    /// Lists policy rules.
    pub async fn list_policies(&self, listing: &Listing) -> Result<Page<PolicyRule>, ClientError> {
        self.list(Call::get(path([])), listing).await
    }
    /// Makes a policy rule.
    pub async fn create_policy(&self, request: &CreatePolicy) -> Result<PolicyRule, ClientError> {
        self.call(Call::post(path([])).body(request)).await
    }
    /// Reads a policy rule.
    pub async fn policy(&self, id: &PolicyRuleId) -> Result<PolicyRule, ClientError> {
        self.call(Call::get(path([id.as_str()]))).await
    }
    /// Changes a policy rule.
    pub async fn update_policy(&self, id: &PolicyRuleId, request: &UpdatePolicy) -> Result<PolicyRule, ClientError> {
        self.call(Call::new(Method::Put, path([id.as_str()])).body(request)).await
    }
    /// Deletes a policy rule, and with it what violates it.
    pub async fn delete_policy(&self, id: &PolicyRuleId) -> Result<(), ClientError> {
        self.call_empty(Call::new(Method::Delete, path([id.as_str()]))).await
    }
    /// Lists the certificates that violate a policy rule.
    pub async fn list_policy_violations(
        &self,
        id: &PolicyRuleId,
        listing: &Listing,
    ) -> Result<Page<PolicyViolation>, ClientError> {
        self.list(Call::get(path([id.as_str(), "violations"])), listing).await
    }
}
