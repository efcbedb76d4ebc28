//! What an order needs besides the request: names, terms, the issuer and the policy.

use std::sync::Arc;

use crate::connector::Issuer;
use crate::decide::fallback::{self, Asking, Candidate};
use crate::decide::policy::ActiveRule;
use crate::decide::profile::{ProfileInput, enforce};
use crate::domain::{
    Certificate, EnforcedTerms, IssuerHealth, IssuerId, IssuerRecord, KeyAlgorithm, PolicyConfig, RenewalPolicy,
    SubjectNames,
};
use crate::engine::{Engine, Rules, profile_id};
use crate::entity::Record;
use crate::error::Error;
use crate::storage::UnitOfWork;

/// The terms of one order.
pub(crate) struct Order {
    pub(crate) names: SubjectNames,
    pub(crate) terms: EnforcedTerms,
    /// Who is asked.
    pub(crate) issuer_id: IssuerId,
    pub(crate) issuer: Arc<dyn Issuer>,
    /// How that issuer fares; absent for one that never failed.
    pub(crate) health: Option<Arc<Record<IssuerHealth>>>,
    /// How the certificate's own issuer fares.
    pub(crate) own_health: Option<Arc<Record<IssuerHealth>>>,
    pub(crate) policy: Arc<Record<RenewalPolicy>>,
    /// The policy rules in force.
    pub(crate) compliance: Arc<[ActiveRule]>,
    /// Whether somebody has to approve.
    pub(crate) requires_approval: bool,
}

impl Order {
    /// Takes the rules that the certificate refers to and compares it with them, at its own issuer. They may change meanwhile without
    /// harm, and may be a second old: the order is made by the rules that stood when it was made.
    pub(crate) async fn of(
        engine: &Engine,
        unit: &UnitOfWork,
        certificate: &Certificate,
        key: Option<KeyAlgorithm>,
    ) -> Result<Self, Error> {
        let (names, rules) = Self::ordered(engine, unit, certificate).await?;
        let issuer = rules.issuer.clone();
        let issuer = issuer.ok_or_else(|| unknown("issuer_id", certificate.issuer_id.as_str()))?;
        Self::at(engine, certificate, rules, Asked { names, key, issuer: &issuer, health: None })
    }

    /// The same at the issuer that is asked: its own, or one that its policy falls back on.
    pub(crate) async fn asked(
        engine: &Engine,
        unit: &UnitOfWork,
        certificate: &Certificate,
        (key, asking): (Option<KeyAlgorithm>, Asking<'_>),
    ) -> Result<Self, Error> {
        let (names, rules) = Self::ordered(engine, unit, certificate).await?;
        let own = rules.issuer.clone();
        let own = own.ok_or_else(|| unknown("issuer_id", certificate.issuer_id.as_str()))?;
        let health = rules.health.clone();
        if rules.fallbacks.is_empty() {
            return Self::at(engine, certificate, rules, Asked { names, key, issuer: &own, health });
        }
        let fits = |issuer: &Record<IssuerRecord>| {
            let (Some(profile), true) = (&rules.profile, issuer.enabled) else { return false };
            // Its own issuer is judged with everything else, so that people are told.
            if issuer.id != certificate.issuer_id && !allowed(&rules.compliance, &issuer.id) {
                return false;
            }
            let Ok(live) = engine.issuer(issuer) else { return false };
            enforce(&ProfileInput { profile, capabilities: &live.capabilities(), names: &names, key }).is_ok()
        };
        let candidates: Vec<Candidate<'_>> = rules
            .issuers()
            .map(|(issuer, health)| Candidate { id: &issuer.id, usable: fits(issuer), health })
            .collect();
        let chosen = fallback::choose(&candidates, asking, unit.now());
        let standby = chosen.checked_sub(1).and_then(|at| rules.fallbacks.get(at));
        let (issuer, health) = match standby {
            Some(standby) => (Arc::clone(&standby.issuer), standby.health.clone()),
            None => (own, health),
        };
        Self::at(engine, certificate, rules, Asked { names, key, issuer: &issuer, health })
    }

    async fn ordered(
        engine: &Engine,
        unit: &UnitOfWork,
        certificate: &Certificate,
    ) -> Result<(SubjectNames, Rules), Error> {
        let names = SubjectNames::new(&certificate.common_name, &certificate.sans)
            .map_err(|error| Error::invalid_field("/sans", "bad_name", error.to_string()))?;
        Ok((names, engine.rules(unit, certificate).await?))
    }

    fn at(engine: &Engine, certificate: &Certificate, rules: Rules, asked: Asked<'_>) -> Result<Self, Error> {
        let Asked { names, key, issuer, health } = asked;
        if !issuer.enabled {
            let detail = format!("issuer `{}` is disabled; enable it or choose another", issuer.id);
            return Err(Error::invalid_field("/issuer_id", "issuer_disabled", detail));
        }
        let profile = rules.profile.ok_or_else(|| unknown("certificate_profile_id", profile_id(certificate)))?;
        let policy =
            rules.policy.ok_or_else(|| unknown("renewal_policy_id", certificate.renewal_policy_id.as_str()))?;
        let live = engine
            .issuer(issuer)
            .map_err(|error| Error::invalid_field("/issuer_id", "issuer_unusable", error.to_string()))?;
        let input = ProfileInput { profile: &profile, capabilities: &live.capabilities(), names: &names, key };
        let terms = enforce(&input).map_err(|violation| Error::invalid_field("", violation.rule, violation.message))?;
        let requires_approval = profile.requires_approval;
        Ok(Self {
            names,
            terms,
            issuer_id: issuer.id.clone(),
            issuer: live,
            health,
            own_health: rules.health,
            policy,
            compliance: rules.compliance,
            requires_approval,
        })
    }
}

/// Whether no enforcing rule forbids the issuer; a rule for a group of agents counts for all.
fn allowed(rules: &[ActiveRule], issuer: &IssuerId) -> bool {
    rules.iter().filter(|active| active.rule.enforce).all(|active| match &active.config {
        PolicyConfig::AllowedIssuers(ids) => ids.contains(issuer),
        _ => true,
    })
}

/// What is ordered, and from whom.
struct Asked<'a> {
    names: SubjectNames,
    key: Option<KeyAlgorithm>,
    issuer: &'a Record<IssuerRecord>,
    health: Option<Arc<Record<IssuerHealth>>>,
}

fn unknown(field: &str, id: &str) -> Error {
    Error::invalid_field(format!("/{field}"), "unknown_reference", format!("there is nothing with the id `{id}`"))
}
