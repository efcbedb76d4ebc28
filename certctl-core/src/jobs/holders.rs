//! Who holds the keys of certificates, and how they stand: read for many at once.

use std::collections::{BTreeMap, BTreeSet};

use super::live::{Standing, standing};
use super::open::{MAX_TARGETS, key_holders};
use crate::domain::{AgentId, Certificate, CertificateId, CertificateTarget, Timestamp};
use crate::engine::Engine;
use crate::error::Error;
use crate::storage::{Query, Reads, UnitOfWork};

/// Certificates whose targets are asked for with one condition.
const IN_ONE: usize = 50;

/// Who holds the keys of certificates, and how they stand.
pub(crate) struct Holders {
    of: BTreeMap<CertificateId, BTreeSet<AgentId>>,
    standing: BTreeMap<AgentId, Standing>,
}

/// An agent that is about to retire, and until when that holds.
pub(crate) struct Leaving {
    pub(crate) agent: AgentId,
    pub(crate) until: Timestamp,
}

impl Holders {
    /// Reads them all, and pins the agents that may be given something.
    pub(crate) async fn of(
        engine: &Engine,
        unit: &mut UnitOfWork,
        certificates: &[&Certificate],
    ) -> Result<Self, Error> {
        let mut reads = Reads::default();
        let mut places = Vec::new();
        for certificates in certificates.chunks(IN_ONE) {
            let ids = certificates.iter().map(|certificate| certificate.id.clone());
            let of = CertificateTarget::FIELDS.certificate_id.one_of(ids);
            let query = Query::<CertificateTarget>::all().filter(of).limit(certificates.len() * MAX_TARGETS);
            places.push(reads.list(query)?);
        }
        let mut found = unit.read(reads).await?;
        let mut targets: BTreeMap<CertificateId, Vec<CertificateTarget>> = BTreeMap::new();
        for place in &places {
            for target in found.all(place)? {
                let target: CertificateTarget = target.into_entity();
                targets.entry(target.certificate_id.clone()).or_default().push(target);
            }
        }
        let holders = |certificate: &&Certificate| {
            let targets = targets.get(&certificate.id).map_or(&[][..], Vec::as_slice);
            (certificate.id.clone(), key_holders(certificate, targets))
        };
        let of: BTreeMap<_, _> = certificates.iter().map(holders).collect();
        let all: BTreeSet<AgentId> = of.values().flatten().cloned().collect();
        let standing = if all.is_empty() { BTreeMap::new() } else { standing(engine, unit, &all).await? };
        for agent in standing.values() {
            if let Standing::Live(agent) = agent {
                unit.pin(agent);
            }
        }
        Ok(Self { of, standing })
    }

    /// Those of one certificate, however they stand.
    pub(crate) fn all(&self, certificate: &CertificateId) -> BTreeSet<AgentId> {
        self.of.get(certificate).cloned().unwrap_or_default()
    }

    /// Those of one certificate that may be given something, unless one of them is about to retire.
    pub(crate) fn live(&self, certificate: &CertificateId) -> Result<BTreeSet<AgentId>, Leaving> {
        let mut live = BTreeSet::new();
        for id in self.of.get(certificate).into_iter().flatten() {
            match self.standing.get(id) {
                Some(Standing::Live(_)) => {
                    live.insert(id.clone());
                }
                Some(Standing::Retiring(until)) => return Err(Leaving { agent: id.clone(), until: *until }),
                // What they held goes to nobody else by itself.
                Some(Standing::Unknown | Standing::Sentinel | Standing::Retired) | None => {}
            }
        }
        Ok(live)
    }
}
