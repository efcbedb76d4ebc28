//! Every setting, once: its key in the file, its variable, its flag, its default, what it means. The documentation's
//! reference is made from this table.

use certctl_core::ports::Secret;

use super::{Config, acme_server, channels, est, issuers, ocsp, pki, scep, sources};

/// A setting of the server.
pub(crate) struct Setting {
    /// The key in the TOML file; empty for what only a variable says.
    #[cfg_attr(not(test), expect(dead_code, reason = "the reference page is made by a test"))]
    pub(crate) key: &'static str,
    /// Without `CERTCTL_`.
    pub(crate) variable: &'static str,
    /// A flag of `certctl serve`.
    #[cfg_attr(not(test), expect(dead_code, reason = "the reference page is made by a test"))]
    pub(crate) flag: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "the reference page is made by a test"))]
    pub(crate) default: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "the reference page is made by a test"))]
    pub(crate) meaning: &'static str,
    pub(crate) set: fn(&mut Config, &str) -> Result<(), String>,
}

/// A time of the loops.
macro_rules! of_loop {
    ($member:ident, $variable:literal, $default:literal, $meaning:literal) => {
        Setting {
            key: concat!("loops.", stringify!($member)),
            variable: $variable,
            flag: "",
            default: $default,
            meaning: $meaning,
            set: |config, value| {
                config.loops.$member = Some(value.into());
                Ok(())
            },
        }
    };
}

/// All of them, in the order of the reference: those of this file, and of each part that has a file of its own.
pub(crate) fn all() -> impl Iterator<Item = &'static Setting> {
    let public = [pki::SETTINGS, ocsp::SETTINGS, est::SETTINGS, scep::SETTINGS, acme_server::SETTINGS];
    [SETTINGS, sources::SETTINGS, channels::SETTINGS].into_iter().chain(public).chain([issuers::SETTINGS]).flatten()
}

const SETTINGS: &[Setting] = &[
    Setting {
        key: "data_dir",
        variable: "DATA_DIR",
        flag: "--data-dir",
        default: "`./certctl-data`",
        meaning: "Where the server keeps its files: the SQLite database, the sealing key, the setup token, its own root \
                  (`ca.pem`) and its TLS key. Made with mode 0700 if it is missing.",
        set: |config, value| {
            config.data_dir = Some(value.into());
            Ok(())
        },
    },
    Setting {
        key: "listen",
        variable: "LISTEN",
        flag: "--listen",
        default: "`127.0.0.1:8443`",
        meaning: "HOST:PORT to listen on; port 0 takes a free one.",
        set: |config, value| {
            config.listen = Some(value.into());
            Ok(())
        },
    },
    Setting {
        key: "insecure_http",
        variable: "INSECURE_HTTP",
        flag: "--insecure-http",
        default: "`false`",
        meaning: "Plain HTTP instead of TLS. Refused unless the listener is on loopback.",
        set: |config, value| {
            config.insecure_http = Some(boolean(value)?);
            Ok(())
        },
    },
    Setting {
        key: "server_names",
        variable: "SERVER_NAMES",
        flag: "",
        default: "the host name, `localhost`, `127.0.0.1`, `::1` and the host of `listen`",
        meaning: "DNS names and addresses in the server's own certificate. In the variable separated by commas.",
        set: |config, value| {
            config.server_names = Some(list(value));
            Ok(())
        },
    },
    Setting {
        key: "auth_type",
        variable: "AUTH_TYPE",
        flag: "",
        default: "`api-key`",
        meaning: "`api-key`, or `none`: everybody who can connect is an administrator. `none` is refused unless the \
                  listener is on loopback.",
        set: |config, value| {
            config.auth_type = Some(value.into());
            Ok(())
        },
    },
    Setting {
        key: "auth_secret",
        variable: "AUTH_SECRET",
        flag: "",
        default: "none",
        meaning: "Keys of administrators separated by commas; they are named `env-1`, `env-2` and so on.",
        set: |config, value| {
            config.auth_secret = Some(Secret::new(value));
            Ok(())
        },
    },
    Setting {
        key: "api_keys_named",
        variable: "API_KEYS_NAMED",
        flag: "",
        default: "none",
        meaning: "Keys as `name:key:role` separated by commas. Roles: admin, operator (when none is given), viewer, \
                  auditor, agent. Keys that are no longer named are disabled at the next start.",
        set: |config, value| {
            config.api_keys_named = Some(Secret::new(value));
            Ok(())
        },
    },
    Setting {
        key: "agent_auth",
        variable: "AGENT_AUTH",
        flag: "",
        default: "`own`",
        meaning: "`own`: each agent has its own credential. `shared`: any key of role agent acts for any agent, as \
                  agents of the predecessor need it.",
        set: |config, value| {
            config.agent_auth = Some(value.into());
            Ok(())
        },
    },
    Setting {
        key: "encryption_key",
        variable: "CONFIG_ENCRYPTION_KEY",
        flag: "",
        default: "`DIR/sealing.key`, made at the first start, with SQLite; none with PostgreSQL",
        meaning: "The passphrase that seals connector secrets and CA keys in the database. Mandatory with PostgreSQL. \
                  A store opens only with what it was sealed with.",
        set: |config, value| {
            config.encryption_key = Some(Secret::new(value));
            Ok(())
        },
    },
    Setting {
        key: "log_level",
        variable: "LOG_LEVEL",
        flag: "",
        default: "`info`",
        meaning: "`error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,certctl_core=debug`.",
        set: |config, value| {
            config.log_level = Some(value.into());
            Ok(())
        },
    },
    Setting {
        key: "log_format",
        variable: "LOG_FORMAT",
        flag: "",
        default: "`text`",
        meaning: "`text` or `json`. The log goes to standard error.",
        set: |config, value| {
            config.log_format = Some(value.into());
            Ok(())
        },
    },
    Setting {
        key: "database.url",
        variable: "DATABASE_URL",
        flag: "",
        default: "`sqlite:DIR/certctl.db`",
        meaning: "`sqlite:PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`.",
        set: |config, value| {
            config.database.url = Some(Secret::new(value));
            Ok(())
        },
    },
    Setting {
        key: "database.max_connections",
        variable: "DATABASE_MAX_CONNS",
        flag: "",
        default: "`16`",
        meaning: "Connections to the database at most, 1 to 1000.",
        set: |config, value| {
            config.database.max_connections = Some(value.trim().parse().map_err(|_| not_a("whole number", value))?);
            Ok(())
        },
    },
    Setting {
        key: "egress.allow",
        variable: "EGRESS_ALLOW",
        flag: "",
        default: "none",
        meaning: "Networks (CIDR) or addresses that connectors may call although the egress guard refuses them: \
                  loopback, link-local, metadata services. In the variable separated by commas.",
        set: |config, value| {
            config.egress.allow = Some(list(value));
            Ok(())
        },
    },
    Setting {
        key: "egress.resolver",
        variable: "EGRESS_RESOLVER",
        flag: "",
        default: "as this host looks up names",
        meaning: "DNS servers that are asked for the addresses of hosts that somebody else named, such as those that ACME clients \
                  have to prove: `ADDRESS` or `ADDRESS:PORT`. This host's file of hosts and its search domains are then left \
                  aside. In the variable separated by commas.",
        set: |config, value| {
            config.egress.resolver = Some(list(value));
            Ok(())
        },
    },
    of_loop!(
        renewal_check,
        "SCHEDULER_RENEWAL_CHECK_INTERVAL",
        "`1h`",
        "The longest time between two looks for renewals that are due. Every loop looks sooner when something comes due; the times only bound what a lost signal costs. A number with `s`, `m` or `h`."
    ),
    of_loop!(
        job_processor,
        "SCHEDULER_JOB_PROCESSOR_INTERVAL",
        "`30s`",
        "The same for issuing jobs, first runs and retries."
    ),
    of_loop!(job_timeout, "JOB_TIMEOUT_INTERVAL", "`10m`", "The same for jobs that waited too long."),
    of_loop!(
        awaiting_csr,
        "JOB_AWAITING_CSR_TIMEOUT",
        "`24h`",
        "How long a job waits for a certificate signing request."
    ),
    of_loop!(awaiting_approval, "JOB_AWAITING_APPROVAL_TIMEOUT", "`168h`", "How long a job waits for approval."),
    of_loop!(
        agent_health,
        "SCHEDULER_AGENT_HEALTH_CHECK_INTERVAL",
        "`2m`",
        "The longest time between two looks for agents that went silent. They do after three missed heartbeats, whatever it is."
    ),
    of_loop!(
        short_lived_expiry,
        "SHORT_LIVED_EXPIRY_CHECK_INTERVAL",
        "`30s`",
        "The same for certificates of short-lived profiles that ended."
    ),
    of_loop!(crl_generation, "CRL_GENERATION_INTERVAL", "`1h`", "The same for revocation lists that are to be made."),
    of_loop!(notification_process, "SCHEDULER_NOTIFICATION_PROCESS_INTERVAL", "`1m`", "The same for notifications."),
    Setting {
        key: "health_check.enabled",
        variable: "HEALTH_CHECK_ENABLED",
        flag: "",
        default: "`false`",
        meaning: "Whether the server probes the endpoints of health checks, and makes checks after verified deployments.",
        set: |config, value| {
            config.health_check.enabled = Some(boolean(value)?);
            Ok(())
        },
    },
    Setting {
        key: "health_check.interval",
        variable: "HEALTH_CHECK_INTERVAL",
        flag: "",
        default: "`60s`",
        meaning: "The longest time between two looks for endpoints that are due.",
        set: |config, value| {
            config.health_check.interval = Some(value.into());
            Ok(())
        },
    },
    Setting {
        key: "health_check.default_interval",
        variable: "HEALTH_CHECK_DEFAULT_INTERVAL",
        flag: "",
        default: "`300`",
        meaning: "Seconds between two probes of an endpoint whose check was made by itself, 30 to 604800.",
        set: |config, value| {
            config.health_check.default_interval =
                Some(value.trim().parse().map_err(|_| not_a("whole number", value))?);
            Ok(())
        },
    },
    Setting {
        key: "health_check.default_timeout",
        variable: "HEALTH_CHECK_DEFAULT_TIMEOUT",
        flag: "",
        default: "`5000`",
        meaning: "Milliseconds for one of its handshakes, 100 to 60000.",
        set: |config, value| {
            config.health_check.default_timeout = Some(value.trim().parse().map_err(|_| not_a("whole number", value))?);
            Ok(())
        },
    },
    Setting {
        key: "health_check.max_concurrent",
        variable: "HEALTH_CHECK_MAX_CONCURRENT",
        flag: "",
        default: "`20`",
        meaning: "Probes at once, 1 to 1000.",
        set: |config, value| {
            config.health_check.max_concurrent = Some(value.trim().parse().map_err(|_| not_a("whole number", value))?);
            Ok(())
        },
    },
    Setting {
        key: "health_check.history_retention",
        variable: "HEALTH_CHECK_HISTORY_RETENTION",
        flag: "",
        default: "`720h`",
        meaning: "How long what was seen is kept, up to 8760h.",
        set: |config, value| {
            config.health_check.history_retention = Some(value.into());
            Ok(())
        },
    },
    Setting {
        key: "health_check.auto_create",
        variable: "HEALTH_CHECK_AUTO_CREATE",
        flag: "",
        default: "`true`",
        meaning: "Whether a verified deployment makes a check of what it put in service, where the target names a host that is not its own loopback.",
        set: |config, value| {
            config.health_check.auto_create = Some(boolean(value)?);
            Ok(())
        },
    },
    Setting {
        key: "rate_limit.enabled",
        variable: "RATE_LIMIT_ENABLED",
        flag: "",
        default: "`true`",
        meaning: "Whether calls are limited: per key, and per address for calls without a good key. Who calls more often is \
                  answered 429 with `Retry-After`.",
        set: |config, value| {
            config.rate_limit.enabled = Some(boolean(value)?);
            Ok(())
        },
    },
    Setting {
        key: "rate_limit.rps",
        variable: "RATE_LIMIT_RPS",
        flag: "",
        default: "`50`",
        meaning: "Calls per second, 1 to 1000000.",
        set: |config, value| {
            config.rate_limit.rps = Some(value.trim().parse().map_err(|_| not_a("whole number", value))?);
            Ok(())
        },
    },
    Setting {
        key: "rate_limit.burst",
        variable: "RATE_LIMIT_BURST",
        flag: "",
        default: "`100`",
        meaning: "Calls at once after a pause, 1 to 1000000.",
        set: |config, value| {
            config.rate_limit.burst = Some(value.trim().parse().map_err(|_| not_a("whole number", value))?);
            Ok(())
        },
    },
    Setting {
        key: "network_scan.enabled",
        variable: "NETWORK_SCAN_ENABLED",
        flag: "",
        default: "`true`",
        meaning: "Whether the networks that were named for it are searched for certificates by themselves, each at its own \
                  interval. A search that somebody asks for is made either way.",
        set: |config, value| {
            config.network_scan.enabled = Some(boolean(value)?);
            Ok(())
        },
    },
    Setting {
        key: "cors_origins",
        variable: "CORS_ORIGINS",
        flag: "",
        default: "none",
        meaning: "Origins whose pages may read answers, such as `https://console.example`, or `*` for any. In the variable \
                  separated by commas.",
        set: |config, value| {
            config.cors_origins = Some(list(value));
            Ok(())
        },
    },
    of_loop!(
        notification_retry,
        "NOTIFICATION_RETRY_INTERVAL",
        "`2m`",
        "How long notifications whose notifier is not configured any more wait for it before they end, and the longest time between two looks for them. What failed is tried again at its own moment, after 2, 4, 8 and 16 minutes."
    ),
    Setting {
        key: "digest.enabled",
        variable: "DIGEST_ENABLED",
        flag: "",
        default: "`false`",
        meaning: "Whether a digest is sent by e-mail: how things stand. Needs a notifier of kind `Email`.",
        set: |config, value| {
            config.digest.enabled = Some(boolean(value)?);
            Ok(())
        },
    },
    Setting {
        key: "digest.interval",
        variable: "DIGEST_INTERVAL",
        flag: "",
        default: "`24h`",
        meaning: "How often, such as `24h` or `1h30m`; a minute at least. The first comes after the first interval.",
        set: |config, value| {
            config.digest.interval = Some(value.into());
            Ok(())
        },
    },
    Setting {
        key: "digest.recipients",
        variable: "DIGEST_RECIPIENTS",
        flag: "",
        default: "every owner",
        meaning: "The addresses that it goes to. In the variable separated by commas. `digest.notifier` names the notifier that sends \
                  it, where there are several of kind `Email`.",
        set: |config, value| {
            config.digest.recipients = Some(list(value));
            Ok(())
        },
    },
];

pub(super) fn boolean(value: &str) -> Result<bool, String> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err(not_a("true or false", value)),
    }
}

pub(super) fn not_a(what: &str, value: &str) -> String {
    let shown: String = value.chars().take(40).collect();
    format!("`{shown}` is not a {what}")
}

pub(super) fn list(value: &str) -> Vec<String> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}
