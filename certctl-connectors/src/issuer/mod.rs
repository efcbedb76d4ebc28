//! Issuers: two lines and a folder each.

#[cfg(feature = "issuer-local")]
pub mod local;

use certctl_core::connector::Registry;

/// Adds every issuer that is compiled in.
pub(crate) fn register(registry: Registry) -> Registry {
    #[cfg(feature = "issuer-local")]
    let registry = registry.issuer::<local::LocalCa>();
    registry
}
