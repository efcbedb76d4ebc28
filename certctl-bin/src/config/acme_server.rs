//! `[acme_server]`: certificates for machines that speak ACME.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use certctl_core::domain::{InvalidId, Profile, ProfileId};
use certctl_core::enrol::acme::caa;
use certctl_core::enrol::acme::{AcmeAuthMode, AcmeConfig, AcmeLimits, AcmeProfile, AcmeValidation};
use serde::Deserialize;

use super::ConfigError;
use super::settings::{Setting, boolean, list, not_a};
use super::valid::{dns_servers, period};

/// `[acme_server]`, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AcmeServer {
    pub(crate) enabled: Option<bool>,
    pub(crate) url: Option<String>,
    pub(crate) default_profile: Option<String>,
    pub(crate) default_auth_mode: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) eab_required: Option<bool>,
    pub(crate) tos_url: Option<String>,
    pub(crate) website: Option<String>,
    pub(crate) caa_identities: Option<Vec<String>>,
    pub(crate) nonce_ttl: Option<String>,
    pub(crate) order_ttl: Option<String>,
    pub(crate) authz_ttl: Option<String>,
    pub(crate) gc_interval: Option<String>,
    pub(crate) ari_enabled: Option<bool>,
    pub(crate) ari_poll_interval: Option<String>,
    pub(crate) orders_per_hour: Option<u32>,
    pub(crate) concurrent_orders: Option<u32>,
    pub(crate) key_changes_per_hour: Option<u32>,
    pub(crate) challenges_per_hour: Option<u32>,
    pub(crate) http01_concurrency: Option<u32>,
    pub(crate) dns01_concurrency: Option<u32>,
    pub(crate) tls_alpn01_concurrency: Option<u32>,
    pub(crate) http01_port: Option<u32>,
    pub(crate) tls_alpn01_port: Option<u32>,
    pub(crate) dns01_resolver: Option<Vec<String>>,
    pub(crate) profile: Vec<Directory>,
}

/// `[[acme_server.profile]]`, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Directory {
    pub(crate) id: String,
    pub(crate) auth_mode: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) eab_required: Option<bool>,
    pub(crate) owner: Option<String>,
    pub(crate) team: Option<String>,
    pub(crate) renewal_policy: Option<String>,
    pub(crate) environment: Option<String>,
}

/// A text of `[acme_server]`.
macro_rules! of_acme {
    ($member:ident, $variable:literal, $default:literal, $meaning:literal) => {
        of_acme!($member, $variable, $default, $meaning, |value| Ok(value.to_owned()))
    };
    ($member:ident, $variable:literal, $default:literal, $meaning:literal, $read:expr) => {
        Setting {
            key: concat!("acme_server.", stringify!($member)),
            variable: $variable,
            flag: "",
            default: $default,
            meaning: $meaning,
            set: |config, value| {
                let read: fn(&str) -> Result<_, String> = $read;
                config.acme_server.$member = Some(read(value)?);
                Ok(())
            },
        }
    };
}

pub(super) const SETTINGS: &[Setting] = &[
    of_acme!(
        enabled,
        "ACME_SERVER_ENABLED",
        "`false`",
        "Whether to issue certificates to machines that speak ACME, at `/acme/directory` and `/acme/profile/ID/directory`.",
        boolean
    ),
    of_acme!(
        url,
        "ACME_SERVER_URL",
        "the host that the client names",
        "What the URLs of the ACME server begin with, such as `https://pki.example.com`: where a proxy stands in between."
    ),
    of_acme!(
        default_profile,
        "ACME_SERVER_DEFAULT_PROFILE_ID",
        "`prof-default`",
        "The profile that is served at `/acme/`. Other profiles are served if the file has an `[[acme_server.profile]]` for them."
    ),
    of_acme!(
        default_auth_mode,
        "ACME_SERVER_DEFAULT_AUTH_MODE",
        "`trust_authenticated`",
        "What an account has to prove: `challenge`, that it controls each name; `trust_authenticated`, nothing, so that whoever \
         reaches the server may have what the profile allows."
    ),
    of_acme!(issuer, "ACME_SERVER_ISSUER_ID", "`iss-local`", "Who issues."),
    of_acme!(
        eab_required,
        "ACME_SERVER_EAB_REQUIRED",
        "`false`",
        "Whether an account needs a credential, which administrators make with `POST /api/v1/acme/eab-credentials`.",
        boolean
    ),
    of_acme!(
        tos_url,
        "ACME_SERVER_TOS_URL",
        "none",
        "Where the terms of service are. Who opens an account has to agree to them."
    ),
    of_acme!(website, "ACME_SERVER_WEBSITE", "none", "A page about the server, named in the directory."),
    of_acme!(
        caa_identities,
        "ACME_SERVER_CAA_IDENTITIES",
        "none",
        "Names by which CAA records mean this server, such as `ca.example.com`; the directory tells them. Where there are some, a \
         name that is proven is only certified if its CAA records, if it has any, let this server issue (RFC 8659). In the variable \
         separated by commas.",
        |value| Ok(list(value))
    ),
    of_acme!(nonce_ttl, "ACME_SERVER_NONCE_TTL", "`5m`", "How long a nonce is good."),
    of_acme!(
        order_ttl,
        "ACME_SERVER_ORDER_TTL",
        "`24h`",
        "How long an order waits to be finalized; no longer than its authorizations are good."
    ),
    of_acme!(authz_ttl, "ACME_SERVER_AUTHZ_TTL", "`24h`", "How long an authorization is good."),
    of_acme!(
        gc_interval,
        "ACME_SERVER_GC_INTERVAL",
        "`1m`",
        "Longest time between two looks for orders that have expired or are long over."
    ),
    of_acme!(
        ari_enabled,
        "ACME_SERVER_ARI_ENABLED",
        "`true`",
        "Whether clients are told when to renew (RFC 9773).",
        boolean
    ),
    of_acme!(ari_poll_interval, "ACME_SERVER_ARI_POLL_INTERVAL", "`6h`", "How often they should ask."),
    of_acme!(
        orders_per_hour,
        "ACME_SERVER_RATE_LIMIT_ORDERS_PER_HOUR",
        "`100`",
        "Orders of one account within an hour; 0 for no limit.",
        whole
    ),
    of_acme!(
        concurrent_orders,
        "ACME_SERVER_RATE_LIMIT_CONCURRENT_ORDERS",
        "`5`",
        "Orders of one account that are open at once; 0 for no limit.",
        whole
    ),
    of_acme!(
        key_changes_per_hour,
        "ACME_SERVER_RATE_LIMIT_KEY_CHANGE_PER_HOUR",
        "`5`",
        "Changes of an account's key within an hour; 0 for no limit.",
        whole
    ),
    of_acme!(
        challenges_per_hour,
        "ACME_SERVER_RATE_LIMIT_CHALLENGE_RESPONDS_PER_HOUR",
        "`60`",
        "Challenges of one account that are looked at, within an hour; 0 for no limit.",
        whole
    ),
    of_acme!(
        http01_concurrency,
        "ACME_SERVER_HTTP01_CONCURRENCY",
        "`10`",
        "Challenges of type http-01 that each server looks at at once.",
        whole
    ),
    of_acme!(dns01_concurrency, "ACME_SERVER_DNS01_CONCURRENCY", "`10`", "The same of dns-01.", whole),
    of_acme!(tls_alpn01_concurrency, "ACME_SERVER_TLSALPN01_CONCURRENCY", "`10`", "The same of tls-alpn-01.", whole),
    of_acme!(
        http01_port,
        "ACME_SERVER_HTTP01_PORT",
        "`80`",
        "The port at which http-01 asks web servers. Another than 80 is for tests (RFC 8555, section 8.3).",
        whole
    ),
    of_acme!(
        tls_alpn01_port,
        "ACME_SERVER_TLSALPN01_PORT",
        "`443`",
        "The port at which tls-alpn-01 shakes hands. Another than 443 is for tests (RFC 8737, section 3).",
        whole
    ),
    of_acme!(
        dns01_resolver,
        "ACME_SERVER_DNS01_RESOLVER",
        "those of the host",
        "DNS servers that are asked for TXT records of dns-01 and for CAA records, `ADDRESS` or `ADDRESS:PORT`. In the variable \
         separated by commas. For addresses of hosts see `egress.resolver`.",
        |value| Ok(list(value))
    ),
];

/// What is served.
#[derive(Clone, Debug)]
pub(crate) struct ValidAcmeServer {
    pub(crate) config: AcmeConfig,
    pub(crate) gc_interval: Duration,
}

impl AcmeServer {
    /// Checks it. What is written is checked also when the server is not to run.
    pub(super) fn validate(self) -> Result<Option<ValidAcmeServer>, ConfigError> {
        let usual = AcmeConfig::default();
        let (day, month) = (86_400, 30 * 86_400);
        let time = |key: &str, text: Option<&String>, usual: Duration, most: u64| match text {
            Some(text) => period(&at(key), text, most),
            None => Ok(usual),
        };
        let config = AcmeConfig {
            nonce_ttl: time("nonce_ttl", self.nonce_ttl.as_ref(), usual.nonce_ttl, day)?,
            order_ttl: time("order_ttl", self.order_ttl.as_ref(), usual.order_ttl, month)?,
            authorization_ttl: time("authz_ttl", self.authz_ttl.as_ref(), usual.authorization_ttl, month)?,
            renewal_info: {
                let every = usual.renewal_info.unwrap_or(Duration::from_secs(21_600));
                let every = time("ari_poll_interval", self.ari_poll_interval.as_ref(), every, day)?;
                self.ari_enabled.unwrap_or(true).then_some(every)
            },
            limits: self.limits()?,
            validation: self.validation()?,
            terms_of_service: url("tos_url", self.tos_url.as_deref())?,
            website: url("website", self.website.as_deref())?,
            caa_identities: self.caa_identities()?,
            url: self.url()?,
            ..usual
        };
        let (default, profiles) = self.profiles()?;
        let gc_interval = time("gc_interval", self.gc_interval.as_ref(), Duration::from_secs(60), day)?;
        let config = AcmeConfig { profiles, default_profile: Some(default), ..config };
        Ok(self.enabled.unwrap_or(false).then_some(ValidAcmeServer { config, gc_interval }))
    }

    fn url(&self) -> Result<Option<String>, ConfigError> {
        let url = url("url", self.url.as_deref())?;
        let path = |url: &str| url.split("://").nth(1).is_some_and(|rest| rest.trim_end_matches('/').contains('/'));
        if url.as_deref().is_some_and(path) {
            return Err(ConfigError::value(at("url"), "it has a path; the server is at the root of its host"));
        }
        Ok(url.map(|url| url.trim_end_matches('/').to_owned()))
    }

    /// Names of issuers as CAA records have them (RFC 8659 §4.2).
    fn caa_identities(&self) -> Result<Vec<String>, ConfigError> {
        let written = self.caa_identities.clone().unwrap_or_default();
        match written.iter().find(|name| !caa::is_issuer_name(name)) {
            Some(bad) => {
                let reason = format!("`{bad}` is no name of a CA in CAA records, such as ca.example.com");
                Err(ConfigError::value(at("caa_identities"), reason))
            }
            None => Ok(written),
        }
    }

    fn limits(&self) -> Result<AcmeLimits, ConfigError> {
        let usual = AcmeLimits::default();
        let limit = |key, written: &Option<u32>, usual| number(key, *written, usual, 0..=1_000_000);
        Ok(AcmeLimits {
            orders_per_hour: limit("orders_per_hour", &self.orders_per_hour, usual.orders_per_hour)?,
            concurrent_orders: limit("concurrent_orders", &self.concurrent_orders, usual.concurrent_orders)?,
            key_changes_per_hour: limit(
                "key_changes_per_hour",
                &self.key_changes_per_hour,
                usual.key_changes_per_hour,
            )?,
            challenges_per_hour: limit("challenges_per_hour", &self.challenges_per_hour, usual.challenges_per_hour)?,
        })
    }

    fn validation(&self) -> Result<AcmeValidation, ConfigError> {
        let usual = AcmeValidation::default();
        let at_once = |key, written: &Option<u32>, usual| number(key, *written, usual, 1..=1_000);
        let port = |key, written: &Option<u32>, usual: u16| {
            let port = number(key, *written, u32::from(usual), 1..=65_535)?;
            Ok(u16::try_from(port).unwrap_or(usual))
        };
        let dns_servers = dns_servers(&at("dns01_resolver"), self.dns01_resolver.as_deref())?;
        Ok(AcmeValidation {
            http01_concurrency: at_once("http01_concurrency", &self.http01_concurrency, usual.http01_concurrency)?,
            dns01_concurrency: at_once("dns01_concurrency", &self.dns01_concurrency, usual.dns01_concurrency)?,
            tls_alpn01_concurrency: at_once(
                "tls_alpn01_concurrency",
                &self.tls_alpn01_concurrency,
                usual.tls_alpn01_concurrency,
            )?,
            http_port: port("http01_port", &self.http01_port, usual.http_port)?,
            tls_port: port("tls_alpn01_port", &self.tls_alpn01_port, usual.tls_port)?,
            dns_servers,
            ..usual
        })
    }

    /// The profiles that are served: the default one, and those that the file names.
    fn profiles(&self) -> Result<(ProfileId, BTreeMap<ProfileId, AcmeProfile>), ConfigError> {
        let default = self.default_profile.as_deref().unwrap_or(Profile::DEFAULT_ID);
        let default: ProfileId = id("default_profile", default)?;
        let mode = mode("default_auth_mode", self.default_auth_mode.as_deref())?;
        let mut usual = AcmeProfile::new(mode);
        usual.external_account_required = self.eab_required.unwrap_or(false);
        if let Some(issuer) = &self.issuer {
            usual.issuer_id = id("issuer", issuer)?;
        }
        let mut profiles = BTreeMap::new();
        for written in &self.profile {
            let mut profile = usual.clone();
            if written.auth_mode.is_some() {
                profile.auth_mode = self::mode("profile.auth_mode", written.auth_mode.as_deref())?;
            }
            profile.external_account_required = written.eab_required.unwrap_or(usual.external_account_required);
            overlay("profile.issuer", written.issuer.as_deref(), &mut profile.issuer_id)?;
            overlay("profile.owner", written.owner.as_deref(), &mut profile.owner_id)?;
            overlay("profile.team", written.team.as_deref(), &mut profile.team_id)?;
            overlay("profile.renewal_policy", written.renewal_policy.as_deref(), &mut profile.renewal_policy_id)?;
            if let Some(environment) = &written.environment {
                if environment.chars().count() > 64 {
                    return Err(ConfigError::value(at("profile.environment"), "it has more than 64 characters"));
                }
                profile.environment.clone_from(environment);
            }
            if profiles.insert(id("profile.id", &written.id)?, profile).is_some() {
                let reason = format!("there are two directories of profile `{}`; keep one", written.id);
                return Err(ConfigError::value(at("profile.id"), reason));
            }
        }
        profiles.entry(default.clone()).or_insert(usual);
        Ok((default, profiles))
    }
}

fn at(key: &str) -> String {
    format!("acme_server.{key}")
}

fn id<T: FromStr<Err = InvalidId>>(key: &str, text: &str) -> Result<T, ConfigError> {
    text.parse().map_err(|error: InvalidId| ConfigError::value(at(key), error.to_string()))
}

fn overlay<T: FromStr<Err = InvalidId>>(key: &str, text: Option<&str>, value: &mut T) -> Result<(), ConfigError> {
    if let Some(text) = text {
        *value = id(key, text)?;
    }
    Ok(())
}

fn mode(key: &str, text: Option<&str>) -> Result<AcmeAuthMode, ConfigError> {
    match text {
        None => Ok(AcmeAuthMode::TrustAuthenticated),
        Some(text) => text.parse().map_err(|error| ConfigError::value(at(key), format!("{error}"))),
    }
}

fn number(
    key: &str,
    written: Option<u32>,
    usual: u32,
    range: std::ops::RangeInclusive<u32>,
) -> Result<u32, ConfigError> {
    let number = written.unwrap_or(usual);
    if range.contains(&number) {
        return Ok(number);
    }
    Err(ConfigError::value(at(key), format!("must be {} to {}", range.start(), range.end())))
}

fn whole(text: &str) -> Result<u32, String> {
    text.trim().parse().map_err(|_| not_a("whole number", text))
}

fn url(key: &str, text: Option<&str>) -> Result<Option<String>, ConfigError> {
    let Some(text) = text else { return Ok(None) };
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |rest: &str| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_graphic() && !"<>\"".contains(c));
    if rest.is_some_and(plain) {
        return Ok(Some(text.to_owned()));
    }
    Err(ConfigError::value(at(key), "it is no URL, such as https://pki.example.com"))
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn valid(text: &str) -> Result<Option<super::ValidAcmeServer>, String> {
        let config = Config::parse(text)?;
        config.acme_server.validate().map_err(|error| error.to_string())
    }

    #[test]
    fn a_profile_takes_over_what_it_does_not_say() {
        let text = r#"
            [acme_server]
            enabled = true
            default_auth_mode = "challenge"
            eab_required = true
            dns01_resolver = ["192.0.2.53", "[2001:db8::53]:5353"]
            orders_per_hour = 0
            [[acme_server.profile]]
            id = "prof-inside"
            auth_mode = "trust_authenticated"
            eab_required = false
            issuer = "iss-inside"
        "#;
        let server = valid(text).unwrap().unwrap();
        let names: Vec<&str> = server.config.profiles.keys().map(certctl_core::domain::ProfileId::as_str).collect();
        assert_eq!(names, ["prof-default", "prof-inside"]);
        let of = |name: &str| server.config.profiles[&name.parse().unwrap()].clone();
        assert_eq!(of("prof-default").auth_mode.name(), "challenge");
        assert!(of("prof-default").external_account_required && !of("prof-inside").external_account_required);
        assert_eq!(of("prof-inside").auth_mode.name(), "trust_authenticated");
        assert_eq!(of("prof-inside").issuer_id.as_str(), "iss-inside");
        assert_eq!(server.config.validation.dns_servers.len(), 2);
        assert_eq!(server.config.limits.orders_per_hour, 0);
        assert!(valid("").unwrap().is_none());
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_name() {
        for (line, key) in [
            ("default_auth_mode = \"trust\"", "acme_server.default_auth_mode"),
            ("default_profile = \"a b\"", "acme_server.default_profile"),
            ("nonce_ttl = \"5\"", "acme_server.nonce_ttl"),
            ("http01_port = 0", "acme_server.http01_port"),
            ("orders_per_hour = 1000001", "acme_server.orders_per_hour"),
            ("dns01_resolver = [\"dns.example\"]", "acme_server.dns01_resolver"),
            ("url = \"pki.example\"", "acme_server.url"),
            ("url = \"https://pki.example/certs\"", "acme_server.url"),
            ("tos_url = \"https://a b\"", "acme_server.tos_url"),
            ("caa_identities = [\"ca.example\", \"ca.example;\"]", "acme_server.caa_identities"),
        ] {
            let error = valid(&format!("[acme_server]\n{line}")).unwrap_err();
            assert!(error.starts_with(key), "{line}: {error}");
        }
        let twice = "[[acme_server.profile]]\nid = \"a\"\n[[acme_server.profile]]\nid = \"a\"";
        assert!(valid(twice).unwrap_err().contains("two directories"));
    }
}
