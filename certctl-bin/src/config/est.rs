//! `[[est]]`: EST servers (RFC 7030), each at a path of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use certctl_core::domain::{IssuerId, OwnerId, ProfileId, RenewalPolicyId, TeamId};
use certctl_core::enrol::EnrolTerms;
use certctl_core::ports::{Files, Secret};
use certctl_http::{EstAccess, EstProfile, EstTrust, TrustBundle};
use serde::Deserialize;

use super::settings::{Setting, boolean, list, not_a};
use super::{Config, ConfigError, Environment};

/// `[[est]]`, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Table {
    name: Option<String>,
    issuer_id: Option<String>,
    profile_id: Option<String>,
    enrollment_password: Option<Secret>,
    allowed_auth_modes: Option<Vec<String>>,
    mtls_enabled: Option<bool>,
    mtls_client_ca_trust_bundle_path: Option<PathBuf>,
    channel_binding_required: Option<bool>,
    rate_limit_per_principal_24h: Option<u32>,
    serverkeygen_enabled: Option<bool>,
    owner_id: Option<String>,
    team_id: Option<String>,
    renewal_policy_id: Option<String>,
    environment: Option<String>,
    tags: BTreeMap<String, String>,
}

/// What the variables say.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    enabled: bool,
    /// The server without a name.
    unnamed: Table,
    /// Whether anything is said of it.
    said: Option<&'static str>,
    /// The others.
    named: Vec<Table>,
}

/// An EST server that can be opened.
#[derive(Debug)]
pub(crate) struct EstServer {
    at: String,
    profile: EstProfile,
    /// Where the CAs are whose client certificates count.
    bundle: Option<PathBuf>,
}

/// Sets a member from the text of a variable.
type SetMember = fn(&mut Table, &str) -> Result<(), String>;

/// The members that variables have, behind `EST_` or `EST_PROFILE_NAME_`.
const MEMBERS: &[(&str, SetMember)] = &[
    ("ISSUER_ID", |table, value| {
        table.issuer_id = Some(value.into());
        Ok(())
    }),
    ("PROFILE_ID", |table, value| {
        table.profile_id = Some(value.into());
        Ok(())
    }),
    ("ENROLLMENT_PASSWORD", |table, value| {
        table.enrollment_password = Some(Secret::new(value));
        Ok(())
    }),
    ("ALLOWED_AUTH_MODES", |table, value| {
        table.allowed_auth_modes = Some(list(value));
        Ok(())
    }),
    ("MTLS_ENABLED", |table, value| {
        table.mtls_enabled = Some(boolean(value)?);
        Ok(())
    }),
    ("MTLS_CLIENT_CA_TRUST_BUNDLE_PATH", |table, value| {
        table.mtls_client_ca_trust_bundle_path = Some(value.into());
        Ok(())
    }),
    ("CHANNEL_BINDING_REQUIRED", |table, value| {
        table.channel_binding_required = Some(boolean(value)?);
        Ok(())
    }),
    ("RATE_LIMIT_PER_PRINCIPAL_24H", |table, value| {
        table.rate_limit_per_principal_24h = Some(value.trim().parse().map_err(|_| not_a("whole number", value))?);
        Ok(())
    }),
    ("SERVERKEYGEN_ENABLED", |table, value| {
        table.serverkeygen_enabled = Some(boolean(value)?);
        Ok(())
    }),
];

/// A member of the server without a name.
macro_rules! of_unnamed {
    ($variable:literal, $member:literal, $default:literal, $meaning:literal) => {
        Setting {
            key: "",
            variable: $variable,
            flag: "",
            default: $default,
            meaning: $meaning,
            set: |config, value| config.est_variables.set($variable, $member, value),
        }
    };
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "",
        variable: "EST_ENABLED",
        flag: "",
        default: "`false`",
        meaning: "Makes an EST server (RFC 7030) at `/.well-known/est`. It needs a password, client certificates, or both. Several are \
                  `[[est]]` tables, whose members are called as the variables below and which also have `owner_id`, `team_id`, \
                  `renewal_policy_id`, `environment` and `tags`; with a `name` they are at `/.well-known/est/NAME`.",
        set: |config, value| {
            config.est_variables.enabled = boolean(value)?;
            Ok(())
        },
    },
    Setting {
        key: "",
        variable: "EST_PROFILES",
        flag: "",
        default: "none",
        meaning: "Names of further EST servers, separated by commas. Each has variables of its own, such as \
                  `CERTCTL_EST_PROFILE_NAME_ISSUER_ID`, with the name in capitals and `_` for `-` and `.`.",
        // They are read when all variables are known.
        set: |_, _| Ok(()),
    },
    of_unnamed!("EST_ISSUER_ID", "ISSUER_ID", "`iss-local`", "Who issues."),
    of_unnamed!("EST_PROFILE_ID", "PROFILE_ID", "`prof-default`", "What certificates must look like."),
    of_unnamed!(
        "EST_ENROLLMENT_PASSWORD",
        "ENROLLMENT_PASSWORD",
        "none",
        "The password that machines send by HTTP Basic to enrol, of 8 characters or more."
    ),
    of_unnamed!(
        "EST_ALLOWED_AUTH_MODES",
        "ALLOWED_AUTH_MODES",
        "`basic` where there is a password, `mtls` where client certificates count",
        "`basic`, `mtls`, or `basic,mtls` for either; `both` asks for both. A renewal is always proven by the certificate that is renewed."
    ),
    of_unnamed!(
        "EST_MTLS_ENABLED",
        "MTLS_ENABLED",
        "`false`",
        "Whether machines may enrol with a TLS client certificate."
    ),
    of_unnamed!(
        "EST_MTLS_CLIENT_CA_TRUST_BUNDLE_PATH",
        "MTLS_CLIENT_CA_TRUST_BUNDLE_PATH",
        "the server's own issuer, whose certificates count for the names that they have",
        "CAs (PEM) whose client certificates count, for any names that the profile allows."
    ),
    of_unnamed!(
        "EST_CHANNEL_BINDING_REQUIRED",
        "CHANNEL_BINDING_REQUIRED",
        "`false`",
        "Whether requests must be bound to their TLS connection (RFC 9266)."
    ),
    of_unnamed!(
        "EST_RATE_LIMIT_PER_PRINCIPAL_24H",
        "RATE_LIMIT_PER_PRINCIPAL_24H",
        "no limit",
        "How many certificates one machine may ask for in 24 hours."
    ),
    of_unnamed!(
        "EST_SERVERKEYGEN_ENABLED",
        "SERVERKEYGEN_ENABLED",
        "`false`",
        "Whether keys are made for machines that ask for one; each is handed out once, encrypted, and kept nowhere."
    ),
];

impl Variables {
    fn set(&mut self, variable: &'static str, member: &str, value: &str) -> Result<(), String> {
        self.said = Some(variable);
        let set = MEMBERS.iter().find(|(known, _)| *known == member);
        set.map_or(Ok(()), |(_, set)| set(&mut self.unnamed, value))
    }

    /// Reads the variables of named servers.
    pub(super) fn read_named(&mut self, environment: &Environment) -> Result<(), ConfigError> {
        for name in environment.list("EST_PROFILES") {
            let mut table = Table { name: Some(name.clone()), ..Table::default() };
            for (member, set) in MEMBERS {
                let variable = format!("{}{member}", prefix(&name));
                if let Some(value) = environment.get(&variable) {
                    set(&mut table, value)
                        .map_err(|reason| ConfigError::value(format!("CERTCTL_{variable}"), reason))?;
                }
            }
            self.named.push(table);
        }
        Ok(())
    }
}

/// `a-b` → `EST_PROFILE_A_B_`.
fn prefix(name: &str) -> String {
    let capitals: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("EST_PROFILE_{capitals}_")
}

/// Whether a variable is one of a named server.
pub(super) fn knows(environment: &Environment, variable: &str) -> bool {
    environment.list("EST_PROFILES").any(|name| {
        let member = variable.strip_prefix(&prefix(&name));
        member.is_some_and(|member| MEMBERS.iter().any(|(known, _)| *known == member))
    })
}

impl Config {
    /// The EST servers of file and variables.
    pub(super) fn est_servers(
        tables: Vec<Table>,
        variables: Variables,
        over_tls: bool,
    ) -> Result<Vec<EstServer>, ConfigError> {
        let Variables { enabled, unnamed, said, named } = variables;
        if let (false, Some(variable)) = (enabled, said) {
            let reason = "it is about an EST server that there is not; set CERTCTL_EST_ENABLED=true, or unset it";
            return Err(ConfigError::value(format!("CERTCTL_{variable}"), reason));
        }
        let mut servers: Vec<EstServer> = Vec::new();
        for table in tables.into_iter().chain(enabled.then_some(unnamed)).chain(named) {
            let server = table.checked(over_tls)?;
            if servers.iter().any(|other| other.profile.name == server.profile.name) {
                let reason = "two EST servers have the same path; give each its own name";
                return Err(ConfigError::value(server.at, reason));
            }
            servers.push(server);
        }
        Ok(servers)
    }
}

impl Table {
    /// Checks it. Pure: the trust bundle is read when the server is opened.
    fn checked(self, over_tls: bool) -> Result<EstServer, ConfigError> {
        let at = self.name.as_deref().map_or_else(|| "est".to_owned(), |name| format!("est.{}", shown(name)));
        let wrong = |member: &str, reason: &str| Err(ConfigError::value(format!("{at}.{member}"), reason));
        if self.name.as_deref().is_some_and(|name| !EstProfile::is_label(name)) {
            let reason =
                "a name has 1 to 64 of the characters A-Z a-z 0-9 . _ -, and is none of an operation, nor `default`";
            return wrong("name", reason);
        }
        if self.enrollment_password.as_ref().is_some_and(|password| password.expose().len() < 8) {
            return wrong("enrollment_password", "shorter than 8 characters; use a longer one");
        }
        if self.rate_limit_per_principal_24h == Some(0) {
            return wrong("rate_limit_per_principal_24h", "must be 1 or more; leave it out to have no limit");
        }
        let access = self.access(&at)?;
        let by_certificate = !matches!(access, EstAccess::Password(_));
        let needs_tls = matches!(access, EstAccess::Certificate(_) | EstAccess::Both(..));
        if !over_tls && (needs_tls || self.channel_binding_required == Some(true)) {
            return wrong("mtls_enabled", "client certificates and channel binding need TLS; leave out insecure_http");
        }
        if self.mtls_client_ca_trust_bundle_path.is_some() && !by_certificate {
            return wrong(
                "mtls_client_ca_trust_bundle_path",
                "it is for client certificates; set mtls_enabled, or leave it out",
            );
        }
        let id = |member: &str, text: Option<String>| Id { at: format!("{at}.{member}"), text };
        let terms = EnrolTerms {
            issuer_id: id("issuer_id", self.issuer_id).parsed::<IssuerId>()?.unwrap_or_default(),
            profile_id: id("profile_id", self.profile_id).parsed::<ProfileId>()?,
            owner_id: id("owner_id", self.owner_id).parsed::<OwnerId>()?.unwrap_or_default(),
            team_id: id("team_id", self.team_id).parsed::<TeamId>()?.unwrap_or_default(),
            renewal_policy_id: id("renewal_policy_id", self.renewal_policy_id)
                .parsed::<RenewalPolicyId>()?
                .unwrap_or_default(),
            environment: self.environment.unwrap_or_default(),
            tags: self.tags,
        };
        let profile = EstProfile {
            name: self.name,
            terms,
            access,
            channel_binding_required: self.channel_binding_required.unwrap_or(false),
            per_day: self.rate_limit_per_principal_24h,
            server_keygen: self.serverkeygen_enabled.unwrap_or(false),
        };
        Ok(EstServer { at, profile, bundle: self.mtls_client_ca_trust_bundle_path })
    }

    /// How machines prove who they are. A server that lets in everybody cannot be written.
    fn access(&self, at: &str) -> Result<EstAccess, ConfigError> {
        let wrong = |member: &str, reason: String| Err(ConfigError::value(format!("{at}.{member}"), reason));
        let (password, mtls) = (self.enrollment_password.clone(), self.mtls_enabled);
        let (mut basic, mut certificate, mut both) = (password.is_some(), mtls.unwrap_or(false), false);
        if let Some(modes) = &self.allowed_auth_modes {
            (basic, certificate) = (false, false);
            for mode in modes {
                match mode.to_ascii_lowercase().as_str() {
                    "basic" => basic = true,
                    "mtls" => certificate = true,
                    "both" => (basic, certificate, both) = (true, true, true),
                    _ => {
                        let reason = format!("`{}` is not one of basic, mtls, both", shown(mode));
                        return wrong("allowed_auth_modes", reason);
                    }
                }
            }
        }
        if basic && password.is_none() {
            return wrong("enrollment_password", "allowed_auth_modes asks for a password; set one".to_owned());
        }
        if certificate && mtls == Some(false) {
            return wrong("mtls_enabled", "allowed_auth_modes asks for client certificates; set it to true".to_owned());
        }
        if !certificate && mtls == Some(true) {
            return wrong("allowed_auth_modes", "mtls_enabled is true, so name mtls or both".to_owned());
        }
        if !basic && password.is_some() {
            return wrong("allowed_auth_modes", "there is a password, so name basic or both".to_owned());
        }
        match (password, certificate) {
            (Some(password), true) if both => Ok(EstAccess::Both(password, EstTrust::Issuer)),
            (Some(password), true) => Ok(EstAccess::Either(password, EstTrust::Issuer)),
            (Some(password), false) => Ok(EstAccess::Password(password)),
            (None, true) => Ok(EstAccess::Certificate(EstTrust::Issuer)),
            (None, false) => {
                let reason = "nobody enrols without a credential; set a password, or mtls_enabled = true".to_owned();
                wrong("enrollment_password", reason)
            }
        }
    }
}

/// An id that may be written.
struct Id {
    at: String,
    text: Option<String>,
}

impl Id {
    fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(self) -> Result<Option<T>, ConfigError> {
        let parsed = self.text.as_deref().map(str::parse).transpose();
        parsed.map_err(|error: T::Err| ConfigError::value(self.at, error.to_string()))
    }
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

impl EstServer {
    /// Reads the trust bundle, if there is one.
    ///
    /// # Errors
    /// When it cannot be read, or holds no certificate.
    pub(crate) async fn open(&self, files: &dyn Files) -> Result<EstProfile, ConfigError> {
        let mut profile = self.profile.clone();
        if let Some(path) = &self.bundle {
            let at = format!("{}.mtls_client_ca_trust_bundle_path", self.at);
            let bundle = TrustBundle::read(path, files).await.map_err(|reason| ConfigError::value(at, reason))?;
            match &mut profile.access {
                EstAccess::Certificate(trust) | EstAccess::Either(_, trust) | EstAccess::Both(_, trust) => {
                    *trust = EstTrust::Bundle(bundle);
                }
                EstAccess::Password(_) => {}
            }
        }
        Ok(profile)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use certctl_core::testing::{MemoryFiles, block_on};

    use super::*;
    use crate::config::check_names;

    fn open(server: &EstServer) -> Result<EstProfile, ConfigError> {
        block_on(server.open(&MemoryFiles::new()))
    }

    fn servers(file: &str, variables: &[(&str, &str)]) -> Result<Vec<EstServer>, String> {
        let variables = variables.iter().map(|(name, value)| (OsString::from(format!("CERTCTL_{name}")), value.into()));
        let environment = Environment::of(variables).unwrap();
        check_names(&environment).map_err(|error| error.to_string())?;
        let mut config = Config::parse(file)?;
        config.overlay(&environment).map_err(|error| error.to_string())?;
        config.validate().map(|valid| valid.est).map_err(|error| error.to_string())
    }

    #[test]
    fn there_is_none_unless_it_is_enabled() {
        assert!(servers("", &[]).unwrap().is_empty());
        assert!(servers("", &[("EST_ENABLED", "false")]).unwrap().is_empty());
        let error = servers("", &[("EST_PROFILE_ID", "prof-a")]).unwrap_err();
        assert!(error.contains("CERTCTL_EST_PROFILE_ID") && error.contains("EST_ENABLED"), "{error}");
    }

    #[test]
    fn variables_and_tables_make_servers() {
        let file =
            "[[est]]\nname = \"phones\"\nmtls_enabled = true\nprofile_id = \"prof-phone\"\ntags = { line = \"7\" }\n";
        let made = servers(
            file,
            &[
                ("EST_ENABLED", "true"),
                ("EST_ISSUER_ID", "iss-a"),
                ("EST_ENROLLMENT_PASSWORD", "a password"),
                ("EST_PROFILES", "meters, edge-routers"),
                ("EST_PROFILE_METERS_ENROLLMENT_PASSWORD", "another one"),
                ("EST_PROFILE_METERS_MTLS_ENABLED", "true"),
                ("EST_PROFILE_METERS_RATE_LIMIT_PER_PRINCIPAL_24H", "3"),
                ("EST_PROFILE_EDGE_ROUTERS_ENROLLMENT_PASSWORD", "a third one"),
                ("EST_PROFILE_EDGE_ROUTERS_ALLOWED_AUTH_MODES", "both"),
                ("EST_PROFILE_EDGE_ROUTERS_CHANNEL_BINDING_REQUIRED", "yes"),
            ],
        );
        let made: Vec<EstProfile> = made.unwrap().iter().map(|server| open(server).unwrap()).collect();
        let labels: Vec<&str> = made.iter().map(EstProfile::label).collect();
        assert_eq!(labels, ["phones", "default", "meters", "edge-routers"]);
        assert!(matches!(made[0].access, EstAccess::Certificate(EstTrust::Issuer)));
        assert_eq!(made[0].terms.tags["line"], "7");
        assert!(matches!(made[1].access, EstAccess::Password(_)) && made[1].terms.issuer_id.as_str() == "iss-a");
        assert!(matches!(made[2].access, EstAccess::Either(..)) && made[2].per_day == Some(3));
        assert!(matches!(made[3].access, EstAccess::Both(..)) && made[3].channel_binding_required);
    }

    #[test]
    fn what_is_incomplete_or_contradicts_itself_is_refused_with_its_place() {
        for (file, expected) in [
            ("[[est]]", "est.enrollment_password: nobody enrols without a credential"),
            ("[[est]]\nname = \"a b\"\nmtls_enabled = true", "est.a b.name"),
            ("[[est]]\nname = \"cacerts\"\nmtls_enabled = true", "none of an operation"),
            ("[[est]]\nenrollment_password = \"short\"", "8 characters"),
            ("[[est]]\nallowed_auth_modes = [\"basic\"]", "set one"),
            ("[[est]]\nallowed_auth_modes = [\"mtls\"]\nmtls_enabled = false", "set it to true"),
            ("[[est]]\nallowed_auth_modes = [\"none\"]", "basic, mtls, both"),
            ("[[est]]\nallowed_auth_modes = []", "nobody enrols without a credential"),
            ("[[est]]\nallowed_auth_modes = [\"mtls\"]\nenrollment_password = \"a password\"", "name basic or both"),
            (
                "[[est]]\nallowed_auth_modes = [\"basic\"]\nenrollment_password = \"a password\"\nmtls_enabled = true",
                "name mtls or both",
            ),
            ("[[est]]\nenrollment_password = \"a password\"\nissuer_id = \"a b\"", "est.issuer_id"),
            ("[[est]]\nenrollment_password = \"a password\"\nrate_limit_per_principal_24h = 0", "1 or more"),
            (
                "[[est]]\nenrollment_password = \"a password\"\nmtls_client_ca_trust_bundle_path = \"x.pem\"",
                "for client certificates",
            ),
            ("[[est]]\nmtls_enabled = true\n[[est]]\nmtls_enabled = true", "the same path"),
            ("insecure_http = true\n[[est]]\nmtls_enabled = true", "need TLS"),
            ("[[est]]\nmtls = true", "unknown field"),
        ] {
            let error = servers(file, &[]).unwrap_err();
            assert!(error.contains(expected), "{file}: {error}");
        }
        let unknown = servers("", &[("EST_PROFILES", "meters"), ("EST_PROFILE_METRES_ISSUER_ID", "x")]).unwrap_err();
        assert!(unknown.contains("CERTCTL_EST_PROFILE_METRES_ISSUER_ID"), "{unknown}");
        let bundle = servers("[[est]]\nmtls_enabled = true\nmtls_client_ca_trust_bundle_path = \"/nowhere.pem\"", &[]);
        let error = open(bundle.unwrap().first().unwrap()).unwrap_err().to_string();
        assert!(error.contains("est.mtls_client_ca_trust_bundle_path") && error.contains("/nowhere.pem"), "{error}");
    }

    #[test]
    fn a_password_is_shown_by_nobody() {
        let made = servers("[[est]]\nenrollment_password = \"geheim4711\"", &[]).unwrap();
        assert!(!format!("{made:?}").contains("geheim"));
    }
}
