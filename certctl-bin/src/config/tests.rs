use std::ffi::OsString;
use std::time::Duration;

use certctl_core::domain::{NotificationType, Role, Severity};
use certctl_core::engine::{AgentAuth, DigestConfig, OcspCadence, Route};
use certctl_http::{Origins, RateLimit};
use serde_json::json;

use super::client_variables::CLIENT_VARIABLES;
use super::settings;
use super::valid::Listen;
use super::*;

fn environment(pairs: &[(&str, &str)]) -> Environment {
    Environment::of(pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)))).unwrap()
}

fn from_environment(pairs: &[(&str, &str)]) -> Result<ValidConfig, String> {
    let mut config = Config::default();
    config.overlay(&environment(pairs)).map_err(|error| error.to_string())?;
    config.validate().map_err(|error| error.to_string())
}

fn refusal(pairs: &[(&str, &str)]) -> String {
    from_environment(pairs).unwrap_err()
}

#[test]
fn the_defaults_are_safe_and_local() {
    let config = Config::default().validate().unwrap();
    assert_eq!(config.listen, Listen { host: "127.0.0.1".into(), port: 8443 });
    assert_eq!(config.database_url, "sqlite:./certctl-data/certctl.db");
    assert_eq!((config.insecure_http, config.authentication), (false, Authentication::ApiKey));
    assert_eq!(config.agent_auth, AgentAuth::Own);
    assert_eq!(config.rate_limit, Some(RateLimit { per_second: 50, burst: 100 }));
    assert_eq!(config.origins, Origins::None);
    assert!(config.keys.is_empty() && config.notifiers.is_empty() && config.egress.allow.is_empty());
}

#[test]
fn a_variable_wins_over_the_file() {
    let mut config = Config::parse("listen = \"127.0.0.1:1\"\n[database]\nmax_connections = 4\n").unwrap();
    config.overlay(&environment(&[("CERTCTL_LISTEN", "[::1]:2"), ("OTHER", "x")])).unwrap();
    let valid = config.validate().unwrap();
    assert_eq!(valid.listen, Listen { host: "::1".into(), port: 2 });
    assert_eq!(valid.database_connections, 4);
}

#[test]
fn a_file_may_say_everything() {
    let text = r#"
        data_dir = "/var/lib/certctl"
        listen = "0.0.0.0:8443"
        server_names = ["certctl.example"]
        agent_auth = "shared"
        api_keys_named = "anna:a-long-key:admin, agent-7:another-key:agent"
        log_format = "json"
        [database]
        url = "sqlite:/var/lib/certctl/other.db"
        [egress]
        allow = ["127.0.0.0/8", "::1"]
        [[notifier]]
        name = "hook"
        kind = "Webhook"
        config = { url = "https://hooks.example/x" }
    "#;
    let valid = Config::parse(text).unwrap().validate().unwrap();
    assert_eq!(valid.database_url, "sqlite:/var/lib/certctl/other.db");
    assert_eq!(
        valid.keys.iter().map(|key| (key.name.as_str(), key.role)).collect::<Vec<_>>(),
        [("anna", Role::Admin), ("agent-7", Role::Agent)]
    );
    assert_eq!(valid.egress.allow.len(), 2);
    assert_eq!(valid.notifiers[0].config["url"], "https://hooks.example/x");
    assert_eq!((valid.agent_auth, valid.log_format), (AgentAuth::Shared, LogFormat::Json));
}

#[test]
fn an_unknown_key_of_the_file_is_an_error() {
    let error = Config::parse("lisen = \"127.0.0.1:1\"").unwrap_err();
    assert!(error.contains("lisen") && error.contains("listen"), "{error}");
    assert!(Config::parse("[[notifier]]\nname = \"x\"\nkind = \"Webhook\"\nurl = \"y\"").is_err());
}

#[test]
fn an_unknown_variable_is_an_error_that_names_the_nearest() {
    let error = check_names(&environment(&[("CERTCTL_DATABSE_URL", "x")])).unwrap_err().to_string();
    assert!(error.contains("CERTCTL_DATABSE_URL") && error.contains("did you mean CERTCTL_DATABASE_URL?"), "{error}");
    assert!(check_names(&environment(&[("CERTCTL_ZZZ", "1")])).is_err());
}

#[test]
fn a_variable_of_the_predecessor_warns_and_names_the_replacement() {
    let warnings = check_names(&environment(&[("CERTCTL_SERVER_PORT", "1"), ("CERTCTL_VAULT_ADDR", "x")])).unwrap();
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].contains("CERTCTL_SERVER_PORT") && warnings[0].contains("CERTCTL_LISTEN"), "{warnings:?}");
}

#[test]
fn every_variable_has_one_meaning() {
    let mut names: Vec<&str> = settings::all().map(|setting| setting.variable).collect();
    names.extend(CLIENT_VARIABLES.iter().map(|variable| variable.name));
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len());
    for name in names {
        assert_eq!(obsolete::advice(name), None, "{name} is in use and obsolete at once");
    }
}

#[test]
fn bad_values_are_errors_that_name_the_setting() {
    for (pairs, expected) in [
        (&[("CERTCTL_LISTEN", "8443")][..], "HOST:PORT"),
        (&[("CERTCTL_LISTEN", "::1:8443")], "HOST:PORT"),
        (&[("CERTCTL_INSECURE_HTTP", "maybe")], "CERTCTL_INSECURE_HTTP"),
        (&[("CERTCTL_INSECURE_HTTP", "true"), ("CERTCTL_LISTEN", "0.0.0.0:80")], "plain HTTP"),
        (&[("CERTCTL_AUTH_TYPE", "none"), ("CERTCTL_LISTEN", "0.0.0.0:8443")], "administrator"),
        (&[("CERTCTL_AUTH_TYPE", "jwt")], "api-key, none"),
        (&[("CERTCTL_AGENT_AUTH", "both")], "own, shared"),
        (&[("CERTCTL_DATABASE_MAX_CONNS", "many")], "whole number"),
        (&[("CERTCTL_DATABASE_MAX_CONNS", "0")], "1 to 1000"),
        (&[("CERTCTL_DATABASE_URL", "postgres://db/certctl")], "CERTCTL_CONFIG_ENCRYPTION_KEY"),
        (&[("CERTCTL_CONFIG_ENCRYPTION_KEY", "short")], "16 characters"),
        (&[("CERTCTL_EGRESS_ALLOW", "10.0.0.0/8,nonsense")], "nonsense"),
        (&[("CERTCTL_EGRESS_RESOLVER", "192.0.2.53,dns.example")], "dns.example"),
        (&[("CERTCTL_WEBHOOK_SECRET", "0123456789abcdef")], "CERTCTL_WEBHOOK_URL"),
        (&[("CERTCTL_SLACK_CHANNEL", "#a")], "CERTCTL_SLACK_WEBHOOK_URL"),
        (&[("CERTCTL_PAGERDUTY_SEVERITY", "error")], "CERTCTL_PAGERDUTY_ROUTING_KEY"),
        (&[("CERTCTL_OPSGENIE_PRIORITY", "P1")], "CERTCTL_OPSGENIE_API_KEY"),
        (&[("CERTCTL_SMTP_HOST", "mail.example")], "CERTCTL_SMTP_FROM_ADDRESS"),
        (&[("CERTCTL_SMTP_PORT", "many")], "port"),
        (&[("CERTCTL_SMTP_USE_TLS", "perhaps")], "CERTCTL_SMTP_USE_TLS"),
        (&[("CERTCTL_LOG_FORMAT", "xml")], "text, json"),
        (&[("CERTCTL_RATE_LIMIT_ENABLED", "perhaps")], "CERTCTL_RATE_LIMIT_ENABLED"),
        (&[("CERTCTL_RATE_LIMIT_RPS", "0")], "rate_limit.enabled"),
        (&[("CERTCTL_RATE_LIMIT_BURST", "-1")], "whole number"),
        (&[("CERTCTL_CORS_ORIGINS", "console.example")], "no origin"),
        (&[("CERTCTL_OCSP_RATE_LIMIT_PER_IP_MIN", "-1")], "whole number"),
        (&[("CERTCTL_OCSP_RESPONDER_VALIDITY", "1h")], "two hours"),
        (&[("CERTCTL_OCSP_RESPONDER_VALIDITY", "366d")], "8760h"),
        (&[("CERTCTL_OCSP_RESPONDER_ROTATION_GRACE", "16d")], "half of ocsp.responder_validity"),
        (&[("CERTCTL_CORS_ORIGINS", "https://console.example/x")], "no origin"),
    ] {
        let error = refusal(pairs);
        assert!(error.contains(expected), "{pairs:?}: {error}");
    }
}

#[test]
fn limits_and_origins_are_what_the_variables_say() {
    let config = from_environment(&[
        ("CERTCTL_RATE_LIMIT_RPS", "7"),
        ("CERTCTL_RATE_LIMIT_BURST", "9"),
        ("CERTCTL_CORS_ORIGINS", "https://a.example, http://localhost:3000"),
    ]);
    let config = config.unwrap();
    assert_eq!(config.rate_limit, Some(RateLimit { per_second: 7, burst: 9 }));
    assert_eq!(config.origins, Origins::These(vec!["https://a.example".into(), "http://localhost:3000".into()]));
    assert_eq!(from_environment(&[("CERTCTL_RATE_LIMIT_ENABLED", "no")]).unwrap().rate_limit, None);
    assert_eq!(from_environment(&[("CERTCTL_CORS_ORIGINS", "https://a.example,*")]).unwrap().origins, Origins::Any);
}

#[test]
fn responders_live_as_long_as_is_said() {
    let config = from_environment(&[]).unwrap();
    assert_eq!((config.ocsp_per_minute, config.cadence.ocsp), (None, OcspCadence::default()));
    let config =
        from_environment(&[("CERTCTL_OCSP_RATE_LIMIT_PER_IP_MIN", "1000"), ("CERTCTL_OCSP_RESPONDER_VALIDITY", "10d")]);
    let config = config.unwrap();
    let days = |count: u64| Duration::from_secs(count * 86_400);
    assert_eq!(config.ocsp_per_minute, Some(1_000));
    assert_eq!((config.cadence.ocsp.responder_validity, config.cadence.ocsp.rotation_grace), (days(10), days(5)));
}

#[test]
fn a_wrong_key_is_told_without_showing_any() {
    for (text, expected) in [
        ("anna", "entry 1"),
        ("anna:geheim:root", "entry 1 does not end in a role (admin, "),
        // The rest of a key with a colon in it is no role, and no name is known to be one.
        ("anna:sehr:geheim", "entry 1 does not end in a role"),
        ("geheim:anna:root", "choose a key without `:`"),
        ("anna:geheim:admin,anna:geheim2", "entries 1 and 2 have the same name"),
        ("x:y,a:geheim:admin:more", "entry 2"),
        (":geheim", "empty name"),
        // A key with a comma in it: its second half would be a name, and `admin` everybody's key.
        ("anna:sehr,geheim:admin", "entry 2 has the name of a role"),
        ("a:b,geheim:c,geheim:d", "entries 2 and 3"),
    ] {
        let error = refusal(&[("CERTCTL_API_KEYS_NAMED", text)]);
        assert!(error.contains(expected) && !error.contains("geheim"), "{text}: {error}");
    }
}

#[test]
fn a_mistake_in_the_file_is_told_without_showing_its_line() {
    for (text, expected) in [
        ("auth_secret = geheim4711", "line 1: "),
        ("listen = \"127.0.0.1:1\"\nauth_secret = \"geheim4711", "line 2: "),
        ("api_keys_named = [\"anna:geheim4711:admin\"]", "a secret must be a text in quotes"),
        ("\nencryption_key = 4711", "line 2: a secret must be a text in quotes"),
        ("[database]\nurl = { geheim4711 = 1 }", "line 2: a secret must be a text in quotes"),
    ] {
        let error = Config::parse(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(!error.contains("geheim") && !error.contains("4711"), "{text}: {error}");
    }
}

#[test]
fn a_key_without_a_role_is_an_operators_and_secrets_are_administrators() {
    let config =
        from_environment(&[("CERTCTL_API_KEYS_NAMED", "bob:12345678"), ("CERTCTL_AUTH_SECRET", "k1, k2")]).unwrap();
    let keys: Vec<_> = config.keys.iter().map(|key| (key.name.as_str(), key.key.expose(), key.role)).collect();
    assert_eq!(keys, [("bob", "12345678", Role::Operator), ("env-1", "k1", Role::Admin), ("env-2", "k2", Role::Admin)]);
}

#[test]
fn the_variables_of_a_kind_make_one_notifier_of_it() {
    let made = |pairs: &[(&str, &str)]| {
        let notifiers = from_environment(pairs).unwrap().notifiers;
        notifiers.into_iter().map(|made| (made.name, made.kind, made.config)).collect::<Vec<_>>()
    };
    for (pairs, name, kind, config) in [
        (
            &[("CERTCTL_WEBHOOK_URL", "https://hooks.example"), ("CERTCTL_WEBHOOK_SECRET", "0123456789abcdef")][..],
            "webhook",
            "Webhook",
            json!({"url": "https://hooks.example", "secret": "0123456789abcdef"}),
        ),
        (
            &[
                ("CERTCTL_SLACK_WEBHOOK_URL", "https://s"),
                ("CERTCTL_SLACK_CHANNEL", "#a"),
                ("CERTCTL_SLACK_USERNAME", "b"),
            ],
            "slack",
            "Slack",
            json!({"webhook_url": "https://s", "channel": "#a", "username": "b"}),
        ),
        (&[("CERTCTL_TEAMS_WEBHOOK_URL", "https://t")], "teams", "Teams", json!({"webhook_url": "https://t"})),
        (
            &[("CERTCTL_PAGERDUTY_ROUTING_KEY", "k"), ("CERTCTL_PAGERDUTY_SEVERITY", "error")],
            "pagerduty",
            "PagerDuty",
            json!({"routing_key": "k", "severity": "error"}),
        ),
        (
            &[("CERTCTL_OPSGENIE_API_KEY", "k"), ("CERTCTL_OPSGENIE_PRIORITY", "P1")],
            "opsgenie",
            "OpsGenie",
            json!({"api_key": "k", "priority": "P1"}),
        ),
        (
            &[
                ("CERTCTL_SMTP_HOST", "m"),
                ("CERTCTL_SMTP_PORT", "465"),
                ("CERTCTL_SMTP_USERNAME", "u"),
                ("CERTCTL_SMTP_PASSWORD", "p"),
                ("CERTCTL_SMTP_FROM_ADDRESS", "a@b.example"),
                ("CERTCTL_SMTP_USE_TLS", "true"),
            ],
            "email",
            "Email",
            json!({"smtp_host": "m", "smtp_port": 465, "username": "u", "password": "p", "from_address": "a@b.example"}),
        ),
        (
            &[
                ("CERTCTL_SMTP_HOST", "m"),
                ("CERTCTL_SMTP_FROM_ADDRESS", "a@b.example"),
                ("CERTCTL_SMTP_USE_TLS", "false"),
            ],
            "email",
            "Email",
            json!({"smtp_host": "m", "from_address": "a@b.example", "encryption": "none"}),
        ),
    ] {
        assert_eq!(made(pairs), [(name.to_owned(), kind.to_owned(), config.clone())]);
        let entry = certctl_connectors::registry();
        entry.find_notifier(kind).unwrap().validate(&config).unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
}

#[test]
fn routes_lead_to_notifiers_that_there_are() {
    let file = |route: &str| {
        let text = format!("[[notifier]]\nname = \"hook\"\nkind = \"Webhook\"\n[[route]]\n{route}\n");
        Config::parse(&text).and_then(|config| config.validate().map_err(|error| error.to_string()))
    };
    let events = "events = [\"RenewalFailure\"]\nseverities = [\"critical\", \"warning\"]\nnotifiers = [\"hook\"]";
    let route = Route {
        events: vec![NotificationType::RenewalFailure],
        severities: vec![Severity::Critical, Severity::Warning],
        notifiers: vec!["hook".to_owned()],
    };
    assert_eq!(file(events).unwrap().routes, [route]);
    for (route, expected) in [
        ("notifiers = [\"hok\"]", "did you mean `hook`?"),
        ("events = [\"RenewalFailure\"]", "name at least one"),
        ("events = [\"RenewalFailed\"]\nnotifiers = [\"hook\"]", "RenewalFailure"),
        ("severities = [\"bad\"]\nnotifiers = [\"hook\"]", "informational"),
        ("notifier = [\"hook\"]", "notifiers"),
    ] {
        let error = file(route).unwrap_err();
        assert!(error.contains(expected), "{route}: {error}");
    }
}

#[test]
fn the_times_of_loops_have_a_unit_and_bounds() {
    let cadence = |name: &str, text: &str| from_environment(&[(name, text)]).map(|config| config.cadence);
    let renewals = |text| cadence("CERTCTL_SCHEDULER_RENEWAL_CHECK_INTERVAL", text);
    for (text, seconds) in [("90s", 90), ("2m", 120), (" 1h ", 3_600), ("24h", 86_400)] {
        assert_eq!(renewals(text).unwrap().renewal_check.as_secs(), seconds, "{text}");
    }
    for text in ["0s", "25h", "2", "m", "2 days", "-1m", "99999999999999999999s", "2m30s", "1.5h"] {
        let error = renewals(text).unwrap_err();
        assert!(error.contains("loops.renewal_check") && error.contains("2m"), "{text}: {error}");
    }
    let retry = cadence("CERTCTL_NOTIFICATION_RETRY_INTERVAL", "5m").unwrap();
    assert_eq!(retry.notification_retry.as_secs(), 300);
    let waits = cadence("CERTCTL_JOB_AWAITING_APPROVAL_TIMEOUT", "200h").unwrap();
    assert_eq!(waits.awaiting_approval.as_secs(), 720_000);
}

#[test]
fn the_digest_is_off_unless_it_is_turned_on() {
    let digest = |pairs: &[(&str, &str)]| from_environment(pairs).map(|config| config.digest);
    assert_eq!(digest(&[("CERTCTL_DIGEST_INTERVAL", "1h")]), Ok(None));
    assert_eq!(digest(&[("CERTCTL_DIGEST_ENABLED", "true")]), Ok(Some(DigestConfig::default())));
    let all = digest(&[
        ("CERTCTL_DIGEST_ENABLED", "true"),
        ("CERTCTL_DIGEST_INTERVAL", "1h30m"),
        ("CERTCTL_DIGEST_RECIPIENTS", "a@example.com, b@example.com"),
    ]);
    let expected = DigestConfig {
        interval: Duration::from_secs(5_400),
        recipients: vec!["a@example.com".into(), "b@example.com".into()],
        notifier: None,
    };
    assert_eq!(all, Ok(Some(expected)));
    for interval in ["", "h", "24", "1d", "59s", "-1h", "1h-", "99999999999999999999h", "8785h", "ü"] {
        let file = format!("[digest]\ninterval = \"{interval}\"");
        let error = Config::parse(&file).unwrap().validate().unwrap_err().to_string();
        assert!(error.contains("digest.interval"), "{interval}: {error}");
    }
}
