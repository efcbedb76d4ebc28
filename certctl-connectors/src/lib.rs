//! certctl's issuers, targets, notifiers and discovery sources, and the host's side of its ports.
//!
//! Each connector is a folder and a feature. [`registry`] holds those that are compiled in.

pub mod deploy;
pub mod discovery;
mod ephemeral;
pub mod host;
pub mod issuer;
pub mod notifier;
pub mod target;

pub use ephemeral::Ephemeral;

use certctl_core::connector::Registry;

/// The connectors that are compiled in. Add your own with [`Registry::issuer`] and its siblings.
pub fn registry() -> Registry {
    let registry = issuer::register(Registry::new());
    let registry = notifier::register(registry);
    let registry = discovery::register(registry);
    target::register(registry)
}
