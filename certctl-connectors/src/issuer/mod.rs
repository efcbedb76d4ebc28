//! Issuers: two lines and a folder each.

#[cfg(feature = "issuer-acme")]
pub mod acme;
#[cfg(any(feature = "issuer-acme", feature = "issuer-script"))]
mod fits;
#[cfg(feature = "issuer-local")]
pub mod local;
#[cfg(feature = "issuer-script")]
pub mod script;

use certctl_core::connector::Registry;

/// Adds every issuer that is compiled in.
pub(crate) fn register(registry: Registry) -> Registry {
    #[cfg(feature = "issuer-acme")]
    let registry = registry.issuer::<acme::Acme>();
    #[cfg(feature = "issuer-local")]
    let registry = registry.issuer::<local::LocalCa>();
    #[cfg(feature = "issuer-script")]
    let registry = registry.issuer::<script::Script>();
    registry
}
