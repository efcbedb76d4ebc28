//! Notifiers: two lines and a folder each.

#[cfg(feature = "notifier-webhook")]
pub mod webhook;

use certctl_core::connector::Registry;

/// Adds every notifier that is compiled in.
pub(crate) fn register(registry: Registry) -> Registry {
    #[cfg(feature = "notifier-webhook")]
    let registry = registry.notifier::<webhook::Webhook>();
    registry
}
