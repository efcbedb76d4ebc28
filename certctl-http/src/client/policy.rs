//! Profiles and renewal policies.

use certctl_core::domain::{ProfileId, RenewalPolicyId};
use certctl_core::ports::Method;

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{
    CertificateProfile, CreateProfile, CreateRenewalPolicy, Page, RenewalPolicy, UpdateProfile, UpdateRenewalPolicy,
};

impl Client {
    /// Lists certificate profiles.
    pub async fn list_profiles(&self, listing: &Listing) -> Result<Page<CertificateProfile>, ClientError> {
        self.list(Call::get(["api", "v1", "profiles"]), listing).await
    }
    /// Makes a certificate profile.
    pub async fn create_profile(&self, request: &CreateProfile) -> Result<CertificateProfile, ClientError> {
        self.call(Call::post(["api", "v1", "profiles"]).body(request)).await
    }
    /// Reads a certificate profile.
    pub async fn profile(&self, id: &ProfileId) -> Result<CertificateProfile, ClientError> {
        self.call(Call::get(["api", "v1", "profiles", id.as_str()])).await
    }
    /// Changes a certificate profile.
    pub async fn update_profile(
        &self,
        id: &ProfileId,
        request: &UpdateProfile,
    ) -> Result<CertificateProfile, ClientError> {
        self.call(Call::new(Method::Put, ["api", "v1", "profiles", id.as_str()]).body(request)).await
    }
    /// Deletes a certificate profile.
    pub async fn delete_profile(&self, id: &ProfileId) -> Result<(), ClientError> {
        self.call_empty(Call::new(Method::Delete, ["api", "v1", "profiles", id.as_str()])).await
    }
    /// Lists renewal policies.
    pub async fn list_renewal_policies(&self, listing: &Listing) -> Result<Page<RenewalPolicy>, ClientError> {
        self.list(Call::get(["api", "v1", "renewal-policies"]), listing).await
    }
    /// Makes a renewal policy.
    pub async fn create_renewal_policy(&self, request: &CreateRenewalPolicy) -> Result<RenewalPolicy, ClientError> {
        self.call(Call::post(["api", "v1", "renewal-policies"]).body(request)).await
    }
    /// Reads a renewal policy.
    pub async fn renewal_policy(&self, id: &RenewalPolicyId) -> Result<RenewalPolicy, ClientError> {
        self.call(Call::get(["api", "v1", "renewal-policies", id.as_str()])).await
    }
    /// Changes a renewal policy.
    pub async fn update_renewal_policy(
        &self,
        id: &RenewalPolicyId,
        request: &UpdateRenewalPolicy,
    ) -> Result<RenewalPolicy, ClientError> {
        self.call(Call::new(Method::Put, ["api", "v1", "renewal-policies", id.as_str()]).body(request)).await
    }
    /// Deletes a renewal policy.
    pub async fn delete_renewal_policy(&self, id: &RenewalPolicyId) -> Result<(), ClientError> {
        self.call_empty(Call::new(Method::Delete, ["api", "v1", "renewal-policies", id.as_str()])).await
    }
}
