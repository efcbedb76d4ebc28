//! Notifiers that variables make: one of each kind, without a file.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::settings::{Setting, boolean, not_a};
use super::{ConfigError, Notifier};

/// What the variables say, by the kind of notifier.
#[derive(Default)]
pub(crate) struct Channels(BTreeMap<&'static str, Map<String, Value>>);

/// A kind of notifier that variables can make.
struct Made {
    kind: &'static str,
    /// What its notifier is called.
    name: &'static str,
    /// Without `CERTCTL_`: what there must be when there is any of them, and the member it becomes.
    mandatory: &'static [(&'static str, &'static str)],
}

const MADE: &[Made] = &[
    Made {
        kind: "Email",
        name: "email",
        mandatory: &[("SMTP_HOST", "smtp_host"), ("SMTP_FROM_ADDRESS", "from_address")],
    },
    Made { kind: "OpsGenie", name: "opsgenie", mandatory: &[("OPSGENIE_API_KEY", "api_key")] },
    Made { kind: "PagerDuty", name: "pagerduty", mandatory: &[("PAGERDUTY_ROUTING_KEY", "routing_key")] },
    Made { kind: "Slack", name: "slack", mandatory: &[("SLACK_WEBHOOK_URL", "webhook_url")] },
    Made { kind: "Teams", name: "teams", mandatory: &[("TEAMS_WEBHOOK_URL", "webhook_url")] },
    Made { kind: "Webhook", name: "webhook", mandatory: &[("WEBHOOK_URL", "url")] },
];

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "",
        variable: "WEBHOOK_URL",
        flag: "",
        default: "none",
        meaning: "Makes one notifier named `webhook`. Several are `[[notifier]]` tables with `name`, `kind`, `config`.",
        set: |config, value| {
            config.channels.set("Webhook", "url", value);
            Ok(())
        },
    },
    Setting {
        key: "",
        variable: "WEBHOOK_SECRET",
        flag: "",
        default: "none",
        meaning: "The key of that notifier's signatures.",
        set: |config, value| {
            config.channels.set("Webhook", "secret", value);
            Ok(())
        },
    },
    Setting {
        key: "",
        variable: "SLACK_WEBHOOK_URL",
        flag: "",
        default: "none",
        meaning: "Makes one notifier named `slack`.",
        set: |config, value| {
            config.channels.set("Slack", "webhook_url", value);
            Ok(())
        },
    },
    Setting {
        key: "",
        variable: "SLACK_CHANNEL",
        flag: "",
        default: "the webhook's own",
        meaning: "Its channel.",
        set: |config, value| {
            config.channels.set("Slack", "channel", value);
            Ok(())
        },
    },
    Setting {
        key: "",
        variable: "SLACK_USERNAME",
        flag: "",
        default: "`certctl`",
        meaning: "The name that it writes under.",
        set: |config, value| {
            config.channels.set("Slack", "username", value);
            Ok(())
        },
    },
    Setting {
        key: "",
        variable: "TEAMS_WEBHOOK_URL",
        flag: "",
        default: "none",
        meaning: "Makes one notifier named `teams`.",
        set: |config, value| {
            config.channels.set("Teams", "webhook_url", value);
            Ok(())
        },
    },
    Setting {
        key: "",
        variable: "PAGERDUTY_ROUTING_KEY",
        flag: "",
        default: "none",
        meaning: "Makes one notifier named `pagerduty`.",
        set: |config, value| {
            config.channels.set("PagerDuty", "routing_key", value);
            Ok(())
        },
    },
    Setting {
        key: "",
        variable: "PAGERDUTY_SEVERITY",
        flag: "",
        default: "as the event is",
        meaning: "`critical`, `error`, `warning` or `info`: the severity of every alert.",
        set: |config, value| {
            config.channels.set("PagerDuty", "severity", value);
            Ok(())
        },
    },
    Setting {
        key: "",
        variable: "OPSGENIE_API_KEY",
        flag: "",
        default: "none",
        meaning: "Makes one notifier named `opsgenie`.",
        set: |config, value| {
            config.channels.set("OpsGenie", "api_key", value);
            Ok(())
        },
    },
    Setting {
        key: "",
        variable: "OPSGENIE_PRIORITY",
        flag: "",
        default: "`P3`",
        meaning: "`P1` to `P5`: the priority of every alert.",
        set: |config, value| {
            config.channels.set("OpsGenie", "priority", value);
            Ok(())
        },
    },
    Setting {
        key: "",
        variable: "SMTP_HOST",
        flag: "",
        default: "none",
        meaning: "Makes one notifier named `email`, which writes to the owners of certificates. Needs \
                  `CERTCTL_SMTP_FROM_ADDRESS`.",
        set: |config, value| {
            config.channels.set("Email", "smtp_host", value);
            Ok(())
        },
    },
    Setting {
        key: "",
        variable: "SMTP_PORT",
        flag: "",
        default: "`587`",
        meaning: "The port of that mail server.",
        set: |config, value| {
            let port: u16 = value.trim().parse().map_err(|_| not_a("port", value))?;
            config.channels.set("Email", "smtp_port", port);
            Ok(())
        },
    },
    Setting {
        key: "",
        variable: "SMTP_USERNAME",
        flag: "",
        default: "none",
        meaning: "Whom to sign in as. Needs `CERTCTL_SMTP_PASSWORD`.",
        set: |config, value| {
            config.channels.set("Email", "username", value);
            Ok(())
        },
    },
    Setting {
        key: "",
        variable: "SMTP_PASSWORD",
        flag: "",
        default: "none",
        meaning: "The password of that user.",
        set: |config, value| {
            config.channels.set("Email", "password", value);
            Ok(())
        },
    },
    Setting {
        key: "",
        variable: "SMTP_FROM_ADDRESS",
        flag: "",
        default: "none",
        meaning: "The sender: an address, or `Name <address>`.",
        set: |config, value| {
            config.channels.set("Email", "from_address", value);
            Ok(())
        },
    },
    Setting {
        key: "",
        variable: "SMTP_USE_TLS",
        flag: "",
        default: "`true`",
        meaning: "`true`: TLS from the first octet on port 465, STARTTLS on others. `false`: no encryption, which excludes \
                  signing in.",
        set: |config, value| {
            if !boolean(value)? {
                config.channels.set("Email", "encryption", "none");
            }
            Ok(())
        },
    },
];

impl Channels {
    /// Sets a member of the configuration of a kind.
    pub(crate) fn set(&mut self, kind: &'static str, member: &str, value: impl Into<Value>) {
        self.0.entry(kind).or_default().insert(member.to_owned(), value.into());
    }

    /// The notifiers that the variables make.
    ///
    /// # Errors
    /// A variable that needs another, which is named.
    pub(crate) fn notifiers(self) -> Result<Vec<Notifier>, ConfigError> {
        let mut channels = self.0;
        let mut notifiers = Vec::new();
        for Made { kind, name, mandatory } in MADE {
            let Some(config) = channels.remove(kind) else { continue };
            if let Some((missing, _)) = mandatory.iter().find(|(_, member)| !config.contains_key(*member)) {
                let reason =
                    format!("other variables of the notifier `{name}` are set and need it; set it or unset them");
                return Err(ConfigError::value(format!("CERTCTL_{missing}"), reason));
            }
            notifiers.push(Notifier { name: (*name).to_owned(), kind: (*kind).to_owned(), config });
        }
        Ok(notifiers)
    }
}

impl std::fmt::Debug for Channels {
    /// Only the kinds: among the values are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}
