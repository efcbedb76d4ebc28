//! Planning the renewal of certificates anew, by a policy that changed or is another one.

use crate::decide::replan::{ReplanInput, decide, is_due};
use crate::domain::{Certificate, Lifecycle, RenewalPolicy, Timestamp, Version};
use crate::engine::Engine;
use crate::error::Error;
use crate::storage::{Place, Query, Reads, UnitOfWork};

/// How many certificates' versions are asked for in one trip.
const IN_ONE: usize = 50;

/// The first moments of validity of the newest versions, in the order of the certificates.
pub(crate) async fn validities(
    unit: &UnitOfWork,
    certificates: &[&Certificate],
) -> Result<Vec<Option<Timestamp>>, Error> {
    let mut validities = Vec::with_capacity(certificates.len());
    for certificates in certificates.chunks(IN_ONE) {
        let mut reads = Reads::default();
        let mut places: Vec<Place<Version>> = Vec::with_capacity(certificates.len());
        for certificate in certificates {
            let newest = Query::<Version>::sorted(Version::FIELDS.created_at.descending())
                .filter(Version::FIELDS.certificate_id.equals(certificate.id.clone()));
            places.push(reads.list(newest.limit(1))?);
        }
        let mut found = unit.read(reads).await?;
        for place in &places {
            validities.push(found.one(place)?.map(|version| version.not_before));
        }
    }
    Ok(validities)
}

/// By what a certificate is planned anew.
pub(crate) struct Basis<'a> {
    /// The policy as it is now.
    pub(crate) policy: &'a RenewalPolicy,
    /// First moment of validity of the newest version.
    pub(crate) not_before: Option<Timestamp>,
    /// The moment of the decision.
    pub(crate) now: Timestamp,
}

/// Plans the renewal by the policy as it is now.
pub(crate) fn replan(engine: &Engine, certificate: &mut Certificate, basis: &Basis<'_>) {
    let Basis { policy, not_before, now } = *basis;
    let random = engine.ports().rng.next_u64();
    let plan = decide(&ReplanInput { certificate, policy, not_before, now, random });
    (certificate.renew_at, certificate.expiring_at) = (plan.renew_at, plan.expiring_at);
}

/// Plans the renewal of one certificate by a policy that was read and pinned.
pub(crate) async fn replan_one(
    engine: &Engine,
    unit: &UnitOfWork,
    certificate: &mut Certificate,
    policy: &RenewalPolicy,
) -> Result<(), Error> {
    let not_before = validities(unit, &[certificate]).await?.into_iter().next().flatten();
    replan(engine, certificate, &Basis { policy, not_before, now: unit.now() });
    Ok(())
}

/// Whether a certificate whose moment has come is due by the policy as it is now; else it is planned anew.
pub(crate) async fn due_or_replanned(
    engine: &Engine,
    unit: &UnitOfWork,
    certificate: &mut Certificate,
    policy: &RenewalPolicy,
) -> Result<bool, Error> {
    let not_before = match certificate.lifecycle {
        Lifecycle::Issued => validities(unit, &[certificate]).await?.into_iter().next().flatten(),
        _ => None,
    };
    let now = unit.now();
    if is_due(&ReplanInput { certificate, policy, not_before, now, random: 0 }) {
        return Ok(true);
    }
    replan(engine, certificate, &Basis { policy, not_before, now });
    Ok(false)
}
