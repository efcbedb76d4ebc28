//! Notifiers: two lines and a folder each.

#[cfg(any(
    feature = "notifier-opsgenie",
    feature = "notifier-pagerduty",
    feature = "notifier-slack",
    feature = "notifier-teams"
))]
mod call;
#[cfg(feature = "notifier-email")]
pub mod email;
#[cfg(feature = "notifier-opsgenie")]
pub mod opsgenie;
#[cfg(feature = "notifier-pagerduty")]
pub mod pagerduty;
#[cfg(feature = "notifier-slack")]
pub mod slack;
#[cfg(feature = "notifier-teams")]
pub mod teams;
#[cfg(all(
    test,
    any(
        feature = "notifier-opsgenie",
        feature = "notifier-pagerduty",
        feature = "notifier-slack",
        feature = "notifier-teams"
    )
))]
mod testing;
#[cfg(feature = "notifier-webhook")]
pub mod webhook;

use certctl_core::connector::Registry;

/// Adds every notifier that is compiled in.
pub(crate) fn register(registry: Registry) -> Registry {
    #[cfg(feature = "notifier-email")]
    let registry = registry.notifier::<email::Email>();
    #[cfg(feature = "notifier-opsgenie")]
    let registry = registry.notifier::<opsgenie::OpsGenie>();
    #[cfg(feature = "notifier-pagerduty")]
    let registry = registry.notifier::<pagerduty::PagerDuty>();
    #[cfg(feature = "notifier-slack")]
    let registry = registry.notifier::<slack::Slack>();
    #[cfg(feature = "notifier-teams")]
    let registry = registry.notifier::<teams::Teams>();
    #[cfg(feature = "notifier-webhook")]
    let registry = registry.notifier::<webhook::Webhook>();
    registry
}
