//! Discovery sources: the secrets of clouds.

#[cfg(feature = "discovery-aws-secrets-manager")]
pub mod aws_secrets_manager;
#[cfg(feature = "discovery-azure-key-vault")]
pub mod azure_key_vault;
mod calls;
#[cfg(feature = "discovery-gcp-secret-manager")]
pub mod gcp_secret_manager;

use certctl_core::connector::Registry;

/// Adds those that are compiled in.
pub(crate) fn register(registry: Registry) -> Registry {
    #[cfg(feature = "discovery-aws-secrets-manager")]
    let registry = registry.discovery::<aws_secrets_manager::AwsSecretsManager>();
    #[cfg(feature = "discovery-azure-key-vault")]
    let registry = registry.discovery::<azure_key_vault::AzureKeyVault>();
    #[cfg(feature = "discovery-gcp-secret-manager")]
    let registry = registry.discovery::<gcp_secret_manager::GcpSecretManager>();
    registry
}
