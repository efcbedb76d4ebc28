//! Doing one thing to many certificates: in parts, each a commit of its own, and told of every one how it went.

mod criteria;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde_json::{Value, json};

pub use criteria::BulkCriteria;

use crate::domain::{Certificate, CertificateId, Principal};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::{Error, ErrorKind};
use crate::ops::Context;
use crate::storage::{ApplyError, Query, UnitOfWork};
use crate::text_enum;

/// Certificates of one commit: so many that thousands are no thousand commits, and so few that others get their turn in
/// between.
pub(super) const PART: usize = 250;

/// Runs after the first, when a commit came too late.
const RETRIES: u32 = 3;

/// Whether something is done, or only told what would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    /// Nothing is changed.
    Preview,
    /// It is done.
    #[default]
    Real,
}

text_enum! {
    /// Why a certificate was passed over.
    pub enum BulkSkip {
        /// It is archived.
        Archived = "archived",
        /// It was among those that were meant, and is no more.
        Changed = "changed",
        /// A renewal or its first issuance is under way.
        Renewing = "renewing",
        /// It is revoked.
        Revoked = "revoked",
        /// It is already as it is to be.
        Unchanged = "unchanged",
    }
}

/// How it went. Each certificate that was meant stands in exactly one of the lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BulkResult {
    /// Those that it was done to, or would be.
    pub done: Vec<CertificateId>,
    /// Those that were passed over, and why.
    pub skipped: Vec<(CertificateId, BulkSkip)>,
    /// Those that it could not be done to, and why.
    pub failed: Vec<(CertificateId, String)>,
}

impl BulkResult {
    /// How many certificates were meant.
    pub fn matched(&self) -> usize {
        self.done.len() + self.skipped.len() + self.failed.len()
    }

    /// All that were meant.
    pub(super) fn meant(&self) -> BTreeSet<&CertificateId> {
        let skipped = self.skipped.iter().map(|(id, _)| id);
        let failed = self.failed.iter().map(|(id, _)| id);
        self.done.iter().chain(skipped).chain(failed).collect()
    }

    pub(super) fn extend(&mut self, more: Self) {
        self.done.extend(more.done);
        self.skipped.extend(more.skipped);
        self.failed.extend(more.failed);
    }

    fn take(&mut self, verdicts: Vec<(CertificateId, Verdict)>) {
        for (id, verdict) in verdicts {
            match verdict {
                Verdict::Done => self.done.push(id),
                Verdict::Skipped(why) => self.skipped.push((id, why)),
                Verdict::Failed(why) => self.failed.push((id, why)),
            }
        }
    }

    /// For the audit trail.
    pub(super) fn totals(&self) -> Value {
        json!({ "matched": self.matched(), "done": self.done.len(), "skipped": self.skipped.len(), "failed": self.failed.len() })
    }
}

/// What becomes of one certificate.
pub(super) enum Verdict {
    Done,
    Skipped(BulkSkip),
    Failed(String),
}

impl Verdict {
    /// What is refused to one certificate is its own; what the store or the engine fails at concerns all.
    pub(super) fn of(error: Error) -> Result<Self, Error> {
        match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Internal => Err(error),
            _ => Ok(Self::Failed(error.message().to_owned())),
        }
    }
}

/// What is done to each certificate.
#[async_trait]
pub(super) trait Bulk: Send + Sync {
    /// Decides about certificates in their order, and records in the unit what is done to them.
    async fn decide(
        &self,
        who: (&Engine, &Principal),
        unit: &mut UnitOfWork,
        certificates: Vec<Record<Certificate>>,
    ) -> Result<Vec<(CertificateId, Verdict)>, Error>;
}

/// Does it to all that the criteria mean, however many they are. What is committed stays, whatever happens to the rest.
pub(super) async fn conduct(
    cx: &Context<'_>,
    bulk: &dyn Bulk,
    criteria: &BulkCriteria,
    effect: Effect,
) -> Result<BulkResult, Error> {
    criteria.check()?;
    let meant = criteria.select(&cx.unit).await?;
    let work = Work { who: (cx.engine, cx.principal), bulk, criteria, effect };
    let mut result = BulkResult::default();
    for part in meant.chunks(PART) {
        result.take(work.part(part).await);
    }
    Ok(result)
}

/// Why a part was not done.
enum Late {
    /// Somebody else wrote the same at the same moment: fresh reads help.
    Overtaken(ApplyError),
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Late {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

struct Work<'a> {
    who: (&'a Engine, &'a Principal),
    bulk: &'a dyn Bulk,
    criteria: &'a BulkCriteria,
    effect: Effect,
}

impl Work<'_> {
    /// All in one commit; where that comes too late, each in its own.
    async fn part(&self, ids: &[CertificateId]) -> Vec<(CertificateId, Verdict)> {
        match self.attempt(ids).await {
            Ok(verdicts) => return verdicts,
            Err(Late::Overtaken(_)) => {}
            Err(Late::Failed(error)) => return failed(ids, &error),
        }
        let mut verdicts = Vec::with_capacity(ids.len());
        for id in ids {
            let id = std::slice::from_ref(id);
            let mut tries = 0;
            verdicts.extend(loop {
                match self.attempt(id).await {
                    Ok(verdicts) => break verdicts,
                    Err(Late::Overtaken(_)) if tries < RETRIES => tries += 1,
                    Err(Late::Overtaken(error)) => break failed(id, &error.into()),
                    Err(Late::Failed(error)) => break failed(id, &error),
                }
            });
        }
        verdicts
    }

    async fn attempt(&self, ids: &[CertificateId]) -> Result<Vec<(CertificateId, Verdict)>, Late> {
        let (engine, _) = self.who;
        let mut unit = UnitOfWork::begin(engine.storage()).await?;
        let query = Query::<Certificate>::all().filter(Certificate::FIELDS.id.one_of(ids.iter().cloned()));
        let found = unit.list(query.limit(ids.len())).await?.records;
        let mut found: BTreeMap<CertificateId, Record<Certificate>> =
            found.into_iter().map(|certificate| (certificate.id.clone(), certificate)).collect();
        let (mut verdicts, mut certificates) = (Vec::with_capacity(ids.len()), Vec::with_capacity(ids.len()));
        for id in ids {
            match found.remove(id) {
                None => {
                    let why = Error::not_found("certificate", id).message().to_owned();
                    verdicts.push((id.clone(), Verdict::Failed(why)));
                }
                Some(certificate) if !self.criteria.fit(&(&*certificate).into()) => {
                    verdicts.push((id.clone(), Verdict::Skipped(BulkSkip::Changed)));
                }
                Some(certificate) => certificates.push(certificate),
            }
        }
        verdicts.extend(self.bulk.decide(self.who, &mut unit, certificates).await?);
        if self.effect == Effect::Real {
            engine.commit(unit).await.map_err(|error| match error {
                ApplyError::Stale { .. } | ApplyError::Conflict { .. } | ApplyError::Missing { .. } => {
                    Late::Overtaken(error)
                }
                error => Late::Failed(error.into()),
            })?;
        }
        Ok(verdicts)
    }
}

fn failed(ids: &[CertificateId], error: &Error) -> Vec<(CertificateId, Verdict)> {
    if error.kind() == ErrorKind::Internal {
        tracing::error!(%error, source = ?std::error::Error::source(error), "a part of a bulk operation failed");
    }
    ids.iter().map(|id| (id.clone(), Verdict::Failed(error.message().to_owned()))).collect()
}
