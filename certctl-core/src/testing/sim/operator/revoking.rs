//! What people do when a key may be known to others: they put a certificate on hold, let it go again or revoke it for good, and
//! revoke versions that another one took the place of.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{LOCAL, Operator, parse};
use crate::Error;
use crate::domain::{Certificate, CertificateId, Lifecycle, Revocation, RevocationReason, Version, VersionId};
use crate::engine::Engine;
use crate::entity::Record;
use crate::ops::{Access, Context, Operation, certificate};
use crate::ports::Clock;
use crate::revocation::{self, Facts};
use crate::storage::{Query, View};
use crate::testing::sim::recorder::{HEARD, Said};

/// How often a certificate is asked about.
const QUESTIONS: usize = 4;
const FOR_GOOD: &[RevocationReason] =
    &[RevocationReason::KeyCompromise, RevocationReason::Superseded, RevocationReason::CessationOfOperation];

impl Operator {
    /// Puts it on hold, revokes it for good, or revokes what it was before.
    pub(super) async fn revoke(&self, id: CertificateId) {
        let reason = self.chance.of(FOR_GOOD).copied().unwrap_or(RevocationReason::Unspecified);
        match self.chance.below(8) {
            0 => drop(self.ask(certificate::Revoke { id, reason }).await),
            1..=3 => drop(self.ask(RevokeOlder { id, reason }).await),
            _ => self.hold(id).await,
        }
    }

    async fn hold(&self, id: CertificateId) {
        let known = self.certificates(|| Certificate::FIELDS.id.equals(id.clone())).await;
        // What nobody could renew in time is not put off.
        let holds = |known: &Certificate| known.lifecycle == Lifecycle::Issued && !self.is_urgent(known);
        if known.first().is_some_and(holds) {
            drop(self.ask(certificate::Revoke { id, reason: RevocationReason::CertificateHold }).await);
        }
    }

    /// What is on hold is released sooner or later, or revoked for good.
    pub(super) async fn decide_holds(&self) {
        let hold = RevocationReason::CertificateHold.name();
        for held in self.certificates(|| Certificate::FIELDS.revocation_reason.equals(Some(hold.to_owned()))).await {
            let (id, reason) = (held.id.clone(), RevocationReason::KeyCompromise);
            match self.chance.below(if self.weather.is_calm() || self.is_urgent(&held) { 1 } else { 8 }) {
                0 | 1 => drop(self.ask(certificate::Release { id }).await),
                2 => drop(self.ask(certificate::Revoke { id, reason }).await),
                3 => drop(self.ask(RevokeOlder { id, reason }).await),
                _ => {}
            }
        }
    }

    /// Asks engines about certificates, as everybody may; while nothing breaks they have to know. Now and then one is put on hold,
    /// so that what they know changes.
    pub(super) async fn check_status(&self) {
        let list = |engine: Engine| async move {
            let made = Version::FIELDS.issuer_id.equals(parse(LOCAL)?);
            let newest = Query::sorted(Version::FIELDS.created_at.descending()).filter(made).limit(20);
            Ok::<_, Error>(engine.storage().read(View::Latest).await?.list(newest).await?.records)
        };
        let versions = self.wire.call(list).await.and_then(Result::ok).unwrap_or_default();
        let Some(version) = self.chance.of(&versions) else { return };
        self.ask_for_status(version).await;
        if self.chance.one_in(4) {
            self.hold(version.certificate_id.clone()).await;
            self.pause(HEARD).await;
            self.ask_for_status(version).await;
        }
    }

    async fn ask_for_status(&self, version: &Version) {
        // Any of the engines answers.
        for _ in 0..QUESTIONS {
            let asked_at = self.clock.monotonic();
            let ask = |engine: Engine| {
                let (issuer, serial) = (version.issuer_id.clone(), version.serial_number.as_bytes().to_vec());
                async move { engine.ocsp_of_serial(&issuer, &serial).await }
            };
            if let Some(Ok(answer)) = self.wire.call(ask).await {
                self.recorder.model().said(version, Said::read(&answer.der), asked_at);
            }
        }
    }

    async fn certificates(&self, which: impl Fn() -> crate::entity::Condition<Certificate>) -> Vec<Certificate> {
        let list = |engine: Engine| {
            let query = Query::<Certificate>::all().filter(which());
            async move { engine.storage().read(View::Latest).await?.list(query.limit(100)).await }
        };
        let page = self.wire.call(list).await.and_then(Result::ok);
        page.map_or_else(Vec::new, |page| page.records.into_iter().map(Record::into_entity).collect())
    }
}

/// Revokes alone what is valid of a certificate and no key holder's newest, as doors do whose clients know single certificates.
#[derive(Clone, Debug)]
struct RevokeOlder {
    id: CertificateId,
    reason: RevocationReason,
}

#[async_trait]
impl Operation for RevokeOlder {
    type Output = ();
    const NAME: &'static str = "certificate.revoke_older";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        let found = cx.unit.get::<Certificate>(self.id.as_str()).await?;
        let certificate = found.ok_or_else(|| Error::not_found("certificate", &self.id))?;
        let of = Version::FIELDS.certificate_id.equals(self.id.clone());
        let newest_first = Query::sorted(Version::FIELDS.created_at.descending()).filter(of).limit(100);
        let of = Revocation::FIELDS.certificate_id.equals(self.id.clone());
        let revoked = cx.unit.list(Query::<Revocation>::all().filter(of).limit(100)).await?.records;
        let is_final = |version: &Version| {
            revoked.iter().any(|row| row.version_id == version.id && row.reason != RevocationReason::CertificateHold)
        };
        let (mut holders, mut older) = (BTreeSet::new(), Vec::<VersionId>::new());
        for version in cx.unit.list(newest_first).await?.records {
            let is_newest = holders.insert(version.key_holder.clone());
            if !is_newest && version.not_after >= cx.unit.now() && !is_final(&version) {
                older.push(version.id.clone());
            }
        }
        if older.is_empty() || certificate.lifecycle == Lifecycle::Archived {
            return Ok(());
        }
        let mut facts = Facts::of(cx.engine, &mut cx.unit, &[&certificate]).await?;
        let who = (cx.engine, cx.principal);
        revocation::revoke_alone(who, &mut cx.unit, (&certificate, &older, self.reason), &mut facts)
    }
}
