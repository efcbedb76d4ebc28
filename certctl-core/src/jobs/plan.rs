//! Planning the renewal of certificates anew: by a policy that changed or is another one, or because its moment has come.

use std::collections::BTreeMap;

use crate::decide::alerts::{self, AlertInput};
use crate::decide::fallback::{self, Candidate};
use crate::decide::replan::{Newest, ReplanInput, decide, is_due};
use crate::domain::{Certificate, Lifecycle, RenewalAdvice, RenewalPolicy, Timestamp, Version, VersionId};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::storage::{Query, Reads, UnitOfWork};

/// How many certificates' versions are asked for in one trip.
const IN_ONE: usize = 50;
/// Rows of advice for one certificate that are looked at: one for each key holder, and those of versions that were replaced.
pub(crate) const ADVICE: usize = 500;

/// By what the renewal of one certificate is planned, besides its policy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// Its newest version.
    pub(crate) newest: Option<Newest>,
    /// What CAs suggest.
    pub(crate) advice: Vec<RenewalAdvice>,
    /// Until when the quota of its issuer is used up.
    pub(crate) limited_until: Option<Timestamp>,
}

/// By what a certificate is planned.
#[derive(Clone, Copy)]
pub(crate) struct Basis<'a> {
    /// The policy as it is now.
    pub(crate) policy: &'a RenewalPolicy,
    /// What else decides.
    pub(crate) facts: &'a Facts,
    /// The moment of the decision.
    pub(crate) now: Timestamp,
}

impl<'a> Basis<'a> {
    /// What the pure decisions take; without a random number that is the latest moment.
    pub(crate) fn input(self, certificate: &'a Certificate) -> ReplanInput<'a> {
        let Self { policy, facts, now } = self;
        let Facts { newest, advice, limited_until } = facts;
        let (newest, limited_until) = (*newest, *limited_until);
        ReplanInput { certificate, policy, newest, advice, limited_until, now, random: 0 }
    }
}

/// What several certificates are planned by, in their order.
pub(crate) async fn facts(
    engine: &Engine,
    unit: &UnitOfWork,
    certificates: &[&Certificate],
) -> Result<Vec<Facts>, Error> {
    let mut facts = Vec::with_capacity(certificates.len());
    for certificates in certificates.chunks(IN_ONE) {
        let mut reads = Reads::default();
        let newest: Vec<VersionId> =
            certificates.iter().filter_map(|certificate| certificate.newest_version_id.clone()).collect();
        let versions = Query::<Version>::all().limit(IN_ONE);
        let versions =
            (!newest.is_empty()).then(|| reads.list(versions.filter(Version::FIELDS.id.one_of(newest)))).transpose()?;
        // Most stores hold none at all, so one question for all of them.
        let of = RenewalAdvice::FIELDS.certificate_id;
        let ids = certificates.iter().map(|certificate| certificate.id.clone());
        let advice = reads.list(Query::<RenewalAdvice>::all().filter(of.one_of(ids)).limit(ADVICE * 4))?;
        let mut found = unit.read(reads).await?;
        let advice: Vec<RenewalAdvice> = found.all(&advice)?.into_iter().map(Record::into_entity).collect();
        let versions = versions.map(|place| found.all::<Version>(&place)).transpose()?.unwrap_or_default();
        let newest = |version: &Record<Version>| {
            (version.id.clone(), Newest { not_before: version.not_before, issued_at: version.created_at })
        };
        let versions: BTreeMap<VersionId, Newest> = versions.iter().map(newest).collect();
        for certificate in certificates {
            let newest = certificate.newest_version_id.as_ref().and_then(|id| versions.get(id)).copied();
            let advice = advice.iter().filter(|advice| advice.certificate_id == certificate.id).cloned().collect();
            let limited_until = limited_until(engine, unit, certificate).await?;
            facts.push(Facts { newest, advice, limited_until });
        }
    }
    Ok(facts)
}

/// Until when the quota of its issuer is used up.
async fn limited_until(
    engine: &Engine,
    unit: &UnitOfWork,
    certificate: &Certificate,
) -> Result<Option<Timestamp>, Error> {
    let rules = engine.rules(unit, certificate).await?;
    let candidates: Vec<Candidate<'_>> =
        rules.issuers().map(|(issuer, health)| Candidate { id: &issuer.id, usable: issuer.enabled, health }).collect();
    Ok(fallback::limited_until(&candidates, unit.now()))
}

/// Plans the renewal by the policy as it is now.
pub(crate) fn replan(engine: &Engine, certificate: &mut Certificate, basis: Basis<'_>) {
    let random = engine.ports().rng.next_u64();
    let plan = decide(&ReplanInput { random, ..basis.input(certificate) });
    (certificate.renew_at, certificate.expiring_at) = (plan.renew_at, plan.expiring_at);
    if let (Lifecycle::Issued, Some(newest)) = (certificate.lifecycle, basis.facts.newest) {
        let input = AlertInput::of(certificate, basis.policy, newest.not_before, basis.now);
        certificate.alert_at = alerts::look_at(&input);
    }
}

/// Plans the renewal of one certificate by a policy that was read and pinned.
pub(crate) async fn replan_one(
    engine: &Engine,
    unit: &UnitOfWork,
    certificate: &mut Certificate,
    policy: &RenewalPolicy,
) -> Result<(), Error> {
    let facts = facts(engine, unit, &[certificate]).await?.into_iter().next().unwrap_or_default();
    replan(engine, certificate, Basis { policy, facts: &facts, now: unit.now() });
    Ok(())
}

/// The same with advice that is not stored yet.
pub(crate) async fn replan_advised(
    engine: &Engine,
    unit: &UnitOfWork,
    certificate: &mut Certificate,
    (policy, advice): (&RenewalPolicy, &RenewalAdvice),
) -> Result<(), Error> {
    let mut facts = facts(engine, unit, &[certificate]).await?.into_iter().next().unwrap_or_default();
    facts.advice.retain(|stored| stored.id != advice.id);
    facts.advice.push(advice.clone());
    replan(engine, certificate, Basis { policy, facts: &facts, now: unit.now() });
    Ok(())
}

/// Whether a certificate whose moment has come is due by the policy as it is now; else it is planned anew.
pub(crate) fn due_or_replanned(engine: &Engine, certificate: &mut Certificate, basis: Basis<'_>) -> bool {
    let due = is_due(&basis.input(certificate));
    if !due {
        replan(engine, certificate, basis);
    }
    due
}
