//! Discovery sources: of tables of the file, and one of each kind of variables.

use std::collections::BTreeMap;
use std::time::Duration;

use certctl_core::engine::DiscoverySourceConfig;
use serde_json::{Map, Value};

use super::settings::{Setting, boolean};
use super::{CloudDiscovery, ConfigError, Discovery};

/// What the variables say, by the kind of source.
#[derive(Default)]
pub(crate) struct Sources(BTreeMap<&'static str, Made>);

#[derive(Default)]
struct Made {
    enabled: bool,
    config: Map<String, Value>,
}

/// The kinds that variables can make, and what such a source is called.
const NAMES: [(&str, &str); 3] =
    [("AWSSecretsManager", "aws-sm"), ("AzureKeyVault", "azure-kv"), ("GCPSecretManager", "gcp-sm")];

/// A member of the configuration of a discovery source that variables make.
macro_rules! of_source {
    ($variable:literal, $kind:literal, $member:literal, $default:literal, $meaning:literal) => {
        Setting {
            key: "",
            variable: $variable,
            flag: "",
            default: $default,
            meaning: $meaning,
            set: |config, value| {
                config.sources.set($kind, $member, value);
                Ok(())
            },
        }
    };
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "cloud_discovery.enabled",
        variable: "CLOUD_DISCOVERY_ENABLED",
        flag: "",
        default: "`true`",
        meaning: "Whether discovery sources are searched.",
        set: |config, value| {
            config.cloud_discovery.enabled = Some(boolean(value)?);
            Ok(())
        },
    },
    Setting {
        key: "cloud_discovery.interval",
        variable: "CLOUD_DISCOVERY_INTERVAL",
        flag: "",
        default: "`6h`",
        meaning: "From the end of one search of a discovery source to the next: a number with `s`, `m`, `h` or `d`, one minute to 30 days.",
        set: |config, value| {
            config.cloud_discovery.interval = Some(value.into());
            Ok(())
        },
    },
    Setting {
        key: "",
        variable: "AWS_SM_DISCOVERY_ENABLED",
        flag: "",
        default: "`false`",
        meaning: "Makes one discovery source named `aws-sm`, of kind `AWSSecretsManager`. Several are `[[discovery]]` tables with `name`, `kind`, `config`.",
        set: |config, value| {
            config.sources.enable("AWSSecretsManager", boolean(value)?);
            Ok(())
        },
    },
    of_source!("AWS_SM_REGION", "AWSSecretsManager", "region", "none", "The region of that source."),
    of_source!("AWS_SM_ACCESS_KEY_ID", "AWSSecretsManager", "access_key_id", "none", "The id of its access key."),
    of_source!("AWS_SM_SECRET_ACCESS_KEY", "AWSSecretsManager", "secret_access_key", "none", "Its access key."),
    of_source!("AWS_SM_SESSION_TOKEN", "AWSSecretsManager", "session_token", "none", "Its session token."),
    of_source!(
        "AWS_SM_TAG_FILTER",
        "AWSSecretsManager",
        "tag_filter",
        "`type=certificate`",
        "Only secrets with this tag."
    ),
    of_source!(
        "AWS_SM_NAME_PREFIX",
        "AWSSecretsManager",
        "name_prefix",
        "none",
        "Only secrets whose names begin like this."
    ),
    Setting {
        key: "",
        variable: "AZURE_KV_DISCOVERY_ENABLED",
        flag: "",
        default: "`false`",
        meaning: "Makes one discovery source named `azure-kv`, of kind `AzureKeyVault`.",
        set: |config, value| {
            config.sources.enable("AzureKeyVault", boolean(value)?);
            Ok(())
        },
    },
    of_source!("AZURE_KV_VAULT_URL", "AzureKeyVault", "vault_url", "none", "The vault of that source."),
    of_source!("AZURE_KV_TENANT_ID", "AzureKeyVault", "tenant_id", "none", "The directory of its application."),
    of_source!("AZURE_KV_CLIENT_ID", "AzureKeyVault", "client_id", "none", "Its application."),
    of_source!("AZURE_KV_CLIENT_SECRET", "AzureKeyVault", "client_secret", "none", "The secret of that application."),
    Setting {
        key: "",
        variable: "GCP_SM_DISCOVERY_ENABLED",
        flag: "",
        default: "`false`",
        meaning: "Makes one discovery source named `gcp-sm`, of kind `GCPSecretManager`.",
        set: |config, value| {
            config.sources.enable("GCPSecretManager", boolean(value)?);
            Ok(())
        },
    },
    of_source!("GCP_SM_PROJECT", "GCPSecretManager", "project", "none", "The project of that source."),
    of_source!(
        "GCP_SM_CREDENTIALS",
        "GCPSecretManager",
        "credentials",
        "none",
        "The key file of its service account, as text."
    ),
];

impl Sources {
    /// Sets a member of the configuration of a kind.
    pub(super) fn set(&mut self, kind: &'static str, member: &str, value: &str) {
        self.0.entry(kind).or_default().config.insert(member.to_owned(), value.into());
    }

    /// Whether the variables of a kind make a source.
    pub(super) fn enable(&mut self, kind: &'static str, enabled: bool) {
        self.0.entry(kind).or_default().enabled = enabled;
    }

    fn made(self) -> impl Iterator<Item = Discovery> {
        let enabled = self.0.into_iter().filter(|(_, made)| made.enabled);
        enabled.map(|(kind, made)| {
            let name = NAMES.iter().find(|(known, _)| *known == kind).map_or(kind, |(_, name)| *name);
            Discovery { name: name.to_owned(), kind: kind.to_owned(), config: made.config }
        })
    }
}

impl std::fmt::Debug for Sources {
    /// Only the kinds: among the values are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// The sources that are searched. What their kinds want is checked when the engine is built.
pub(super) fn configured(
    written: CloudDiscovery,
    tables: Vec<Discovery>,
    variables: Sources,
) -> Result<Vec<DiscoverySourceConfig>, ConfigError> {
    let interval = interval(written.interval.as_deref().unwrap_or("6h"))
        .ok_or_else(|| ConfigError::value("cloud_discovery.interval", "write it as 6h: 1 minute to 30 days"))?;
    let mut sources: Vec<DiscoverySourceConfig> = Vec::new();
    for Discovery { name, kind, config } in tables.into_iter().chain(variables.made()) {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !(1..=100).contains(&name.len()) || !name.chars().all(allowed) {
            let reason = "a name has 1 to 100 of the characters A-Z a-z 0-9 . _ -";
            return Err(ConfigError::value("discovery.name", reason));
        }
        if sources.iter().any(|other| other.name == name) {
            let reason = format!("two discovery sources are named `{name}`; give each its own name");
            return Err(ConfigError::value("discovery.name", reason));
        }
        sources.push(DiscoverySourceConfig { name, kind, config: Value::Object(config), interval });
    }
    Ok(if written.enabled.unwrap_or(true) { sources } else { Vec::new() })
}

/// Such as `90m`.
fn interval(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let interval = Duration::from_secs(number.checked_mul(seconds)?);
    (Duration::from_secs(60)..=Duration::from_secs(30 * 86_400)).contains(&interval).then_some(interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_a_unit_and_bounds() {
        for (text, seconds) in [("6h", 21_600), ("90m", 5_400), (" 60s ", 60), ("30d", 2_592_000)] {
            assert_eq!(interval(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["", "6", "h", "59s", "31d", "-1h", "6 h", "1.5h", "6ü", "99999999999999999999d"] {
            assert_eq!(interval(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn variables_make_a_source_where_they_are_enabled() {
        let mut variables = Sources::default();
        variables.set("AWSSecretsManager", "region", "eu-central-1");
        variables.set("GCPSecretManager", "project", "shop");
        variables.enable("AWSSecretsManager", true);
        let table = |name: &str| Discovery { name: name.into(), kind: "AzureKeyVault".into(), config: Map::new() };
        let made = configured(CloudDiscovery::default(), vec![table("kv")], variables).unwrap();
        let names: Vec<(&str, &str)> = made.iter().map(|made| (made.name.as_str(), made.kind.as_str())).collect();
        assert_eq!(names, [("kv", "AzureKeyVault"), ("aws-sm", "AWSSecretsManager")]);
        assert_eq!(made[1].config, serde_json::json!({ "region": "eu-central-1" }));
        let off = CloudDiscovery { enabled: Some(false), interval: None };
        assert!(configured(off, vec![table("kv")], Sources::default()).unwrap().is_empty());
        for wrong in [vec![table("a b")], vec![table("")], vec![table("kv"), table("kv")]] {
            assert!(configured(CloudDiscovery::default(), wrong, Sources::default()).is_err());
        }
    }
}
