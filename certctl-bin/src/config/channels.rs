//! Notifiers that variables make: one of each kind, without a file.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

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
