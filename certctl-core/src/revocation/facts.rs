//! What is read of certificates before they are revoked or released: in few trips, however many they are.

use std::collections::{BTreeMap, BTreeSet};

use super::epoch::Raised;
use crate::domain::{
    Certificate, CertificateId, IssuerId, IssuerRecord, Job, Profile, Revocation, RevocationNotice, Timestamp,
    VersionSerial,
};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::storage::{Query, UnitOfWork};

/// What is known of one certificate.
#[derive(Default)]
pub(crate) struct Standing {
    /// Its versions that have not expired.
    pub(super) versions: Vec<Record<VersionSerial>>,
    /// Its open jobs.
    pub(super) jobs: Vec<Record<Job>>,
    /// What of it is revoked.
    pub(super) revoked: Vec<Record<Revocation>>,
    /// What its issuers are told.
    pub(super) notices: Vec<Record<RevocationNotice>>,
}

/// What is known of several certificates.
#[derive(Default)]
pub(crate) struct Facts {
    standing: BTreeMap<CertificateId, Standing>,
    /// The issuers of the versions, and whether each has to be told.
    issuers: BTreeMap<IssuerId, bool>,
    short_lived: BTreeSet<String>,
    /// When it was read.
    now: Timestamp,
    /// Whose revocation epochs the unit has raised.
    pub(super) raised: Raised,
}

impl Facts {
    /// Reads it. Issuers are pinned: one that is to be told is not deleted meanwhile.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn of(
        engine: &Engine,
        unit: &mut UnitOfWork,
        certificates: &[&Certificate],
    ) -> Result<Self, Error> {
        let mut facts = Self { now: unit.now(), ..Self::default() };
        if certificates.is_empty() {
            return Ok(facts);
        }
        let ids = || certificates.iter().map(|certificate| certificate.id.clone());
        let valid = VersionSerial::FIELDS.not_after.at_least(unit.now());
        let of = Query::all().filter(VersionSerial::FIELDS.certificate_id.one_of(ids())).filter(valid);
        for version in unit.all::<VersionSerial>(of).await? {
            facts.standing.entry(version.certificate_id.clone()).or_default().versions.push(version);
        }
        let open = Query::all().filter(Job::FIELDS.certificate_id.one_of(ids())).filter(Job::FIELDS.open_slot.is_set());
        for job in unit.all::<Job>(open).await? {
            facts.standing.entry(job.certificate_id.clone()).or_default().jobs.push(job);
        }
        for revoked in unit.all(Query::all().filter(Revocation::FIELDS.certificate_id.one_of(ids()))).await? {
            facts.standing.entry(revoked.certificate_id.clone()).or_default().revoked.push(revoked);
        }
        for notice in unit.all(Query::all().filter(RevocationNotice::FIELDS.certificate_id.one_of(ids()))).await? {
            facts.standing.entry(notice.certificate_id.clone()).or_default().notices.push(notice);
        }
        facts.read_issuers(engine, unit).await?;
        let profiles: BTreeSet<&str> = certificates.iter().map(|certificate| profile_of(certificate)).collect();
        for id in profiles {
            if unit.peek::<Profile>(id).await?.is_some_and(|profile| profile.is_short_lived()) {
                facts.short_lived.insert(id.to_owned());
            }
        }
        Ok(facts)
    }

    /// What is known of one certificate; asked once for each.
    pub(crate) fn take(&mut self, id: &CertificateId) -> Standing {
        self.standing.remove(id).unwrap_or_default()
    }

    /// The same, without taking it.
    pub(super) fn peek(&self, id: &CertificateId) -> Option<&Standing> {
        self.standing.get(id)
    }

    /// Whether an issuer has to be told.
    pub(super) fn is_told(&self, issuer: &IssuerId) -> bool {
        self.issuers.get(issuer).copied().unwrap_or(false)
    }

    /// Whether CRLs leave out a version that is revoked: its profile is a short-lived one, and its end is as near as that. One that was
    /// made before the profile was changed, or elsewhere, is listed unless it ends within the hour.
    pub(super) fn is_short_lived(&self, certificate: &Certificate, version: &VersionSerial) -> bool {
        version.not_after <= self.now + Profile::SHORT_LIVED && self.short_lived.contains(profile_of(certificate))
    }

    /// Which revocation lists list a version that is revoked: none where nobody knows who signed it, or where its end is soon
    /// enough (requirements B9).
    pub(super) fn list_of(&self, certificate: &Certificate, version: &VersionSerial) -> String {
        let authority = version.issuer_key_id.as_ref().filter(|_| !self.is_short_lived(certificate, version));
        authority.map(|authority| Revocation::list(authority, version.crl_shard)).unwrap_or_default()
    }

    async fn read_issuers(&mut self, engine: &Engine, unit: &mut UnitOfWork) -> Result<(), Error> {
        let of = |standing: &Standing| {
            let made = standing.versions.iter().map(|version| version.issuer_id.clone());
            let told = standing.notices.iter().map(|notice| notice.issuer_id.clone());
            made.chain(told).collect::<Vec<_>>()
        };
        let issuers: BTreeSet<IssuerId> = self.standing.values().flat_map(of).collect();
        for id in issuers {
            // Who is gone cannot be told.
            let Some(record) = unit.get::<IssuerRecord>(id.as_str()).await? else { continue };
            let told = match engine.issuer(&record) {
                Ok(live) => live.revoker().is_some(),
                // What cannot be built now may be when its turn comes.
                Err(_) => true,
            };
            self.issuers.insert(id, told);
        }
        Ok(())
    }
}

fn profile_of(certificate: &Certificate) -> &str {
    certificate.certificate_profile_id.as_ref().map_or(Profile::DEFAULT_ID, |id| id.as_str())
}
