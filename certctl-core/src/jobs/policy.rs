//! Comparing a certificate with the policy rules, and keeping the list of what violates them.

use std::collections::BTreeMap;

use serde_json::json;

use super::held::Held;
use super::open::{key_holders, targets_query};
use super::order::Order;
use super::scope;
use crate::decide::policy::{PolicyBreach, PolicyFacts, PolicyVerdict, Validity, evaluate};
use crate::domain::{
    AuditAction, Certificate, CertificateId, CertificateTarget, PolicyRule, PolicyRuleId, PolicyViolation,
    PolicyViolationId, Principal, Version,
};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::{Error, ErrorKind, FieldError};
use crate::ops::context::audit_event;
use crate::storage::{Query, Reads, UnitOfWork};

/// The code of what is refused because of a rule.
pub(crate) const CODE: &str = "policy_violation";

/// What the rules say of one certificate. Nothing was compared where there are no rules.
#[derive(Debug, Default)]
pub(crate) struct Judgement(Vec<(PolicyRuleId, PolicyVerdict)>);

impl Judgement {
    /// Compares the certificate, as it will be stored, with the rules of its order.
    pub(crate) fn of(order: &Order, facts: &PolicyFacts<'_>) -> Self {
        let verdicts = evaluate(&order.compliance, facts).into_iter();
        Self(verdicts.map(|(active, verdict)| (active.rule.id.clone(), verdict)).collect())
    }

    /// What is violated so that nothing may come of what was asked for.
    pub(crate) fn blocking(&self) -> Vec<PolicyBreach> {
        self.breaches().filter(|breach| breach.blocks).cloned().collect()
    }

    /// Refuses what violates an enforcing rule.
    ///
    /// # Errors
    /// `policy_violation`, with every such rule.
    pub(crate) fn allow(&self) -> Result<(), Error> {
        let blocking = self.blocking();
        if blocking.is_empty() { Ok(()) } else { Err(refusal(&blocking)) }
    }

    fn breaches(&self) -> impl Iterator<Item = &PolicyBreach> {
        self.0.iter().filter_map(|(_, verdict)| match verdict {
            PolicyVerdict::Violated(breach) => Some(breach),
            PolicyVerdict::Kept | PolicyVerdict::Open => None,
        })
    }

    /// Stores what is violated, and forgets what is not any more.
    pub(crate) async fn store(
        &self,
        engine: &Engine,
        unit: &mut UnitOfWork,
        principal: &Principal,
        certificate: &CertificateId,
    ) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        let stored = unit.list(violations_of(certificate)).await?.records;
        self.store_beside(stored, engine, unit, (principal, certificate));
        Ok(())
    }

    /// The same for a certificate of which no violation can be stored yet.
    pub(crate) fn store_first(
        &self,
        engine: &Engine,
        unit: &mut UnitOfWork,
        principal: &Principal,
        certificate: &CertificateId,
    ) {
        self.store_beside(Vec::new(), engine, unit, (principal, certificate));
    }

    fn store_beside(
        &self,
        stored: Vec<Record<PolicyViolation>>,
        engine: &Engine,
        unit: &mut UnitOfWork,
        (principal, certificate): (&Principal, &CertificateId),
    ) {
        let mut stored: BTreeMap<PolicyRuleId, Record<PolicyViolation>> =
            stored.into_iter().map(|violation| (violation.rule_id.clone(), violation)).collect();
        let now = unit.now();
        for (rule_id, verdict) in &self.0 {
            let before = stored.remove(rule_id);
            match (verdict, before) {
                (PolicyVerdict::Violated(breach), Some(before)) => refresh(unit, before, breach),
                (PolicyVerdict::Violated(breach), None) => {
                    unit.insert(PolicyViolation {
                        id: PolicyViolationId::generate(&*engine.ports().clock, &*engine.ports().rng),
                        certificate_id: certificate.clone(),
                        rule_id: rule_id.clone(),
                        message: breach.message.clone(),
                        severity: breach.severity,
                        created_at: now,
                    });
                    let details = json!({
                        "rule_id": rule_id, "rule": breach.rule, "type": breach.kind, "severity": breach.severity,
                        "blocked": breach.blocks, "message": breach.message,
                    });
                    let action = AuditAction::PolicyViolationDetected;
                    let about = ("certificate", certificate.as_str());
                    unit.append(audit_event(engine, principal, now, action, about, details));
                }
                (PolicyVerdict::Kept, Some(before)) => resolve(engine, unit, principal, &before),
                (PolicyVerdict::Open, Some(_)) | (PolicyVerdict::Kept | PolicyVerdict::Open, None) => {}
            }
        }
        // Of rules that are not in force any more.
        for before in stored.values() {
            resolve(engine, unit, principal, before);
        }
    }
}

/// What is ordered.
#[derive(Clone, Copy)]
pub(crate) struct Ordered<'a> {
    pub(crate) certificate: &'a Held,
    pub(crate) order: &'a Order,
    /// All targets of the certificate.
    pub(crate) targets: &'a [CertificateTarget],
}

/// Compares an order with the rules: before the issuer is asked, without a validity, and before what it made is
/// recorded, with it. Gives what forbids the order; that is stored, and so is everything once there is a validity. Of a
/// certificate that is not stored yet nothing is, where something forbids it.
pub(crate) async fn at_issuance(
    engine: &Engine,
    unit: &mut UnitOfWork,
    principal: &Principal,
    Ordered { certificate, order, targets }: Ordered<'_>,
    validity: Option<Validity>,
) -> Result<Vec<PolicyBreach>, Error> {
    if order.compliance.is_empty() {
        return Ok(Vec::new());
    }
    let groups = &scope::groups_of(unit, &order.compliance, &key_holders(certificate, targets)).await?;
    let is_new = certificate.is_new();
    let certificate: &Certificate = certificate;
    // A rule about issuers is about the one that is asked.
    let elsewhere = (order.issuer_id != certificate.issuer_id)
        .then(|| Certificate { issuer_id: order.issuer_id.clone(), ..certificate.clone() });
    let certificate = elsewhere.as_ref().unwrap_or(certificate);
    let facts = PolicyFacts { certificate, names: &order.names, validity, issuing: true, groups, now: unit.now() };
    let judgement = Judgement::of(order, &facts);
    let blocking = judgement.blocking();
    if is_new {
        if validity.is_some() && blocking.is_empty() {
            judgement.store_first(engine, unit, principal, &certificate.id);
        }
    } else if validity.is_some() || !blocking.is_empty() {
        judgement.store(engine, unit, principal, &certificate.id).await?;
    }
    Ok(blocking)
}

/// Compares a changed certificate with the rules, its newest version included. Without targets it has those that are
/// stored.
pub(crate) async fn of_stored(
    unit: &UnitOfWork,
    certificate: &Certificate,
    order: &Order,
    targets: Option<&[CertificateTarget]>,
) -> Result<Judgement, Error> {
    if order.compliance.is_empty() {
        return Ok(Judgement::default());
    }
    let mut reads = Reads::default();
    let newest = Query::<Version>::sorted(Version::FIELDS.created_at.descending())
        .filter(Version::FIELDS.certificate_id.equals(certificate.id.clone()));
    let newest = reads.list(newest.limit(1))?;
    let scoped = targets.is_none() && scope::is_needed(&order.compliance);
    let stored = if scoped { Some(reads.list(targets_query(&certificate.id))?) } else { None };
    let mut found = unit.read(reads).await?;
    let newest = found.one(&newest)?;
    let stored = stored.map_or(Ok(Vec::new()), |stored| found.all(&stored))?;
    let stored: Vec<CertificateTarget> = stored.into_iter().map(Record::into_entity).collect();
    let holders = key_holders(certificate, targets.unwrap_or(&stored));
    let groups = &scope::groups_of(unit, &order.compliance, &holders).await?;
    let validity = newest.map(|version| Validity { not_before: version.not_before, not_after: version.not_after });
    let facts = PolicyFacts { certificate, names: &order.names, validity, issuing: false, groups, now: unit.now() };
    Ok(Judgement::of(order, &facts))
}

/// The refusal of what violates these rules.
pub(crate) fn refusal(breaches: &[PolicyBreach]) -> Error {
    let error = Error::new(ErrorKind::Unprocessable, CODE, reason(breaches));
    breaches.iter().fold(error, |error, breach| {
        error.field(FieldError {
            pointer: breach.pointer.clone(),
            code: CODE,
            detail: format!("rule `{}` ({}): {}", breach.rule, breach.rule_id, breach.message),
        })
    })
}

/// The same for a job's last error.
pub(crate) fn reason(breaches: &[PolicyBreach]) -> String {
    let all: Vec<String> =
        breaches.iter().map(|breach| format!("policy rule `{}` forbids it: {}", breach.rule, breach.message)).collect();
    all.join("; ")
}

/// Forgets every violation of a certificate that is put away.
pub(crate) async fn forget(unit: &mut UnitOfWork, certificate: &CertificateId) -> Result<(), Error> {
    for violation in unit.list(violations_of(certificate)).await?.records {
        unit.delete(&violation);
    }
    Ok(())
}

fn violations_of(certificate: &CertificateId) -> Query<PolicyViolation> {
    let of = PolicyViolation::FIELDS.certificate_id.equals(certificate.clone());
    Query::all().filter(of).limit(PolicyRule::MOST * 4)
}

/// It is the same violation; its text and severity may have changed.
fn refresh(unit: &mut UnitOfWork, mut before: Record<PolicyViolation>, breach: &PolicyBreach) {
    if before.message != breach.message || before.severity != breach.severity {
        (before.message, before.severity) = (breach.message.clone(), breach.severity);
        unit.update(before);
    }
}

fn resolve(engine: &Engine, unit: &mut UnitOfWork, principal: &Principal, violation: &Record<PolicyViolation>) {
    unit.delete(violation);
    let details = json!({ "rule_id": violation.rule_id, "message": violation.message });
    let about = ("certificate", violation.certificate_id.as_str());
    unit.append(audit_event(engine, principal, unit.now(), AuditAction::PolicyViolationResolved, about, details));
}
