//! Targets: two lines and a folder each. What the server needs of a target is always compiled in; a feature adds the
//! doing.

pub mod nginx;

use certctl_core::connector::Registry;

/// Adds every target that is compiled in.
pub(crate) fn register(registry: Registry) -> Registry {
    #[cfg(feature = "target-nginx")]
    let registry = registry.target::<nginx::Nginx>();
    #[cfg(not(feature = "target-nginx"))]
    let registry = registry.target_spec::<nginx::Nginx>();
    registry
}
