//! The configuration as it is meant: parsed, checked, no raw strings.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use certctl_connectors::host::EgressPolicy;
use certctl_core::domain::nearest;
use certctl_core::engine::{
    AgentAuth, Cadence, ConfiguredKey, DigestConfig, DiscoverySourceConfig, HealthCadence, NotifierConfig, PublicUrl,
    Route,
};
use certctl_core::ports::Secret;
use certctl_http::{Origins, RateLimit};
use serde_json::{Value, json};
use tracing_subscriber::filter::Targets;

use super::est::EstServer;
use super::issuers::ValidIssuers;
use super::{Config, ConfigError, keys, sources};

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listen {
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Listen {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not HOST:PORT, such as 127.0.0.1:8443 or [::1]:8443");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let host = match host.strip_prefix('[').map(|inner| inner.strip_suffix(']')) {
            Some(inner) => inner.ok_or_else(wrong)?,
            None if host.contains(':') => return Err(wrong()),
            None => host,
        };
        if host.is_empty() { Err(wrong()) } else { Ok(Self { host: host.to_owned(), port }) }
    }

    fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => self.host == "localhost",
        }
    }
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authentication {
    ApiKey,
    Nobody,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// A configuration that can be used.
#[derive(Debug)]
pub(crate) struct ValidConfig {
    pub(crate) data_dir: PathBuf,
    pub(crate) listen: Listen,
    pub(crate) insecure_http: bool,
    /// What the configuration says; `None` for the usual names of this host.
    pub(crate) server_names: Option<Vec<String>>,
    pub(crate) authentication: Authentication,
    pub(crate) agent_auth: AgentAuth,
    pub(crate) keys: Vec<ConfiguredKey>,
    pub(crate) encryption_key: Option<Secret>,
    pub(crate) database_url: String,
    pub(crate) database_connections: u32,
    pub(crate) egress: EgressPolicy,
    pub(crate) notifiers: Vec<NotifierConfig>,
    pub(crate) routes: Vec<Route>,
    pub(crate) digest: Option<DigestConfig>,
    pub(crate) origins: Origins,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) cadence: Cadence,
    pub(crate) network_scans: bool,
    pub(crate) sources: Vec<DiscoverySourceConfig>,
    pub(crate) public_url: Option<PublicUrl>,
    pub(crate) est: Vec<EstServer>,
    pub(crate) scep: Vec<super::ScepSettings>,
    pub(crate) ocsp_per_minute: Option<u32>,
    pub(crate) acme_server: Option<super::acme_server::ValidAcmeServer>,
    pub(crate) issuers: ValidIssuers,
    pub(crate) log_level: String,
    pub(crate) log_format: LogFormat,
}

impl Config {
    /// Checks it. Pure: neither files nor the network are looked at.
    pub(crate) fn validate(self) -> Result<ValidConfig, ConfigError> {
        let data_dir = self.data_dir.unwrap_or_else(|| PathBuf::from("./certctl-data"));
        let listen = Listen::parse(self.listen.as_deref().unwrap_or("127.0.0.1:8443"))
            .map_err(|reason| ConfigError::value("listen", reason))?;
        let insecure_http = self.insecure_http.unwrap_or(false);
        if insecure_http && !listen.is_loopback() {
            let reason = "plain HTTP would show keys to the network; listen on 127.0.0.1 or [::1], or leave it out";
            return Err(ConfigError::value("insecure_http", reason));
        }
        let authentication = match self.auth_type.as_deref().unwrap_or("api-key") {
            "api-key" => Authentication::ApiKey,
            "none" if listen.is_loopback() => Authentication::Nobody,
            "none" => {
                let reason = "`none` makes everybody an administrator; listen on 127.0.0.1 or [::1], or use `api-key`";
                return Err(ConfigError::value("auth_type", reason));
            }
            other => return Err(one_of("auth_type", other, &["api-key", "none"])),
        };
        let agent_auth = match self.agent_auth.as_deref().unwrap_or("own") {
            "own" => AgentAuth::Own,
            "shared" => AgentAuth::Shared,
            other => return Err(one_of("agent_auth", other, &["own", "shared"])),
        };
        let log_level = self.log_level.unwrap_or_else(|| "info".to_owned());
        if let Err(error) = log_level.parse::<Targets>() {
            return Err(ConfigError::value("log_level", format!("`{log_level}` cannot be used: {error}")));
        }
        let log_format = match self.log_format.as_deref().unwrap_or("text") {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            other => return Err(one_of("log_format", other, &["text", "json"])),
        };
        let database_url = match self.database.url {
            Some(url) => url.expose().to_owned(),
            None => format!("sqlite:{}", data_dir.join("certctl.db").display()),
        };
        if database_url.starts_with("postgres") && self.encryption_key.is_none() {
            let reason =
                "mandatory with PostgreSQL, because every replica needs the same; set CERTCTL_CONFIG_ENCRYPTION_KEY";
            return Err(ConfigError::value("encryption_key", reason));
        }
        if let Some(key) = &self.encryption_key
            && key.expose().len() < 16
        {
            return Err(ConfigError::value("encryption_key", "shorter than 16 characters; use a longer one"));
        }
        let database_connections = self.database.max_connections.unwrap_or(16);
        if !(1..=1000).contains(&database_connections) {
            return Err(ConfigError::value("database.max_connections", "must be 1 to 1000"));
        }
        let mut keys = match &self.api_keys_named {
            Some(text) => keys::named(text).map_err(|reason| ConfigError::value("api_keys_named", reason))?,
            None => Vec::new(),
        };
        if let Some(text) = &self.auth_secret {
            keys.extend(keys::administrators(text));
        }
        let notifiers = notifiers(self.notifier, self.channels)?;
        Ok(ValidConfig {
            data_dir,
            listen,
            insecure_http,
            server_names: self.server_names.filter(|names| !names.is_empty()),
            authentication,
            agent_auth,
            keys,
            encryption_key: self.encryption_key,
            database_url,
            database_connections,
            egress: egress(self.egress)?,
            routes: routes(self.route, &notifiers)?,
            digest: digest(self.digest)?,
            notifiers,
            origins: origins(self.cors_origins.unwrap_or_default())?,
            rate_limit: rate_limit(&self.rate_limit)?,
            cadence: Cadence {
                health: health(&self.health_check)?,
                ocsp: self.ocsp.cadence()?,
                ..cadence(&self.loops)?
            },
            network_scans: self.network_scan.enabled.unwrap_or(true),
            sources: sources::configured(self.cloud_discovery, self.discovery, self.sources)?,
            public_url: self.pki.public_url()?,
            est: Self::est_servers(self.est, self.est_variables, !insecure_http)?,
            scep: self.scep.validate(!insecure_http)?,
            ocsp_per_minute: self.ocsp.per_minute(),
            acme_server: self.acme_server.validate()?,
            issuers: self.issuers.validate()?,
            log_level,
            log_format,
        })
    }
}

/// `*`, or origins as browsers send them (RFC 6454 §6.2).
fn origins(written: Vec<String>) -> Result<Origins, ConfigError> {
    if written.iter().any(|origin| origin == "*") {
        return Ok(Origins::Any);
    }
    for origin in &written {
        let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        if rest.is_none_or(|rest| rest.is_empty() || rest.contains(['/', '?', '#', '@', ' ', '*'])) {
            let shown: String = origin.chars().take(80).collect();
            let reason = format!("`{shown}` is no origin; write it as https://console.example, without a path, or `*`");
            return Err(ConfigError::value("cors_origins", reason));
        }
    }
    Ok(if written.is_empty() { Origins::None } else { Origins::These(written) })
}

fn rate_limit(written: &super::RateLimit) -> Result<Option<RateLimit>, ConfigError> {
    let within = |at: &str, value: Option<u32>, default: u32| match value.unwrap_or(default) {
        value @ 1..=1_000_000 => Ok(value),
        _ => Err(ConfigError::value(at, "must be 1 to 1000000; to have no limit, set rate_limit.enabled to false")),
    };
    let usual = RateLimit::default();
    let limit = RateLimit {
        per_second: within("rate_limit.rps", written.rps, usual.per_second)?,
        burst: within("rate_limit.burst", written.burst, usual.burst)?,
    };
    Ok(written.enabled.unwrap_or(true).then_some(limit))
}

/// The engine's periods, with those that are written.
fn cadence(written: &super::Loops) -> Result<Cadence, ConfigError> {
    let mut cadence = Cadence::default();
    let (day, month) = (86_400, 30 * 86_400);
    for (key, text, field, most) in [
        ("renewal_check", &written.renewal_check, &mut cadence.renewal_check, day),
        ("job_processor", &written.job_processor, &mut cadence.job_processor, day),
        ("job_timeout", &written.job_timeout, &mut cadence.job_timeout, day),
        ("awaiting_csr", &written.awaiting_csr, &mut cadence.awaiting_csr, month),
        ("awaiting_approval", &written.awaiting_approval, &mut cadence.awaiting_approval, month),
        ("agent_health", &written.agent_health, &mut cadence.agent_health, day),
        ("short_lived_expiry", &written.short_lived_expiry, &mut cadence.short_lived_expiry, day),
        ("notification_process", &written.notification_process, &mut cadence.notification_process, day),
        ("notification_retry", &written.notification_retry, &mut cadence.notification_retry, day),
        ("crl_generation", &written.crl_generation, &mut cadence.crl_generation, day),
    ] {
        if let Some(text) = text {
            *field = period(&format!("loops.{key}"), text, most)?;
        }
    }
    Ok(cadence)
}

/// How endpoints are probed, if they are.
fn health(written: &super::HealthCheck) -> Result<Option<HealthCadence>, ConfigError> {
    let usual = HealthCadence::default();
    let within = |key: &str, value: Option<u32>, least: u32, most: u32| match value {
        Some(value) if !(least..=most).contains(&value) => {
            Err(ConfigError::value(format!("health_check.{key}"), format!("must be {least} to {most}")))
        }
        value => Ok(value),
    };
    let time = |key: &str, text: Option<&String>, usual, most| match text {
        Some(text) => period(&format!("health_check.{key}"), text, most),
        None => Ok(usual),
    };
    let cadence = HealthCadence {
        look: time("interval", written.interval.as_ref(), usual.look, 86_400)?,
        check_interval_seconds: within("default_interval", written.default_interval, 30, 604_800)?
            .map_or(usual.check_interval_seconds, i64::from),
        timeout_ms: within("default_timeout", written.default_timeout, 100, 60_000)?
            .map_or(usual.timeout_ms, i64::from),
        at_once: within("max_concurrent", written.max_concurrent, 1, 1_000)?
            .map_or(usual.at_once, |most| usize::try_from(most).unwrap_or(usize::MAX)),
        kept: time("history_retention", written.history_retention.as_ref(), usual.kept, 8_760 * 3_600)?,
        automatic: written.auto_create.unwrap_or(usual.automatic),
    };
    Ok(written.enabled.unwrap_or(false).then_some(cadence))
}

/// A number of seconds, minutes, hours or days, from one second to so many.
pub(super) fn period(at: &str, written: &str, most: u64) -> Result<Duration, ConfigError> {
    let text = written.trim();
    let (number, unit) = text.split_at(text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit.trim() {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        _ => None,
    };
    let seconds = unit.and_then(|unit| number.parse::<u64>().ok()?.checked_mul(unit));
    seconds.filter(|seconds| (1..=most).contains(seconds)).map(Duration::from_secs).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        let reason = format!("`{shown}` is no time from 1s to {}h; write it as 90s, 2m or 1h", most / 3_600);
        ConfigError::value(at, reason)
    })
}

/// Networks, or single addresses.
fn egress(written: super::Egress) -> Result<EgressPolicy, ConfigError> {
    let network = |text: &String| match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => format!("{address}/32"),
        Ok(IpAddr::V6(address)) => format!("{address}/128"),
        Err(_) => text.clone(),
    };
    let mut allow = Vec::new();
    for text in written.allow.iter().flatten() {
        let parsed = serde_json::from_value(json!(network(text)));
        let reason = || format!("`{text}` is no network, such as 127.0.0.0/8, and no address");
        allow.push(parsed.map_err(|_| ConfigError::value("egress.allow", reason()))?);
    }
    Ok(EgressPolicy { allow, resolver: dns_servers("egress.resolver", written.resolver.as_deref())? })
}

/// DNS servers, each an address with or without a port.
pub(super) fn dns_servers(key: &str, written: Option<&[String]>) -> Result<Vec<SocketAddr>, ConfigError> {
    let server = |text: &String| {
        let server = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53)).or_else(|_| text.parse());
        let reason = || format!("`{text}` is no address, such as 192.0.2.53 or 192.0.2.53:53");
        server.map_err(|_| ConfigError::value(key, reason()))
    };
    written.unwrap_or_default().iter().map(server).collect()
}

fn notifiers(written: Vec<super::Notifier>, channels: super::Channels) -> Result<Vec<NotifierConfig>, ConfigError> {
    let mut notifiers: Vec<NotifierConfig> = Vec::new();
    for notifier in written.into_iter().chain(channels.notifiers()?) {
        let super::Notifier { name, kind, config } = notifier;
        if name.trim().is_empty() {
            return Err(ConfigError::value("notifier.name", "must not be empty"));
        }
        if notifiers.iter().any(|other| other.name == name) {
            let reason = format!("two notifiers are named `{name}`; give each its own name");
            return Err(ConfigError::value("notifier.name", reason));
        }
        notifiers.push(NotifierConfig { name, kind, config: Value::Object(config) });
    }
    Ok(notifiers)
}

fn routes(written: Vec<super::Route>, notifiers: &[NotifierConfig]) -> Result<Vec<Route>, ConfigError> {
    let mut routes = Vec::new();
    for super::Route { events, severities, notifiers: named } in written {
        if named.is_empty() {
            return Err(ConfigError::value("route.notifiers", "name at least one notifier"));
        }
        let known = || notifiers.iter().map(|notifier| notifier.name.as_str());
        if let Some(name) = named.iter().find(|name| !known().any(|known| known == *name)) {
            let hint = nearest(name, known()).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            return Err(ConfigError::value("route.notifiers", format!("there is no notifier `{name}`{hint}")));
        }
        routes.push(Route {
            events: parsed("route.events", &events)?,
            severities: parsed("route.severities", &severities)?,
            notifiers: named,
        });
    }
    Ok(routes)
}

/// Its addresses and its notifier are looked at when the engine is built.
fn digest(written: super::Digest) -> Result<Option<DigestConfig>, ConfigError> {
    let usual = DigestConfig::default();
    let interval = match written.interval {
        Some(text) => duration(&text).map_err(|reason| ConfigError::value("digest.interval", reason))?,
        None => usual.interval,
    };
    if interval < DigestConfig::SHORTEST {
        return Err(ConfigError::value("digest.interval", "a minute is the shortest interval"));
    }
    let (recipients, notifier) = (written.recipients.unwrap_or_default(), written.notifier);
    Ok(written.enabled.unwrap_or(false).then_some(DigestConfig { interval, recipients, notifier }))
}

/// Hours, minutes and seconds, such as `24h`, `1h30m` or `90s`; of a year at most.
fn duration(text: &str) -> Result<Duration, String> {
    let shown: String = text.chars().take(40).collect();
    let wrong = || format!("`{shown}` is no duration, such as 24h, 1h30m or 90s");
    let (mut seconds, mut digits) = (0_u64, String::new());
    for c in text.trim().chars() {
        let unit = match c {
            '0'..='9' => {
                digits.push(c);
                continue;
            }
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return Err(wrong()),
        };
        let number: u64 = std::mem::take(&mut digits).parse().map_err(|_| wrong())?;
        seconds = seconds.saturating_add(number.saturating_mul(unit));
    }
    if !digits.is_empty() || text.trim().is_empty() || seconds > 366 * 86_400 {
        return Err(wrong());
    }
    Ok(Duration::from_secs(seconds))
}

/// Words of a closed list, whose error names those that are.
fn parsed<T: FromStr<Err: Display>>(at: &str, written: &[String]) -> Result<Vec<T>, ConfigError> {
    written.iter().map(|word| word.parse().map_err(|error: T::Err| ConfigError::value(at, error.to_string()))).collect()
}

fn one_of(at: &str, given: &str, known: &[&str]) -> ConfigError {
    let shown: String = given.chars().take(40).collect();
    ConfigError::value(at, format!("`{shown}` is not one of {}", known.join(", ")))
}
