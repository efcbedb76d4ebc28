//! Variables that the predecessor read and this server has no use for: they warn rather than stop, because an environment
//! that is carried over holds many of them.

/// What to do instead, when the predecessor knew the variable. Without `CERTCTL_`.
pub(super) fn advice(name: &str) -> Option<&'static str> {
    let exact = EXACT.iter().find(|(known, _)| *known == name);
    let prefixed = || PREFIXES.iter().find(|(prefix, _)| name.starts_with(prefix));
    exact.or_else(prefixed).map(|(_, advice)| *advice)
}

const NOT_YET: &str = "this version does not have that feature; unset it";
const CONSTANT: &str = "the interval is the engine's own; unset it";
const ISSUER: &str =
    "this version makes no such issuer of variables: issuers are made by the API or `certctl issuers`; unset it";

const ACME: &str = "it is a member of the configuration of the issuer, over the API or `certctl issuers`; unset it";

const EXACT: &[(&str, &str)] = &[
    (
        "AGENT_BOOTSTRAP_TOKEN",
        "agents enrol with a token of `certctl agents enrol-token`: set CERTCTL_ENROL_TOKEN on the agent",
    ),
    ("AGENT_BOOTSTRAP_TOKEN_DENY_EMPTY", "agents always need a token or a key; unset it"),
    ("BOOTSTRAP_TOKEN", "the first start writes a setup token to DIR/setup-token; unset it"),
    ("CA_CERT_PATH", "a subordinate CA is an issuer of kind GenericCA with `ca_cert_pem` in its configuration"),
    ("CA_KEY_PATH", "a subordinate CA is an issuer of kind GenericCA with `ca_key_pem` in its configuration"),
    ("DATABASE_MIGRATIONS_PATH", "migrations are part of the program: run `certctl migrate`"),
    ("DB_URL", "use CERTCTL_DATABASE_URL"),
    ("DEMO_SEED", "use `certctl demo`"),
    ("KEYGEN_MODE", "keys are always made by agents, or by whoever sends a request of their own; unset it"),
    ("MAX_BODY_SIZE", "the limit is 1 MiB; unset it"),
    ("MIGRATIONS_VIA_HOOK", "run `certctl migrate` before the server"),
    ("SERVER_HOST", "use CERTCTL_LISTEN=HOST:PORT"),
    ("SERVER_PORT", "use CERTCTL_LISTEN=HOST:PORT"),
    ("SERVER_TLS_CERT_PATH", "the server certifies itself: its names are CERTCTL_SERVER_NAMES, its root is DIR/ca.pem"),
    ("SERVER_TLS_KEY_PATH", "the server keeps its own key in its data directory; unset it"),
    (
        "SERVER_TLS_INSECURE_SKIP_VERIFY",
        "give agents and clients the server's root with --ca; there is no way around it",
    ),
    ("VERIFY_DELAY", "each target's own configuration says it; unset it"),
    ("VERIFY_DEPLOYMENT", "each target's own configuration says it; unset it"),
    ("VERIFY_TIMEOUT", "each target's own configuration says it; unset it"),
    ("DEPLOY_BACKUP_RETENTION", CONSTANT),
    ("RENEWAL_CONCURRENCY", CONSTANT),
    ("OCSP_RESPONDER_KEY_DIR", "keys of OCSP responders are kept in the database, sealed; unset it"),
    (
        "SCHEDULER_RETRY_INTERVAL",
        "a failed job is tried again at its own moment, which its renewal policy decides; unset it",
    ),
    ("BLOCK_RFC1918_OUTBOUND", "the egress guard always runs; see `egress.allow`"),
    ("TRUSTED_PROXIES", NOT_YET),
    ("APPROVAL_BYPASS", NOT_YET),
    ("K8SSECRET_PREVIEW_ACK", NOT_YET),
    ("K8S_DEPLOY_KUBELET_SYNC_TIMEOUT", NOT_YET),
    ("CERT_EXPORT_RATE_LIMIT_PER_ACTOR_HR", NOT_YET),
    ("ASYNC_POLL_MAX_WAIT_SECONDS", ISSUER),
    ("ZEROSSL_EAB_URL", ACME),
];

const PREFIXES: &[(&str, &str)] = &[
    ("RATE_LIMIT_BACKEND", "buckets are kept in memory, per server; unset it"),
    ("RATE_LIMIT_BUCKET_", "buckets are forgotten when there are too many of them; unset it"),
    ("RATE_LIMIT_JANITOR_", "buckets are forgotten when there are too many of them; unset it"),
    ("RATE_LIMIT_PER_USER_", "the limit is per key: CERTCTL_RATE_LIMIT_RPS and CERTCTL_RATE_LIMIT_BURST"),
    ("ACME_EAB_", ACME),
    ("ACME_HTTP_PORT", ACME),
    ("ACME_DNS_PROPAGATION_", ACME),
    ("ACME_ZEROSSL_", ACME),
    ("STEPCA_", ISSUER),
    ("OPENSSL_CRL_", "revocation lists of a CA behind a program are its own to publish; unset it"),
    (
        "OPENSSL_TIMEOUT_",
        "it is `timeout_seconds` in the configuration of the issuer, over the API or `certctl issuers`; unset it",
    ),
    ("VAULT_", ISSUER),
    ("DIGICERT_", ISSUER),
    ("SECTIGO_", ISSUER),
    ("GOOGLE_CAS_", ISSUER),
    ("AWS_PCA_", ISSUER),
    ("ENTRUST_", ISSUER),
    ("GLOBALSIGN_", ISSUER),
    ("EJBCA_", ISSUER),
    ("NETWORK_SCAN_INTERVAL", "each target has its own `scan_interval_hours`; unset it"),
    ("SESSION_", NOT_YET),
    ("BREAKGLASS_", NOT_YET),
    ("BOOTSTRAP_", NOT_YET),
    ("OIDC_", NOT_YET),
    ("AUDIT_", NOT_YET),
    ("USER_RETENTION_", NOT_YET),
    ("DEMO_MODE_", "use `certctl demo`"),
    ("OTEL_", NOT_YET),
];
