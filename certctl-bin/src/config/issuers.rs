//! `[issuers]`: what connectors of issuers may do on this host, and issuers that variables make.

use std::collections::BTreeMap;

use certctl_core::domain::IssuerId;
use certctl_core::engine::IssuerConfig;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::ConfigError;
use super::settings::{Setting, boolean, list};
use super::valid::Listen;

/// `[issuers]`, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Issuers {
    pub(crate) programs: Option<Vec<String>>,
    pub(crate) acme_http_listen: Option<String>,
    /// Issuers that variables make.
    #[serde(skip)]
    pub(crate) made: Made,
}

/// What the variables say, by the kind of issuer.
#[derive(Default)]
pub(crate) struct Made(BTreeMap<&'static str, Map<String, Value>>);

/// Variables, each with the member of the configuration that it sets.
type Needed = &'static [(&'static str, &'static str)];

/// The kinds that variables can make: what such an issuer is called, and what there must be when there is any of its variables.
const KINDS: [(&str, &str, Needed); 2] = [
    ("ACME", "iss-acme", &[("ACME_DIRECTORY_URL", "directory_url"), ("ACME_EMAIL", "email")]),
    ("OpenSSL", "iss-openssl", &[("OPENSSL_SIGN_SCRIPT", "sign_script")]),
];

/// A member of the configuration of an issuer.
macro_rules! of_issuer {
    ($variable:literal, $kind:literal, $member:literal, $default:literal, $meaning:literal) => {
        of_issuer!($variable, $kind, $member, $default, $meaning, |value| Ok(Value::from(value)))
    };
    ($variable:literal, $kind:literal, $member:literal, $default:literal, $meaning:literal, $read:expr) => {
        Setting {
            key: "",
            variable: $variable,
            flag: "",
            default: $default,
            meaning: $meaning,
            set: |config, value| {
                let read: fn(&str) -> Result<Value, String> = $read;
                config.issuers.made.set($kind, $member, read(value)?);
                Ok(())
            },
        }
    };
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "issuers.programs",
        variable: "ISSUER_PROGRAMS",
        flag: "",
        default: "none",
        meaning: "The programs that connectors may run on this host, each by its whole path: those that make DNS records for ACME, \
                  and those of a CA behind a program. Whoever configures an issuer cannot have others run. In the variable separated \
                  by commas.",
        set: |config, value| {
            config.issuers.programs = Some(list(value));
            Ok(())
        },
    },
    Setting {
        key: "issuers.acme_http_listen",
        variable: "ACME_HTTP_LISTEN",
        flag: "",
        default: "none",
        meaning: "HOST:PORT on which answers to the http-01 challenges of ACME CAs are given over plain HTTP, and nothing else, such as \
                  `0.0.0.0:80`. The server's own listener gives them as well.",
        set: |config, value| {
            config.issuers.acme_http_listen = Some(value.into());
            Ok(())
        },
    },
    of_issuer!(
        "ACME_DIRECTORY_URL",
        "ACME",
        "directory_url",
        "none",
        "Makes, at the first start, an issuer `iss-acme` of kind `ACME`, with this directory. Afterwards it is changed over the API."
    ),
    of_issuer!("ACME_EMAIL", "ACME", "email", "none", "Whom that CA writes to; needed for it."),
    of_issuer!("ACME_CHALLENGE_TYPE", "ACME", "challenge_type", "`http-01`", "How it is shown that names are ours."),
    of_issuer!("ACME_DNS_PRESENT_SCRIPT", "ACME", "dns_present_script", "none", "The program that makes a TXT record."),
    of_issuer!("ACME_DNS_CLEANUP_SCRIPT", "ACME", "dns_cleanup_script", "none", "The program that takes it away."),
    of_issuer!(
        "ACME_DNS_PERSIST_ISSUER_DOMAIN",
        "ACME",
        "dns_persist_issuer_domain",
        "none",
        "The name of the CA in standing records."
    ),
    of_issuer!("ACME_PROFILE", "ACME", "profile", "none", "The CA's profile to order by."),
    of_issuer!(
        "ACME_ARI_ENABLED",
        "ACME",
        "ari_enabled",
        "`false`",
        "Whether that CA is asked when to renew.",
        |value| boolean(value).map(Value::from)
    ),
    of_issuer!(
        "ACME_INSECURE",
        "ACME",
        "insecure",
        "`false`",
        "`true` is refused: the CA's root belongs into `roots_pem`.",
        |value| boolean(value).map(Value::from)
    ),
    of_issuer!(
        "OPENSSL_SIGN_SCRIPT",
        "OpenSSL",
        "sign_script",
        "none",
        "Makes, at the first start, an issuer `iss-openssl` of kind `OpenSSL`, with this program."
    ),
    of_issuer!("OPENSSL_REVOKE_SCRIPT", "OpenSSL", "revoke_script", "none", "Its program that revokes."),
];

impl Made {
    fn set(&mut self, kind: &'static str, member: &str, value: Value) {
        self.0.entry(kind).or_default().insert(member.to_owned(), value);
    }

    fn issuers(self) -> Result<Vec<IssuerConfig>, ConfigError> {
        let mut variables = self.0;
        let mut issuers = Vec::new();
        for (kind, id, mandatory) in KINDS {
            let Some(config) = variables.remove(kind) else { continue };
            if let Some((missing, _)) = mandatory.iter().find(|(_, member)| !config.contains_key(*member)) {
                let reason = format!("other variables of the issuer `{id}` are set and need it; set it or unset them");
                return Err(ConfigError::value(format!("CERTCTL_{missing}"), reason));
            }
            let id = IssuerId::parse(id).map_err(|error| ConfigError::value("issuers", error.to_string()))?;
            issuers.push(IssuerConfig { id, kind: kind.to_owned(), config: Value::Object(config) });
        }
        Ok(issuers)
    }
}

impl std::fmt::Debug for Made {
    /// Only the kinds: among the values are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// `[issuers]`, checked.
#[derive(Debug)]
pub(crate) struct ValidIssuers {
    pub(crate) programs: Vec<String>,
    pub(crate) acme_http_listen: Option<Listen>,
    pub(crate) made: Vec<IssuerConfig>,
}

impl Issuers {
    /// Checks it. What the kinds want is checked when the engine is built.
    pub(super) fn validate(self) -> Result<ValidIssuers, ConfigError> {
        let programs = self.programs.unwrap_or_default();
        if let Some(program) = programs.iter().find(|program| !program.starts_with('/')) {
            let reason = format!("`{program}` is no whole path, such as /usr/local/bin/sign");
            return Err(ConfigError::value("issuers.programs", reason));
        }
        let listen =
            self.acme_http_listen.as_deref().filter(|text| !text.trim().is_empty()).map(Listen::parse).transpose();
        let acme_http_listen = listen.map_err(|reason| ConfigError::value("issuers.acme_http_listen", reason))?;
        Ok(ValidIssuers { programs, acme_http_listen, made: self.made.issuers()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_make_an_issuer_when_all_that_it_needs_is_there() {
        let mut made = Made::default();
        made.set("ACME", "directory_url", "https://ca.example/directory".into());
        let missing = Issuers { made, ..Issuers::default() }.validate().unwrap_err().to_string();
        assert!(missing.contains("CERTCTL_ACME_EMAIL"), "{missing}");
        let mut made = Made::default();
        made.set("ACME", "directory_url", "https://ca.example/directory".into());
        made.set("ACME", "email", "ops@example.com".into());
        made.set("OpenSSL", "sign_script", "/usr/local/bin/sign".into());
        let valid = Issuers { made, ..Issuers::default() }.validate().unwrap();
        let ids: Vec<&str> = valid.made.iter().map(|issuer| issuer.id.as_str()).collect();
        assert_eq!(ids, ["iss-acme", "iss-openssl"]);
        assert!(valid.programs.is_empty() && valid.acme_http_listen.is_none());
    }

    #[test]
    fn programs_are_whole_paths_and_listeners_have_a_port() {
        let of = |program: &str| Issuers { programs: Some(vec![program.into()]), ..Issuers::default() }.validate();
        assert!(of("/bin/sign").is_ok() && of("sign").is_err() && of("").is_err());
        let on = |listen: &str| Issuers { acme_http_listen: Some(listen.into()), ..Issuers::default() }.validate();
        assert!(on("0.0.0.0:80").is_ok() && on("80").is_err());
    }
}
