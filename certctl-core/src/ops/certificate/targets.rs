//! Mapping a certificate to its targets.

use std::collections::BTreeSet;

use crate::domain::{CertificateId, CertificateTarget, CertificateTargetId, TargetId, TargetRecord};
use crate::error::Error;
use crate::jobs::live::live;
use crate::jobs::open::MAX_TARGETS;
use crate::ops::Context;

/// Records the mappings of the given targets; gives them. The targets and their agents are pinned, so that none goes away
/// or retires meanwhile.
pub(super) async fn map(
    cx: &mut Context<'_>,
    certificate: &CertificateId,
    targets: &[TargetId],
) -> Result<Vec<CertificateTarget>, Error> {
    if targets.len() > MAX_TARGETS {
        let detail = format!("a certificate has at most {MAX_TARGETS} targets");
        return Err(Error::invalid_field("/target_ids", "too_many", detail));
    }
    let (mut mappings, mut agents) = (Vec::new(), BTreeSet::new());
    let mut seen = BTreeSet::new();
    for id in targets.iter().filter(|id| seen.insert((*id).clone())) {
        let target = cx.unit.get::<TargetRecord>(id.as_str()).await?.filter(|target| target.retired_at.is_none());
        let target = target.ok_or_else(|| {
            Error::invalid_field(
                "/target_ids",
                "unknown_reference",
                format!("there is no target `{id}`; create it first"),
            )
        })?;
        let mapping = CertificateTarget {
            id: CertificateTargetId::generate(&*cx.ports().clock, &*cx.ports().rng),
            certificate_id: certificate.clone(),
            target_id: id.clone(),
            agent_id: target.agent_id.clone(),
        };
        agents.insert(target.agent_id.clone());
        cx.unit.insert(mapping.clone());
        mappings.push(mapping);
    }
    if !agents.is_empty() {
        live(cx.engine, &mut cx.unit, &agents).await?;
    }
    Ok(mappings)
}
