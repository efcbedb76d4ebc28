//! Registering certificates that were made elsewhere, from a bundle of PEM blocks.

mod bundle;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use serde_json::json;

use self::bundle::{Bundle, Leaf};
use self::record::{Record, Recorded};
use super::bulk::{Effect, PART};
use super::create::check_tags;
use crate::domain::{
    AgentId, AuditAction, CertificateId, Fingerprint, IssuerId, OwnerId, ProfileId, RenewalPolicyId, TeamId, Timestamp,
};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind};
use crate::ops::{Access, Context, Operation, check};
use crate::text_enum;

/// Registers the certificates of a PEM bundle, each with its chain, as far as the bundle holds that. What is known by its
/// fingerprint is left as it is. Nothing is issued, and a private key among them refuses the whole.
#[derive(Clone, Debug)]
pub struct Import {
    pem: String,
    terms: ImportTerms,
    effect: Effect,
    /// What was done already, when only the last commit came too late.
    done: OnceLock<ImportResult>,
}

/// As what certificates are registered.
#[derive(Clone, Debug)]
pub struct ImportTerms {
    /// Who answers for them.
    pub owner_id: OwnerId,
    /// Their team.
    pub team_id: TeamId,
    /// Who issues their successors.
    pub issuer_id: IssuerId,
    /// When they are renewed.
    pub renewal_policy_id: RenewalPolicyId,
    /// What their successors must look like; the default profile when absent.
    pub certificate_profile_id: Option<ProfileId>,
    /// The agent that will hold the keys of their successors.
    pub agent_id: Option<AgentId>,
    /// Free text of at most 64 characters.
    pub environment: String,
    /// Their names; `{cn}` stands for the common name, `{serial}` for the serial number.
    pub name_template: String,
    /// Free labels, at most 64.
    pub tags: BTreeMap<String, String>,
}

text_enum! {
    /// Why a certificate of a bundle was passed over.
    pub enum ImportSkip {
        /// It stands in the bundle twice.
        Duplicate = "duplicate",
        /// It has ended.
        Expired = "expired",
        /// A managed certificate has it as a version.
        Known = "known",
        /// The block is no certificate.
        OtherBlock = "other_block",
    }
}

/// How it went. Each block of the bundle stands in exactly one of the lists, but for the certificates of CAs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportResult {
    /// What was registered, or would be.
    pub imported: Vec<Imported>,
    /// What was passed over.
    pub skipped: Vec<ImportSkipped>,
    /// What could not be registered.
    pub failed: Vec<ImportFailure>,
    /// How many certificates of CAs the bundle holds: they make up chains, and are not managed.
    pub authorities: usize,
}

impl ImportResult {
    /// How many blocks there are that are no certificates of CAs.
    pub fn matched(&self) -> usize {
        self.imported.len() + self.skipped.len() + self.failed.len()
    }
}

/// A certificate that was registered, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Which block of the bundle it is, from 1.
    pub position: usize,
    /// SHA-256 of its DER.
    pub fingerprint_sha256: Fingerprint,
    /// The id that it has now; absent in a preview.
    pub certificate_id: Option<CertificateId>,
    /// Its name.
    pub name: String,
    /// Its common name, or its first other name.
    pub common_name: String,
    /// Last moment of validity.
    pub not_after: Timestamp,
    /// How many certificates of CAs its chain has.
    pub issuers: usize,
}

/// A block that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportSkipped {
    /// Which block of the bundle it is, from 1.
    pub position: usize,
    /// Why.
    pub reason: ImportSkip,
    /// The managed certificate that has it as a version.
    pub certificate_id: Option<CertificateId>,
}

/// A certificate that could not be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportFailure {
    /// Which block of the bundle it is, from 1.
    pub position: usize,
    /// Why.
    pub error: String,
}

impl Import {
    /// Registers what the bundle holds, or tells what would be registered.
    pub fn new(pem: String, terms: ImportTerms, effect: Effect) -> Self {
        Self { pem, terms, effect, done: OnceLock::new() }
    }
}

#[async_trait]
impl Operation for Import {
    type Output = ImportResult;
    const NAME: &'static str = "certificate.import";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<ImportResult, Error> {
        let result = match self.done.get() {
            Some(done) => done.clone(),
            None => self.import(cx).await?,
        };
        if self.effect == Effect::Real {
            let result = self.done.get_or_init(|| result.clone());
            let totals = json!({
                "matched": result.matched(), "imported": result.imported.len(), "skipped": result.skipped.len(),
                "failed": result.failed.len(), "authorities": result.authorities,
            });
            cx.audit(AuditAction::BulkImportDone, ("certificates", "import"), json!({ "totals": totals }));
        }
        Ok(result)
    }
}

impl Import {
    async fn import(&self, cx: &mut Context<'_>) -> Result<ImportResult, Error> {
        self.terms.check(cx).await?;
        let Bundle { leaves, skipped, failed, authorities } = self.read(cx.engine).await?;
        let mut result = ImportResult { imported: Vec::new(), skipped, failed, authorities };
        let mut record = Record::new((cx.engine, cx.principal), &self.terms, self.effect);
        for part in leaves.chunks(PART) {
            for (leaf, recorded) in part.iter().zip(record.part(part).await) {
                let position = leaf.position;
                match recorded {
                    Recorded::Imported(imported) => result.imported.push(imported),
                    Recorded::Skipped(reason, certificate_id) => {
                        result.skipped.push(ImportSkipped { position, reason, certificate_id });
                    }
                    Recorded::Failed(error) => result.failed.push(ImportFailure { position, error }),
                }
            }
        }
        result.skipped.sort_by_key(|skipped| skipped.position);
        result.failed.sort_by_key(|failed| failed.position);
        Ok(result)
    }
}

impl Import {
    /// Reads the bundle away from the event loop: it may hold thousands of certificates, and as many signatures.
    async fn read(&self, engine: &Engine) -> Result<Bundle, Error> {
        let (pem, read) = (self.pem.clone(), Arc::new(OnceLock::new()));
        let reading = Arc::clone(&read);
        let work = move || {
            let _ = reading.set(Bundle::read(&pem));
        };
        engine.ports().spawner.blocking(Box::new(work)).await;
        let read = Arc::into_inner(read).and_then(OnceLock::into_inner);
        read.unwrap_or_else(|| Err(Error::new(ErrorKind::Internal, "internal", "the bundle was not read")))
    }
}

impl ImportTerms {
    /// What is wrong for all of them refuses the whole.
    async fn check(&self, cx: &mut Context<'_>) -> Result<(), Error> {
        check::text("/environment", &self.environment, 64)?;
        check::name("/name_template", &self.name_template, 255)?;
        check_tags(&self.tags)?;
        if let Some(agent) = &self.agent_id {
            super::create::live_agent(cx, agent).await?;
        }
        record::check_references(cx, self).await
    }
}

/// What is refused to one certificate is its own; what the store or the engine fails at concerns all.
fn own(error: Error) -> Result<String, Error> {
    match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Internal => Err(error),
        _ => Ok(error.message().to_owned()),
    }
}

/// What was registered in earlier parts of the same bundle: a preview stores nothing that could be looked up.
#[derive(Clone, Debug, Default)]
struct Taken {
    names: BTreeSet<String>,
    keys: BTreeSet<String>,
    serials: BTreeSet<(IssuerId, String)>,
}

impl Taken {
    fn extend(&mut self, more: Self) {
        self.names.extend(more.names);
        self.keys.extend(more.keys);
        self.serials.extend(more.serials);
    }
}

impl Leaf {
    /// The common name, or the first other one.
    fn common_name(&self) -> Option<String> {
        let names = &self.facts.names;
        names.common_name.clone().or_else(|| names.sans.first().map(ToString::to_string))
    }

    /// What it will be called.
    fn name(&self, terms: &ImportTerms) -> Option<String> {
        let name = terms.name_template.replace("{cn}", &self.common_name()?);
        Some(name.replace("{serial}", &self.facts.serial.to_string()))
    }

    /// Who made it, for the serial number is one of theirs: what it says of its issuer, for nothing more is known.
    fn maker(&self) -> Result<IssuerId, Error> {
        let name = Fingerprint::of(self.facts.issuer.as_bytes()).to_string();
        IssuerId::parse(format!("external-{}", name.get(..32).unwrap_or(&name))).map_err(Error::internal)
    }
}
