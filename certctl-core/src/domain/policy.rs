//! Policy rules: what an organisation asks of every certificate, and where one does not keep to it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    AgentGroup, AgentGroupId, Certificate, CertificateId, DnsName, IssuerId, PolicyRuleId, PolicyViolationId,
    Timestamp, nearest,
};
use crate::entity::{Index, Json};
use crate::{entity, text_enum};

text_enum! {
    /// What a rule looks at.
    pub enum PolicyType {
        /// The common name and the DNS names.
        AllowedDomains = "AllowedDomains",
        /// The environment.
        AllowedEnvironments = "AllowedEnvironments",
        /// The issuer.
        AllowedIssuers = "AllowedIssuers",
        /// How long a version is valid.
        CertificateLifetime = "CertificateLifetime",
        /// How much time is left without a renewal under way.
        RenewalLeadTime = "RenewalLeadTime",
        /// The tags.
        RequiredMetadata = "RequiredMetadata",
    }
}

text_enum! {
    /// How bad it is when a rule is violated.
    pub enum PolicySeverity {
        /// Somebody has to act at once.
        Critical = "Critical",
        /// Somebody has to act.
        Error = "Error",
        /// Somebody should know.
        Warning = "Warning",
    }
}

entity! {
    /// A rule that certificates are compared with.
    pub struct PolicyRule in "policy_rules" as Mutable, fields PolicyRuleFields {
        /// Its id.
        id: PolicyRuleId,
        /// Unique; 1 to 255 characters.
        name: String,
        /// What it looks at.
        kind: PolicyType,
        /// What it asks for; [`PolicyConfig::parse`] reads it.
        config: Json<Value>,
        /// Whether certificates are compared with it.
        enabled: bool,
        /// How bad a violation is.
        severity: PolicySeverity,
        /// Whether what violates it is refused, rather than noted.
        enforce: bool,
        /// The group of agents that it is for: only certificates whose key one of them holds are compared with it. Absent for
        /// all certificates.
        agent_group_id: Option<AgentGroupId>,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
    indexes [
        Index::unique("policy_rules_name", &["name"]),
        Index::on("policy_rules_by_creation", &["created_at", "id"]),
        Index::on("policy_rules_of_group", &["agent_group_id"]),
    ]
    references [agent_group_id -> AgentGroup]
}

impl PolicyRule {
    /// Rules that one store may have.
    pub const MOST: usize = 1_000;
}

entity! {
    /// That a certificate violates a rule. It is there while that is so, once for each rule and certificate.
    pub struct PolicyViolation in "policy_violations" as Mutable, fields PolicyViolationFields {
        /// Its id.
        id: PolicyViolationId,
        /// The certificate.
        certificate_id: CertificateId,
        /// The rule.
        rule_id: PolicyRuleId,
        /// What does not fit and what would, as it was last seen.
        message: String,
        /// The rule's severity, as it was last seen.
        severity: PolicySeverity,
        /// When it was first seen.
        created_at: Timestamp,
    }
    indexes [
        Index::unique("policy_violations_pair", &["rule_id", "certificate_id"]),
        Index::on("policy_violations_of_rule", &["rule_id", "created_at", "id"]),
        Index::on("policy_violations_of_certificate", &["certificate_id"]),
    ]
    references [certificate_id -> Certificate, rule_id -> PolicyRule]
}

/// What a rule asks for, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyConfig {
    /// Only these issuers: `{"allowed_issuer_ids": […]}`.
    AllowedIssuers(BTreeSet<IssuerId>),
    /// Only names below these domains: `{"allowed_domains": […]}`. Each is a name, or `*.` and a name, where the star
    /// stands for exactly one label.
    AllowedDomains(Vec<DnsName>),
    /// These tags, not empty: `{"required_keys": […]}`.
    RequiredMetadata(Vec<String>),
    /// Only these environments: `{"allowed": […]}`.
    AllowedEnvironments(BTreeSet<String>),
    /// At least so much time left while no renewal is under way: `{"lead_time_days": 30}`, which is the default.
    RenewalLeadTime(Duration),
    /// Valid for at most so long: `{"max_days": …}`.
    CertificateLifetime(Duration),
}

/// What is wrong with the configuration of a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct PolicyConfigError {
    /// JSON pointer (RFC 6901) into the rule.
    pub pointer: String,
    /// A stable word, such as `unknown_member`.
    pub code: &'static str,
    /// What is wrong and how to mend it.
    pub detail: String,
}

/// Entries of one list.
const MOST_ENTRIES: usize = 1_000;
const DAY: u64 = 86_400;

impl PolicyConfig {
    /// Reads the configuration of a rule of this type. Unknown members are errors.
    ///
    /// # Errors
    /// The first member that is unknown, missing, or not what it must be.
    pub fn parse(kind: PolicyType, config: &Value) -> Result<Self, PolicyConfigError> {
        let member = Self::member(kind);
        let given = match config {
            Value::Null => None,
            Value::Object(members) => only(members, member)?,
            _ => return Err(wrong("", "invalid_value", "send an object".into())),
        };
        let given = match (given, kind) {
            (None, PolicyType::RenewalLeadTime) => return Ok(Self::RenewalLeadTime(Duration::from_secs(30 * DAY))),
            (None, _) => {
                let detail = format!("a rule of type {kind} needs `{member}`; send it");
                return Err(wrong(member, "required", detail));
            }
            (Some(given), _) => given,
        };
        Ok(match kind {
            PolicyType::AllowedIssuers => {
                let ids = texts(member, given, |text| IssuerId::parse(text).map_err(|error| error.to_string()))?;
                Self::AllowedIssuers(ids.into_iter().collect())
            }
            PolicyType::AllowedDomains => Self::AllowedDomains(texts(member, given, |text| {
                DnsName::parse(text).map_err(|error| error.to_string())
            })?),
            PolicyType::RequiredMetadata => Self::RequiredMetadata(texts(member, given, |text| plain(text, 128))?),
            PolicyType::AllowedEnvironments => {
                let names = texts(member, given, |text| plain(text, 64))?;
                Self::AllowedEnvironments(names.into_iter().collect())
            }
            PolicyType::RenewalLeadTime => Self::RenewalLeadTime(days(member, given)?),
            PolicyType::CertificateLifetime => Self::CertificateLifetime(days(member, given)?),
        })
    }

    /// The only member that a configuration of this type has.
    pub const fn member(kind: PolicyType) -> &'static str {
        match kind {
            PolicyType::AllowedDomains => "allowed_domains",
            PolicyType::AllowedEnvironments => "allowed",
            PolicyType::AllowedIssuers => "allowed_issuer_ids",
            PolicyType::CertificateLifetime => "max_days",
            PolicyType::RenewalLeadTime => "lead_time_days",
            PolicyType::RequiredMetadata => "required_keys",
        }
    }
}

fn only<'a>(members: &'a Map<String, Value>, known: &str) -> Result<Option<&'a Value>, PolicyConfigError> {
    if let Some(unknown) = members.keys().find(|name| *name != known) {
        let shown: String = unknown.chars().take(64).collect();
        let hint = nearest(&shown, [known]).map_or(String::new(), |name| format!("; did you mean `{name}`?"));
        let detail = format!("`{shown}` is not known; the configuration has the member `{known}` alone{hint}");
        return Err(wrong(&shown.replace('~', "~0").replace('/', "~1"), "unknown_member", detail));
    }
    Ok(members.get(known).filter(|value| !value.is_null()))
}

fn texts<T>(
    member: &str,
    value: &Value,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, PolicyConfigError> {
    let entries = value.as_array().filter(|entries| (1..=MOST_ENTRIES).contains(&entries.len()));
    let entries =
        entries.ok_or_else(|| wrong(member, "invalid_value", format!("send a list of 1 to {MOST_ENTRIES} texts")))?;
    let read = |(index, entry): (usize, &Value)| {
        let text = entry.as_str().ok_or_else(|| "it is no text".to_owned());
        text.and_then(&read).map_err(|detail| wrong(&format!("{member}/{index}"), "invalid_value", detail))
    };
    entries.iter().enumerate().map(read).collect()
}

fn plain(text: &str, longest: usize) -> Result<String, String> {
    if text.trim().is_empty() || text.chars().count() > longest || text.contains('\0') {
        return Err(format!("give it 1 to {longest} characters"));
    }
    Ok(text.to_owned())
}

fn days(member: &str, value: &Value) -> Result<Duration, PolicyConfigError> {
    let days = value.as_u64().filter(|days| (1..=36_500).contains(days));
    let days = days.ok_or_else(|| wrong(member, "out_of_range", "send whole days, 1 to 36500".into()))?;
    Ok(Duration::from_secs(days * DAY))
}

fn wrong(member: &str, code: &'static str, detail: String) -> PolicyConfigError {
    let pointer = if member.is_empty() { "/config".to_owned() } else { format!("/config/{member}") };
    PolicyConfigError { pointer, code, detail }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_type_has_one_member_and_refuses_others_by_name() {
        for (kind, good) in [
            (PolicyType::AllowedIssuers, json!({ "allowed_issuer_ids": ["iss-local"] })),
            (PolicyType::AllowedDomains, json!({ "allowed_domains": ["example.com", "*.Example.com"] })),
            (PolicyType::RequiredMetadata, json!({ "required_keys": ["team"] })),
            (PolicyType::AllowedEnvironments, json!({ "allowed": ["production"] })),
            (PolicyType::RenewalLeadTime, json!({ "lead_time_days": 7 })),
            (PolicyType::CertificateLifetime, json!({ "max_days": 90 })),
        ] {
            PolicyConfig::parse(kind, &good).unwrap();
            let mut other = good.clone();
            other["colour"] = json!("red");
            let error = PolicyConfig::parse(kind, &other).unwrap_err();
            assert_eq!((error.pointer.as_str(), error.code), ("/config/colour", "unknown_member"), "{kind}");
            assert!(error.detail.contains("`colour`") && error.detail.contains(PolicyConfig::member(kind)));
            let missing = PolicyConfig::parse(kind, &json!({}));
            assert_eq!(missing.is_ok(), kind == PolicyType::RenewalLeadTime, "{kind}");
            for bad in [json!([]), json!(""), json!(0), json!([""]), json!([5]), json!(-1), json!(1.5), json!({})] {
                let config = json!({ PolicyConfig::member(kind): bad });
                assert!(PolicyConfig::parse(kind, &config).is_err(), "{config}");
            }
        }
        assert!(PolicyConfig::parse(PolicyType::AllowedDomains, &json!(["example.com"])).is_err());
        let error = PolicyConfig::parse(PolicyType::AllowedDomains, &json!({ "allowed_domains": ["a", "*.*.b"] }));
        assert_eq!(error.unwrap_err().pointer, "/config/allowed_domains/1");
    }
}
