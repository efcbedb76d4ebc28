//! What an order needs besides the request: names, terms, the issuer and the policy.

use std::sync::Arc;

use crate::connector::Issuer;
use crate::decide::policy::ActiveRule;
use crate::decide::profile::{ProfileInput, enforce};
use crate::domain::{Certificate, EnforcedTerms, IssuerHealth, IssuerId, KeyAlgorithm, RenewalPolicy, SubjectNames};
use crate::engine::{Engine, profile_id};
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
    pub(crate) policy: Arc<Record<RenewalPolicy>>,
    /// The policy rules in force.
    pub(crate) compliance: Arc<[ActiveRule]>,
    /// Whether somebody has to approve.
    pub(crate) requires_approval: bool,
}

impl Order {
    /// Takes the rules that the certificate refers to and compares it with them. They may change meanwhile without harm, and
    /// may be a second old: the order is made by the rules that stood when it was made.
    pub(crate) async fn of(
        engine: &Engine,
        unit: &UnitOfWork,
        certificate: &Certificate,
        key: Option<KeyAlgorithm>,
    ) -> Result<Self, Error> {
        let names = SubjectNames::new(&certificate.common_name, &certificate.sans)
            .map_err(|error| Error::invalid_field("/sans", "bad_name", error.to_string()))?;
        let unknown = |field: &str, id: &str| {
            Error::invalid_field(
                format!("/{field}"),
                "unknown_reference",
                format!("there is nothing with the id `{id}`"),
            )
        };
        let rules = engine.rules(unit, certificate).await?;
        let issuer = rules.issuer.ok_or_else(|| unknown("issuer_id", certificate.issuer_id.as_str()))?;
        if !issuer.enabled {
            let detail = format!("issuer `{}` is disabled; enable it or choose another", issuer.id);
            return Err(Error::invalid_field("/issuer_id", "issuer_disabled", detail));
        }
        let profile = rules.profile.ok_or_else(|| unknown("certificate_profile_id", profile_id(certificate)))?;
        let policy =
            rules.policy.ok_or_else(|| unknown("renewal_policy_id", certificate.renewal_policy_id.as_str()))?;
        let live = engine
            .issuer(&issuer)
            .map_err(|error| Error::invalid_field("/issuer_id", "issuer_unusable", error.to_string()))?;
        let input = ProfileInput { profile: &profile, capabilities: &live.capabilities(), names: &names, key };
        let terms = enforce(&input).map_err(|violation| Error::invalid_field("", violation.rule, violation.message))?;
        let requires_approval = profile.requires_approval;
        Ok(Self {
            names,
            terms,
            issuer_id: issuer.id.clone(),
            issuer: live,
            health: rules.health,
            policy,
            compliance: rules.compliance,
            requires_approval,
        })
    }
}
