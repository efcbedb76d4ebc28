//! `[scep]`: the SCEP server and its profiles.

use std::path::PathBuf;

use certctl_core::enrol::EnrolTerms;
use certctl_core::pki::cms::Strength;
use certctl_core::ports::Secret;
use certctl_core::scep::ScepProfile;
use serde::Deserialize;

use super::settings::{Setting, boolean, list};
use super::{ConfigError, Environment};

/// `[scep]`, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Scep {
    enabled: Option<bool>,
    profile: Vec<Table>,
}

/// `[[scep.profile]]`, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Table {
    name: String,
    issuer_id: Option<String>,
    profile_id: Option<String>,
    challenge_password: Option<Secret>,
    one_time_challenges: Option<bool>,
    legacy_algorithms: Option<bool>,
    failures_per_hour: Option<u32>,
    owner_id: Option<String>,
    team_id: Option<String>,
    renewal_policy_id: Option<String>,
    environment: Option<String>,
    ra_cert_path: Option<PathBuf>,
    ra_key_path: Option<PathBuf>,
    mtls_enabled: Option<bool>,
    mtls_client_ca_trust_bundle_path: Option<PathBuf>,
}

/// A profile that can be used, once its files are read.
#[derive(Debug)]
pub(crate) struct ScepSettings {
    /// The profile, without what is in the files.
    pub(crate) profile: ScepProfile,
    /// The files of the certificate and the key under which it answers.
    pub(crate) authority: Option<(PathBuf, PathBuf)>,
    /// The file of the CAs whose TLS client certificates are asked for at `/scep-mtls`.
    pub(crate) clients: Option<PathBuf>,
}

/// A variable of the profile `default`; with the name of a profile in it, one of that.
macro_rules! of_profile {
    ($variable:literal, $suffix:literal, $default:literal, $meaning:literal) => {
        Setting {
            key: concat!("scep.profile.", $suffix),
            variable: $variable,
            flag: "",
            default: $default,
            meaning: $meaning,
            set: |config, value| config.scep.of(ScepProfile::DEFAULT).set($suffix, value),
        }
    };
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "scep.enabled",
        variable: "SCEP_ENABLED",
        flag: "",
        default: "`false`",
        meaning: "Whether devices enrol by SCEP (RFC 8894): the profile `default` at `/scep`, others at `/scep/NAME`. In the file each \
                  profile is a table `[[scep.profile]]` with a `name`. The variables are those of the profile `default`; \
                  `CERTCTL_SCEP_PROFILE_NAME_ISSUER_ID` and so on are those of the profile `name`.",
        set: |config, value| {
            config.scep.enabled = Some(boolean(value)?);
            Ok(())
        },
    },
    Setting {
        key: "",
        variable: "SCEP_PROFILES",
        flag: "",
        default: "none",
        meaning: "Names of further profiles separated by commas, of `a-z 0-9 - _`.",
        set: |config, value| {
            for name in list(value) {
                config.scep.of(&name);
            }
            Ok(())
        },
    },
    of_profile!("SCEP_ISSUER_ID", "issuer_id", "`iss-local`", "Who issues its certificates."),
    of_profile!(
        "SCEP_PROFILE_ID",
        "profile_id",
        "`prof-default`",
        "The certificate profile that says what may be asked for. With `requires_approval` in it clients poll until somebody has approved."
    ),
    of_profile!(
        "SCEP_CHALLENGE_PASSWORD",
        "challenge_password",
        "none",
        "The challenge password that all clients share. Mandatory, unless there are one-time challenges."
    ),
    of_profile!(
        "SCEP_ONE_TIME_CHALLENGES",
        "one_time_challenges",
        "`false`",
        "Whether it works without a shared challenge password: each client then needs one of its own, from `POST /api/v1/scep/challenges`."
    ),
    of_profile!(
        "SCEP_LEGACY_ALGORITHMS",
        "legacy_algorithms",
        "`false`",
        "Whether messages signed with SHA-1 or encrypted with triple DES are taken. Devices that know nothing newer need it."
    ),
    of_profile!(
        "SCEP_FAILURES_PER_HOUR",
        "failures_per_hour",
        "`100`",
        "How many wrong challenge passwords and certificates from one address in an hour are too many: after that right ones are \
         refused as well."
    ),
    of_profile!(
        "SCEP_RA_CERT_PATH",
        "ra_cert_path",
        "none",
        "PEM file with the certificate under which it answers and those above it. Without one it makes a key of its own and has the \
         issuer certify it, anew before it ends; issuers that answer later, such as ACME, cannot do that."
    ),
    of_profile!("SCEP_RA_KEY_PATH", "ra_key_path", "none", "PEM file with the RSA key of that certificate."),
    of_profile!(
        "SCEP_MTLS_ENABLED",
        "mtls_enabled",
        "`false`",
        "Whether there is also `/scep-mtls`, and for others `/scep-mtls/NAME`: the same for those alone who show a TLS client certificate."
    ),
    of_profile!(
        "SCEP_MTLS_CLIENT_CA_TRUST_BUNDLE_PATH",
        "mtls_client_ca_trust_bundle_path",
        "none",
        "CAs (PEM) whose client certificates count there. Mandatory with `mtls_enabled`."
    ),
    of_profile!("SCEP_OWNER_ID", "owner_id", "the default owner", "Who answers for its certificates."),
    of_profile!("SCEP_TEAM_ID", "team_id", "the default team", "The team of that owner."),
    of_profile!(
        "SCEP_RENEWAL_POLICY_ID",
        "renewal_policy_id",
        "the default policy",
        "When people are told that a certificate nears its end. Clients renew by themselves."
    ),
    of_profile!(
        "SCEP_ENVIRONMENT",
        "environment",
        "none",
        "The environment of its certificates, such as `production`."
    ),
];

/// What the variables of other profiles begin with.
const PREFIX: &str = "SCEP_PROFILE_";

/// The members that a variable of a profile can set.
const MEMBERS: &[&str] = &[
    "issuer_id",
    "profile_id",
    "challenge_password",
    "one_time_challenges",
    "legacy_algorithms",
    "failures_per_hour",
    "ra_cert_path",
    "ra_key_path",
    "mtls_enabled",
    "mtls_client_ca_trust_bundle_path",
    "owner_id",
    "team_id",
    "renewal_policy_id",
    "environment",
];

/// The profile and the member that a variable is for; `SCEP_PROFILE_ID` is for none, but the profile `default`'s own.
fn member(variable: &str) -> Option<(String, &'static str)> {
    let rest = variable.strip_prefix(PREFIX)?;
    // The longest member counts: `A_RA_KEY_PATH` is not of a profile `a_ra`.
    let found = MEMBERS.iter().filter_map(|member| {
        let name = rest.strip_suffix(&member.to_ascii_uppercase())?.strip_suffix('_')?;
        (!name.is_empty()).then(|| (name.to_ascii_lowercase(), *member))
    });
    found.max_by_key(|(_, member)| member.len())
}

/// Whether a variable is one of a profile.
pub(super) fn knows(variable: &str) -> bool {
    member(variable).is_some()
}

impl Scep {
    /// The profile of this name, made if there is none.
    fn of(&mut self, name: &str) -> &mut Table {
        let at = self.profile.iter().position(|profile| profile.name == name).unwrap_or_else(|| {
            self.profile.push(Table { name: name.to_owned(), ..Table::default() });
            self.profile.len() - 1
        });
        &mut self.profile[at]
    }

    /// Takes the variables of profiles, which no table can list.
    pub(super) fn overlay(&mut self, environment: &Environment) -> Result<(), ConfigError> {
        for (variable, value) in environment.pairs() {
            let Some((name, member)) = member(variable) else { continue };
            // A variable has no `-`.
            let known = self.profile.iter().map(|profile| profile.name.clone());
            let name = known.into_iter().find(|known| known.replace('-', "_") == name).ok_or_else(|| {
                let reason = format!("there is no SCEP profile `{name}`; name it in CERTCTL_SCEP_PROFILES or the file");
                ConfigError::value(format!("CERTCTL_{variable}"), reason)
            })?;
            let set = self.of(&name).set(member, value);
            set.map_err(|reason| ConfigError::value(format!("CERTCTL_{variable}"), reason))?;
        }
        Ok(())
    }

    /// Checks it.
    pub(super) fn validate(mut self, over_tls: bool) -> Result<Vec<ScepSettings>, ConfigError> {
        if !self.enabled.unwrap_or(false) {
            return Ok(Vec::new());
        }
        if self.profile.is_empty() {
            self.of(ScepProfile::DEFAULT);
        }
        let mut checked: Vec<ScepSettings> = Vec::new();
        for profile in self.profile {
            if checked.iter().any(|other| other.profile.name == profile.name) {
                let reason = format!("two SCEP profiles are named `{}`; give each its own name", profile.name);
                return Err(ConfigError::value("scep.profile.name", reason));
            }
            checked.push(profile.validate(over_tls)?);
        }
        Ok(checked)
    }
}

impl Table {
    fn set(&mut self, member: &str, value: &str) -> Result<(), String> {
        let text = || Some(value.to_owned());
        match member {
            "issuer_id" => self.issuer_id = text(),
            "profile_id" => self.profile_id = text(),
            "challenge_password" => self.challenge_password = Some(Secret::new(value)),
            "one_time_challenges" => self.one_time_challenges = Some(boolean(value)?),
            "legacy_algorithms" => self.legacy_algorithms = Some(boolean(value)?),
            "failures_per_hour" => {
                let number = value.trim().parse().map_err(|_| format!("`{value}` is not a number"))?;
                self.failures_per_hour = Some(number);
            }
            "ra_cert_path" => self.ra_cert_path = Some(value.into()),
            "ra_key_path" => self.ra_key_path = Some(value.into()),
            "mtls_enabled" => self.mtls_enabled = Some(boolean(value)?),
            "mtls_client_ca_trust_bundle_path" => self.mtls_client_ca_trust_bundle_path = Some(value.into()),
            "owner_id" => self.owner_id = text(),
            "team_id" => self.team_id = text(),
            "renewal_policy_id" => self.renewal_policy_id = text(),
            "environment" => self.environment = text(),
            other => return Err(format!("a SCEP profile has no {other}")),
        }
        Ok(())
    }

    fn validate(self, over_tls: bool) -> Result<ScepSettings, ConfigError> {
        let at = |member: &str| format!("scep.profile.{member}");
        if !ScepProfile::is_name(&self.name) {
            let shown: String = self.name.chars().take(40).collect();
            let reason = format!("`{shown}` is no name of a SCEP profile: 1 to 32 of a-z 0-9 - _");
            return Err(ConfigError::value(at("name"), reason));
        }
        let challenge = self.challenge_password.filter(|challenge| !challenge.expose().is_empty());
        if challenge.is_none() && !self.one_time_challenges.unwrap_or(false) {
            let reason = format!(
                "mandatory in the profile `{}`, or everybody could enrol; set it (CERTCTL_SCEP_CHALLENGE_PASSWORD), or set \
                 one_time_challenges",
                self.name
            );
            return Err(ConfigError::value(at("challenge_password"), reason));
        }
        let authority = match (self.ra_cert_path, self.ra_key_path) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => {
                let reason = "the certificate and the key of a registration authority belong together; set both paths";
                return Err(ConfigError::value(at("ra_cert_path"), reason));
            }
        };
        let clients = match (self.mtls_enabled.unwrap_or(false), self.mtls_client_ca_trust_bundle_path) {
            (true, None) => {
                let reason = "mtls_enabled asks for client certificates; say of which CAs they must be";
                return Err(ConfigError::value(at("mtls_client_ca_trust_bundle_path"), reason));
            }
            (false, Some(_)) => {
                let reason = "it is for client certificates; set mtls_enabled, or leave it out";
                return Err(ConfigError::value(at("mtls_client_ca_trust_bundle_path"), reason));
            }
            (true, Some(_)) if !over_tls => {
                return Err(ConfigError::value(
                    at("mtls_enabled"),
                    "client certificates need TLS; leave out insecure_http",
                ));
            }
            (_, clients) => clients,
        };
        let environment = self.environment.unwrap_or_default();
        if environment.chars().count() > 64 {
            return Err(ConfigError::value(at("environment"), "it has more than 64 characters"));
        }
        let usual = EnrolTerms::default();
        let terms = EnrolTerms {
            issuer_id: id(&at("issuer_id"), self.issuer_id, usual.issuer_id)?,
            profile_id: self.profile_id.map(|text| parsed(&at("profile_id"), &text)).transpose()?,
            owner_id: id(&at("owner_id"), self.owner_id, usual.owner_id)?,
            team_id: id(&at("team_id"), self.team_id, usual.team_id)?,
            renewal_policy_id: id(&at("renewal_policy_id"), self.renewal_policy_id, usual.renewal_policy_id)?,
            environment,
            tags: usual.tags,
        };
        let strength = if self.legacy_algorithms.unwrap_or(false) { Strength::Legacy } else { Strength::Modern };
        let failures_per_hour = self.failures_per_hour.unwrap_or(ScepProfile::FAILURES);
        if failures_per_hour == 0 {
            return Err(ConfigError::value(at("failures_per_hour"), "with 0 nobody could ask; take 1 or more"));
        }
        let name = self.name;
        let profile = ScepProfile { name, terms, challenge, strength, failures_per_hour, authority: None };
        Ok(ScepSettings { profile, authority, clients })
    }
}

fn id<T: std::str::FromStr<Err: std::fmt::Display>>(
    at: &str,
    text: Option<String>,
    usual: T,
) -> Result<T, ConfigError> {
    text.map_or(Ok(usual), |text| parsed(at, &text))
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(at: &str, text: &str) -> Result<T, ConfigError> {
    text.parse().map_err(|error: T::Err| ConfigError::value(at, error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::{Config, Environment, check_names};
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::of(pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)))).unwrap()
    }

    fn settings(file: &str, pairs: &[(&str, &str)]) -> Result<Vec<ScepSettings>, String> {
        let mut config = Config::parse(file)?;
        let environment = environment(pairs);
        check_names(&environment).map_err(|error| error.to_string())?;
        config.overlay(&environment).map_err(|error| error.to_string())?;
        config.validate().map(|valid| valid.scep).map_err(|error| error.to_string())
    }

    #[test]
    fn it_is_off_and_asks_for_a_challenge_when_it_is_on() {
        assert!(settings("", &[]).unwrap().is_empty());
        assert!(settings("", &[("CERTCTL_SCEP_CHALLENGE_PASSWORD", "x")]).unwrap().is_empty());
        let refused = settings("[scep]\nenabled = true", &[]).unwrap_err();
        assert!(refused.contains("CERTCTL_SCEP_CHALLENGE_PASSWORD"), "{refused}");
        let on = settings("[scep]\nenabled = true", &[("CERTCTL_SCEP_CHALLENGE_PASSWORD", "swordfish")]).unwrap();
        assert_eq!(on.len(), 1);
        assert_eq!((on[0].profile.name.as_str(), on[0].profile.strength), ("default", Strength::Modern));
        assert_eq!(on[0].profile.terms, EnrolTerms::default());
        assert!(!format!("{on:?}").contains("swordfish"));
        let once = settings("[scep]\nenabled = true", &[("CERTCTL_SCEP_ONE_TIME_CHALLENGES", "true")]).unwrap();
        assert!(once[0].profile.challenge.is_none());
    }

    #[test]
    fn there_may_be_several_profiles() {
        let file = r#"
            [scep]
            enabled = true
            [[scep.profile]]
            name = "default"
            challenge_password = "one"
            [[scep.profile]]
            name = "old-routers"
            issuer_id = "iss-2"
            legacy_algorithms = true
            ra_cert_path = "/etc/ra.pem"
        "#;
        let variables = [
            ("CERTCTL_SCEP_PROFILES", "phones"),
            ("CERTCTL_SCEP_PROFILE_PHONES_ONE_TIME_CHALLENGES", "yes"),
            ("CERTCTL_SCEP_PROFILE_PHONES_PROFILE_ID", "prof-phones"),
            ("CERTCTL_SCEP_PROFILE_PHONES_MTLS_ENABLED", "true"),
            ("CERTCTL_SCEP_PROFILE_PHONES_MTLS_CLIENT_CA_TRUST_BUNDLE_PATH", "/etc/phones.pem"),
            ("CERTCTL_SCEP_PROFILE_OLD_ROUTERS_CHALLENGE_PASSWORD", "two"),
            ("CERTCTL_SCEP_PROFILE_OLD_ROUTERS_RA_KEY_PATH", "/etc/ra.key"),
            ("CERTCTL_SCEP_PROFILE_ID", "prof-first"),
        ];
        let all = settings(file, &variables).unwrap();
        let names: Vec<&str> = all.iter().map(|one| one.profile.name.as_str()).collect();
        assert_eq!(names, ["default", "old-routers", "phones"]);
        assert_eq!(all[0].profile.terms.profile_id.as_ref().unwrap().as_str(), "prof-first");
        assert_eq!(all[1].profile.strength, Strength::Legacy);
        assert_eq!(all[1].profile.terms.issuer_id.as_str(), "iss-2");
        assert!(all[1].authority.is_some());
        let clients: Vec<_> = all.iter().map(|one| one.clients.as_deref().and_then(std::path::Path::to_str)).collect();
        assert_eq!(clients, [None, None, Some("/etc/phones.pem")]);
        assert_eq!(all[2].profile.terms.profile_id.as_ref().unwrap().as_str(), "prof-phones");
    }

    #[test]
    fn what_is_wrong_is_told() {
        let on = |rest: &str| {
            format!("[scep]\nenabled = true\n[[scep.profile]]\nname = \"a\"\nchallenge_password = \"x\"\n{rest}")
        };
        for (file, variables, text) in [
            (on("ra_key_path = \"/k\""), vec![], "belong together"),
            (on("mtls_enabled = true"), vec![], "of which CAs"),
            (on("mtls_client_ca_trust_bundle_path = \"/ca.pem\""), vec![], "for client certificates"),
            (
                format!(
                    "insecure_http = true\n{}",
                    on("mtls_enabled = true\nmtls_client_ca_trust_bundle_path = \"/ca.pem\"")
                ),
                vec![],
                "need TLS",
            ),
            (on("issuer_id = \"no id\""), vec![], "scep.profile.issuer_id"),
            (on("colour = \"red\""), vec![], "colour"),
            (on("[[scep.profile]]\nname = \"a\"\nchallenge_password = \"y\""), vec![], "two SCEP profiles"),
            (on("[[scep.profile]]\nname = \"A b\"\nchallenge_password = \"y\""), vec![], "a-z 0-9"),
            (on(""), vec![("CERTCTL_SCEP_PROFILE_B_ISSUER_ID", "iss-1")], "CERTCTL_SCEP_PROFILES"),
            (on(""), vec![("CERTCTL_SCEP_PROFILE_A_LEGACY_ALGORITHMS", "perhaps")], "true or false"),
            (on(""), vec![("CERTCTL_SCEP_PROFILE_A_COLOUR", "red")], "means nothing"),
        ] {
            let refused = settings(&file, &variables).unwrap_err();
            assert!(refused.contains(text), "{text}: {refused}");
        }
    }
}
