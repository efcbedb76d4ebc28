//! Whether a certificate keeps to the policy rules (requirements B13).

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::{
    AgentGroupId, Certificate, DnsName, Lifecycle, PolicyConfig, PolicyRule, PolicyRuleId, PolicySeverity, PolicyType,
    SubjectAltName, SubjectNames, Timestamp,
};

/// A rule in force, with its configuration read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveRule {
    /// The rule.
    pub rule: PolicyRule,
    /// What it asks for.
    pub config: PolicyConfig,
}

/// When a version is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First moment.
    pub not_before: Timestamp,
    /// Last moment.
    pub not_after: Timestamp,
}

/// What is compared with the rules.
#[derive(Clone, Copy, Debug)]
pub struct PolicyFacts<'a> {
    /// The certificate as it will be stored.
    pub certificate: &'a Certificate,
    /// Its names, in canonical form.
    pub names: &'a SubjectNames,
    /// The validity of the version that is about to be recorded, or of the newest one; `None` when there is none yet.
    pub validity: Option<Validity>,
    /// Whether a version is about to be made or recorded: only then do rules about time refuse, because only then is
    /// there a choice.
    pub issuing: bool,
    /// The groups of agents that one of its key holders is a member of; those that no rule is for may be left out.
    pub groups: &'a BTreeSet<AgentGroupId>,
    /// The moment.
    pub now: Timestamp,
}

/// A rule that is violated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyBreach {
    /// The rule.
    pub rule_id: PolicyRuleId,
    /// Its name.
    pub rule: String,
    /// What it looks at.
    pub kind: PolicyType,
    /// How bad it is.
    pub severity: PolicySeverity,
    /// Whether what was asked for is refused because of it.
    pub blocks: bool,
    /// JSON pointer (RFC 6901) to the member of the certificate that does not fit.
    pub pointer: String,
    /// What does not fit and what would.
    pub message: String,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyVerdict {
    /// The certificate keeps to it, or it does not concern the certificate.
    Kept,
    /// It looks at what there is not yet: nothing can be said.
    Open,
    /// The certificate violates it.
    Violated(PolicyBreach),
}

/// Where something does not fit, and what would.
struct Misfit {
    pointer: String,
    message: String,
}

/// What each rule says of a certificate, in their order.
pub fn evaluate<'r>(rules: &'r [ActiveRule], facts: &PolicyFacts<'_>) -> Vec<(&'r ActiveRule, PolicyVerdict)> {
    rules.iter().map(|rule| (rule, judge(rule, facts))).collect()
}

fn judge(ActiveRule { rule, config }: &ActiveRule, facts: &PolicyFacts<'_>) -> PolicyVerdict {
    if rule.agent_group_id.as_ref().is_some_and(|group| !facts.groups.contains(group)) {
        return PolicyVerdict::Kept;
    }
    let misfit = match config {
        PolicyConfig::AllowedIssuers(allowed) => {
            let id = &facts.certificate.issuer_id;
            let message = || format!("issuer `{id}` is not allowed; choose {}", joined(allowed));
            (!allowed.contains(id)).then(|| Misfit::at("/issuer_id", message()))
        }
        PolicyConfig::AllowedDomains(allowed) => domains(allowed, facts),
        PolicyConfig::RequiredMetadata(keys) => {
            let tags = &facts.certificate.tags;
            let lacks = |key: &&String| tags.get(key.as_str()).is_none_or(|value| value.trim().is_empty());
            let missing: Vec<&String> = keys.iter().filter(lacks).collect();
            let message = || format!("the tags {} are missing or empty; set them", joined(&missing));
            (!missing.is_empty()).then(|| Misfit::at("/tags", message()))
        }
        PolicyConfig::AllowedEnvironments(allowed) => {
            let environment = &facts.certificate.environment;
            let message = || format!("environment `{environment}` is not allowed; choose {}", joined(allowed));
            (!allowed.contains(environment)).then(|| Misfit::at("/environment", message()))
        }
        PolicyConfig::RenewalLeadTime(lead) => match left(facts) {
            Some(left) => lead_time(*lead, left),
            None => return PolicyVerdict::Open,
        },
        PolicyConfig::CertificateLifetime(most) => match facts.validity {
            Some(validity) => lifetime(*most, validity),
            None => return PolicyVerdict::Open,
        },
    };
    misfit.map_or(PolicyVerdict::Kept, |Misfit { pointer, message }| {
        PolicyVerdict::Violated(PolicyBreach {
            rule_id: rule.id.clone(),
            rule: rule.name.clone(),
            kind: rule.kind,
            severity: rule.severity,
            blocks: rule.enforce && (facts.issuing || !is_about_time(rule.kind)),
            pointer,
            message,
        })
    })
}

/// Rules that look at a version rather than at what people write: refusing a change would cure nothing.
const fn is_about_time(kind: PolicyType) -> bool {
    matches!(kind, PolicyType::RenewalLeadTime | PolicyType::CertificateLifetime)
}

impl Misfit {
    fn at(pointer: impl Into<String>, message: String) -> Self {
        Self { pointer: pointer.into(), message }
    }
}

fn joined<T: std::fmt::Display>(all: impl IntoIterator<Item = T>) -> String {
    let mut all: Vec<String> = all.into_iter().map(|one| format!("`{one}`")).collect();
    let more = all.len().saturating_sub(SHOWN);
    all.truncate(SHOWN);
    let shown = all.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// Entries of a list that a message names.
const SHOWN: usize = 10;

fn domains(allowed: &[DnsName], facts: &PolicyFacts<'_>) -> Option<Misfit> {
    let choose = || format!("allowed are {}", joined(allowed));
    if facts.names.sans.is_empty() {
        let message = format!("the certificate has no subject alternative name that is allowed; {}", choose());
        return Some(Misfit::at("/sans", message));
    }
    let fits = |name: &str| allowed.iter().any(|domain| covers(domain, name));
    // A common name that is an address of some kind is no domain; everything else might be taken for one.
    let common_name =
        facts.names.common_name.as_ref().filter(|name| {
            !matches!(SubjectAltName::parse(name), Ok(SubjectAltName::Ip(_) | SubjectAltName::Email(_)))
        });
    if let Some(name) = common_name.filter(|name| !fits(&name.to_lowercase())) {
        return Some(Misfit::at("/common_name", format!("the common name `{name}` is not allowed; {}", choose())));
    }
    let unfit = facts.names.sans.iter().find(|san| matches!(san, SubjectAltName::Dns(name) if !fits(name.as_str())))?;
    let place = facts.certificate.sans.iter().position(|text| SubjectAltName::parse(text).as_ref() == Ok(unfit));
    let pointer = place.map_or_else(|| "/sans".to_owned(), |index| format!("/sans/{index}"));
    Some(Misfit::at(pointer, format!("the name `{unfit}` is not allowed; {}", choose())))
}

/// Whether a domain, `example.com` or `*.example.com`, covers a name. The star is exactly one label, also a name's own
/// star.
fn covers(domain: &DnsName, name: &str) -> bool {
    match domain.as_str().strip_prefix("*.") {
        Some(parent) => {
            let first = name.strip_suffix(parent).and_then(|rest| rest.strip_suffix('.'));
            first.is_some_and(|label| !label.is_empty() && !label.contains('.'))
        }
        None => name == domain.as_str(),
    }
}

/// How much time is left of what is served; `None` before there is anything.
fn left(facts: &PolicyFacts<'_>) -> Option<Duration> {
    if facts.issuing {
        return facts.validity.map(|validity| validity.not_after.since(facts.now));
    }
    let Certificate { lifecycle, renewing, expires_at, .. } = facts.certificate;
    if *renewing || *lifecycle != Lifecycle::Issued {
        return (*lifecycle == Lifecycle::Issued).then_some(Duration::MAX);
    }
    Some(expires_at.since(facts.now))
}

fn lead_time(lead: Duration, left: Duration) -> Option<Misfit> {
    let message = || {
        format!(
            "{} are left, which is less than {}; renew it sooner, or make it valid for longer",
            span(left),
            span(lead)
        )
    };
    (left < lead).then(|| Misfit::at("/renewal_policy_id", message()))
}

fn lifetime(most: Duration, validity: Validity) -> Option<Misfit> {
    // Both ends belong to the validity (RFC 5280 §4.1.2.5), so 90 days may be written as 90 days less a second.
    let valid = validity.not_after.since(validity.not_before);
    let message = || {
        format!("it is valid for {}, which is more than {}; choose a profile that limits it", span(valid), span(most))
    };
    (valid > most).then(|| Misfit::at("/certificate_profile_id", message()))
}

fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds < 2 * 3_600 => format!("{} minutes", seconds / 60),
        seconds if seconds < 2 * 86_400 => format!("{} hours", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{CertificateId, NewCertificate, OwnerId, RenewalPolicyId, TeamId};
    use crate::entity::Json;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);
    const DAY: Duration = Duration::from_secs(86_400);

    fn certificate(common_name: &str, sans: &[&str]) -> Certificate {
        NewCertificate {
            id: CertificateId::parse("mc-1").unwrap(),
            name: "one".into(),
            common_name: common_name.into(),
            sans: sans.iter().map(ToString::to_string).collect(),
            environment: "production".into(),
            owner_id: OwnerId::default(),
            team_id: TeamId::default(),
            issuer_id: "iss-local".parse().unwrap(),
            renewal_policy_id: RenewalPolicyId::default(),
            certificate_profile_id: None,
            agent_id: None,
            tags: [("team".into(), "shop".into()), ("cost".into(), " ".into())].into(),
            source: String::new(),
        }
        .made_at(NOW)
    }

    fn rule(kind: PolicyType, config: Value) -> ActiveRule {
        let rule = PolicyRule {
            id: "pr-1".parse().unwrap(),
            name: "one".into(),
            kind,
            config: Json(config),
            enabled: true,
            severity: PolicySeverity::Error,
            enforce: true,
            agent_group_id: None,
            created_at: NOW,
            updated_at: NOW,
        };
        ActiveRule { config: PolicyConfig::parse(kind, &rule.config).unwrap(), rule }
    }

    fn verdict(rule: ActiveRule, facts: &PolicyFacts<'_>) -> PolicyVerdict {
        evaluate(&[rule], facts).remove(0).1
    }

    /// The pointer of a breach, `-` for none, `?` where nothing can be said.
    fn place(rule: ActiveRule, certificate: &Certificate, validity: Option<Validity>, issuing: bool) -> String {
        let names = SubjectNames::new(&certificate.common_name, &certificate.sans).unwrap();
        let groups = &[AgentGroupId::parse("ag-edge").unwrap()].into();
        match verdict(rule, &PolicyFacts { certificate, names: &names, validity, issuing, groups, now: NOW }) {
            PolicyVerdict::Kept => "-".into(),
            PolicyVerdict::Open => "?".into(),
            PolicyVerdict::Violated(breach) => {
                assert!(!breach.message.is_empty());
                assert_eq!((breach.severity, breach.kind), (PolicySeverity::Error, breach.kind));
                format!("{}{}", breach.pointer, if breach.blocks { "" } else { " noted" })
            }
        }
    }

    #[test]
    fn domains_are_exact_or_one_label_deep_in_a_labels_and_any_case() {
        let domains = json!({ "allowed_domains": ["example.com", "*.Example.com", "*.bücher.example"] });
        for (common_name, sans, expected) in [
            ("example.com", &[][..], "-"),
            ("WWW.EXAMPLE.com", &[], "-"),
            ("www.example.com", &["shop.bücher.example", "xn--shop.xn--bcher-kva.example"], "-"),
            ("*.example.com", &[], "-"),
            ("a.b.example.com", &[], "/common_name"),
            ("bücher.example", &[], "/common_name"),
            ("www.example.com.evil.test", &[], "/common_name"),
            ("evilexample.com", &[], "/common_name"),
            ("www.example.com", &["a.example.com", "evil.test"], "/sans/1"),
            ("*.a.example.com", &[], "/common_name"),
            ("Example Shop", &["www.example.com"], "/common_name"),
            ("Example Shop", &[], "/sans"),
            // Addresses are no domains.
            ("10.0.0.1", &["www.example.com", "ops@evil.test", "spiffe://evil.test/a"], "-"),
        ] {
            let rule = rule(PolicyType::AllowedDomains, domains.clone());
            assert_eq!(place(rule, &certificate(common_name, sans), None, false), expected, "{common_name} {sans:?}");
        }
    }

    #[test]
    fn what_people_write_is_compared_and_blocks_whenever_it_is_written() {
        let certificate = certificate("www.example.com", &[]);
        for (kind, config, expected) in [
            (PolicyType::AllowedIssuers, json!({ "allowed_issuer_ids": ["iss-a", "iss-local"] }), "-"),
            (PolicyType::AllowedIssuers, json!({ "allowed_issuer_ids": ["iss-a"] }), "/issuer_id"),
            (PolicyType::AllowedEnvironments, json!({ "allowed": ["production"] }), "-"),
            (PolicyType::AllowedEnvironments, json!({ "allowed": ["Production"] }), "/environment"),
            (PolicyType::RequiredMetadata, json!({ "required_keys": ["team"] }), "-"),
            (PolicyType::RequiredMetadata, json!({ "required_keys": ["team", "cost"] }), "/tags"),
            (PolicyType::RequiredMetadata, json!({ "required_keys": ["other"] }), "/tags"),
        ] {
            for issuing in [false, true] {
                assert_eq!(place(rule(kind, config.clone()), &certificate, None, issuing), expected, "{config}");
            }
        }
    }

    #[test]
    fn rules_about_time_wait_for_a_version_and_block_its_making_alone() {
        let validity = |days: u32| Some(Validity { not_before: NOW - DAY, not_after: NOW - DAY + DAY * days });
        let most = || rule(PolicyType::CertificateLifetime, json!({ "max_days": 90 }));
        let lead = || rule(PolicyType::RenewalLeadTime, json!({}));
        let mut certificate = certificate("www.example.com", &[]);
        for (rule, name) in [(most(), "lifetime"), (lead(), "lead time")] {
            assert_eq!(place(rule.clone(), &certificate, None, false), "?", "{name}");
            assert_eq!(place(rule, &certificate, None, true), "?", "{name}");
        }
        assert_eq!(place(most(), &certificate, validity(90), true), "-");
        assert_eq!(place(most(), &certificate, validity(91), true), "/certificate_profile_id");
        assert_eq!(place(most(), &certificate, validity(91), false), "/certificate_profile_id noted");
        assert_eq!(place(lead(), &certificate, validity(31), true), "-");
        assert_eq!(place(lead(), &certificate, validity(30), true), "/renewal_policy_id");

        certificate.lifecycle = Lifecycle::Issued;
        for (left, renewing, expected) in [
            (31, false, "-"),
            (29, false, "/renewal_policy_id noted"),
            (29, true, "-"),
            (0, false, "/renewal_policy_id noted"),
        ] {
            (certificate.expires_at, certificate.renewing) = (NOW + DAY * left, renewing);
            assert_eq!(place(lead(), &certificate, validity(90), false), expected, "{left} days left");
        }
    }

    #[test]
    fn a_rule_that_is_not_enforced_blocks_nothing() {
        let certificate = certificate("www.example.com", &[]);
        let mut rule = rule(PolicyType::AllowedEnvironments, json!({ "allowed": ["test"] }));
        rule.rule.enforce = false;
        assert_eq!(place(rule, &certificate, None, true), "/environment noted");
    }
    #[test]
    fn a_rule_for_a_group_concerns_the_certificates_of_its_members_alone() {
        let certificate = certificate("www.example.com", &[]);
        for (group, expected) in [(None, "/environment"), (Some("ag-edge"), "/environment"), (Some("ag-core"), "-")] {
            let mut rule = rule(PolicyType::AllowedEnvironments, json!({ "allowed": ["test"] }));
            rule.rule.agent_group_id = group.map(|id| id.parse().unwrap());
            assert_eq!(place(rule, &certificate, None, true), expected, "{group:?}");
            // Nothing is left open either: a violation from when it was a member ends.
            let mut rule = self::rule(PolicyType::CertificateLifetime, json!({ "max_days": 90 }));
            rule.rule.agent_group_id = group.map(|id| id.parse().unwrap());
            let open = if group == Some("ag-core") { "-" } else { "?" };
            assert_eq!(place(rule, &certificate, None, true), open, "{group:?}");
        }
    }
}
