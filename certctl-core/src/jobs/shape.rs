//! Comparing a new version with the one before it, before anything is deployed.

use serde_json::json;

use super::deploy::newest_deployable;
use crate::decide::shape::{Shape, ShapeInput, blocks, decide};
use crate::domain::{
    AuditAction, Certificate, CertificateTarget, Chain, NotificationType, Principal, ShapeFinding, ShapeState,
    TargetRecord, Version,
};
use crate::engine::Engine;
use crate::error::Error;
use crate::ops::context::audit_event;
use crate::outbox::{self, About};
use crate::storage::{Reads, UnitOfWork};

/// What the comparison came to.
pub(crate) struct Compared {
    pub(crate) state: ShapeState,
    pub(crate) findings: Vec<ShapeFinding>,
}

/// Compares a chain with the newest version of the key holder that may be deployed. One that is held is not what anybody relies on.
pub(crate) async fn compare(
    unit: &UnitOfWork,
    chain: &Chain,
    predecessor: Option<&Version>,
    targets: &[&CertificateTarget],
) -> Result<Compared, Error> {
    let fits = Compared { state: ShapeState::Fits, findings: Vec::new() };
    let Some(newest) = predecessor else { return Ok(fits) };
    let relied_on = match newest.shape {
        ShapeState::Held => unit.first(newest_deployable(&newest.certificate_id, &newest.key_holder)).await?,
        ShapeState::Accepted | ShapeState::Fits | ShapeState::Noted => None,
    };
    let relied_on = match newest.shape {
        ShapeState::Held => relied_on.as_deref(),
        ShapeState::Accepted | ShapeState::Fits | ShapeState::Noted => Some(newest),
    };
    // What cannot be read was not made here: imported, or of a maker with other ideas.
    let before = relied_on.and_then(|version| Shape::of(&version.chain).ok());
    let (Some(before), Ok(after)) = (before, Shape::of(chain)) else { return Ok(fits) };
    let mut findings = decide(&ShapeInput { before: &before, after: &after, shown_as_client: true });
    if blocks(&findings) {
        let shown_as_client = any_client(unit, targets).await?;
        findings = decide(&ShapeInput { before: &before, after: &after, shown_as_client });
    }
    let state = if findings.is_empty() {
        ShapeState::Fits
    } else if blocks(&findings) && !targets.is_empty() {
        ShapeState::Held
    } else {
        ShapeState::Noted
    };
    Ok(Compared { state, findings })
}

async fn any_client(unit: &UnitOfWork, targets: &[&CertificateTarget]) -> Result<bool, Error> {
    let mut reads = Reads::default();
    let places: Vec<_> = targets.iter().map(|target| reads.get::<TargetRecord>(target.target_id.as_str())).collect();
    let mut found = unit.read(reads).await?;
    for place in &places {
        if found.one(place)?.is_some_and(|target: crate::entity::Record<TargetRecord>| target.client_auth) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Tells people in what a new version differs.
///
/// # Errors
/// The store's, where the owner's address has to be read.
pub(crate) async fn tell(
    engine: &Engine,
    unit: &mut UnitOfWork,
    principal: &Principal,
    (certificate, version): (&Certificate, &Version),
) -> Result<(), Error> {
    let (action, kind, what) = match version.shape {
        ShapeState::Held => (AuditAction::ShapeHeld, NotificationType::DeploymentFailure, "is not deployed"),
        ShapeState::Noted => (AuditAction::ShapeNoted, NotificationType::PolicyViolation, "looks different"),
        ShapeState::Accepted | ShapeState::Fits => return Ok(()),
    };
    let details: Vec<&str> = version.shape_findings.iter().map(|finding| finding.detail.as_str()).collect();
    let key = format!("shape:{}", version.id);
    let about = About::new(certificate, kind, &key);
    let subject = format!("The new version of {} {what}", certificate.name);
    let mut message = format!("{subject}: {}.", details.join("; "));
    if version.shape == ShapeState::Held {
        message
            .push_str(" Accept it, or renew again once the cause is mended; the version before it stays in service.");
    }
    outbox::notify(engine, unit, &about, &subject, &message).await?;
    let details = json!({ "version_id": version.id, "findings": version.shape_findings.0 });
    let resource = ("certificate", certificate.id.as_str());
    unit.append(audit_event(engine, principal, unit.now(), action, resource, details));
    Ok(())
}
