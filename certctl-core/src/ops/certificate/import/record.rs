//! Recording the certificates of a bundle: in parts, each a commit of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::bundle::Leaf;
use super::{ImportSkip, ImportTerms, Imported, Taken, own};
use crate::connector::Published;
use crate::decide::policy::{PolicyFacts, Validity};
use crate::domain::{
    AuditAction, Certificate, CertificateId, CertificateKey, Fingerprint, IssuerRecord, Owner, Principal, Profile,
    RenewalPolicy, ShapeState, Team, Version, VersionId, VersionSerial,
};
use crate::engine::Engine;
use crate::entity::Json;
use crate::error::Error;
use crate::jobs::issued;
use crate::jobs::order::Order;
use crate::jobs::policy::Judgement;
use crate::jobs::scope;
use crate::ops::Context;
use crate::ops::certificate::Effect;
use crate::ops::certificate::create::Create;
use crate::ops::context::audit_event;
use crate::storage::{ApplyError, Query, Reads, UnitOfWork};

/// Runs after the first, when a commit came too late.
const RETRIES: u32 = 3;

/// What became of one certificate.
pub(super) enum Recorded {
    Imported(Imported),
    Skipped(ImportSkip, Option<CertificateId>),
    Failed(String),
}

/// Refuses terms that name what there is not: it would be the same with each certificate.
pub(super) async fn check_references(cx: &Context<'_>, terms: &ImportTerms) -> Result<(), Error> {
    let mut reads = Reads::default();
    let owner = reads.get::<Owner>(terms.owner_id.as_str());
    let team = reads.get::<Team>(terms.team_id.as_str());
    let issuer = reads.get::<IssuerRecord>(terms.issuer_id.as_str());
    let policy = reads.get::<RenewalPolicy>(terms.renewal_policy_id.as_str());
    let profile_id = terms.certificate_profile_id.as_ref().map_or(Profile::DEFAULT_ID, |id| id.as_str());
    let profile = reads.get::<Profile>(profile_id);
    let mut found = cx.unit.read(reads).await?;
    let there = [
        ("owner_id", terms.owner_id.as_str(), found.one(&owner)?.is_some()),
        ("team_id", terms.team_id.as_str(), found.one(&team)?.is_some()),
        ("issuer_id", terms.issuer_id.as_str(), found.one(&issuer)?.is_some()),
        ("renewal_policy_id", terms.renewal_policy_id.as_str(), found.one(&policy)?.is_some()),
        ("certificate_profile_id", profile_id, found.one(&profile)?.is_some()),
    ];
    match there.iter().find(|(.., is_there)| !is_there) {
        None => Ok(()),
        Some((field, id, _)) => {
            let detail = format!("there is nothing with the id `{id}`");
            Err(Error::invalid_field(format!("/{field}"), "unknown_reference", detail))
        }
    }
}

/// Records parts of one bundle.
pub(super) struct Record<'a> {
    who: (&'a Engine, &'a Principal),
    terms: &'a ImportTerms,
    effect: Effect,
    taken: Taken,
}

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

impl<'a> Record<'a> {
    pub(super) fn new(who: (&'a Engine, &'a Principal), terms: &'a ImportTerms, effect: Effect) -> Self {
        Self { who, terms, effect, taken: Taken::default() }
    }

    /// Records these; what became of each, in their order.
    pub(super) async fn part(&mut self, leaves: &[Leaf]) -> Vec<Recorded> {
        match self.attempt(leaves).await {
            Ok(recorded) => return recorded,
            Err(Late::Overtaken(_)) => {}
            Err(Late::Failed(error)) => return leaves.iter().map(|_| failed(&error)).collect(),
        }
        let mut recorded = Vec::with_capacity(leaves.len());
        for leaf in leaves {
            let mut tries = 0;
            recorded.push(loop {
                match self.attempt(std::slice::from_ref(leaf)).await {
                    Ok(mut one) => break one.pop().unwrap_or(Recorded::Skipped(ImportSkip::Known, None)),
                    Err(Late::Overtaken(_)) if tries < RETRIES => tries += 1,
                    Err(Late::Overtaken(error)) => break failed(&error.into()),
                    Err(Late::Failed(error)) => break failed(&error),
                }
            });
        }
        recorded
    }

    async fn attempt(&mut self, leaves: &[Leaf]) -> Result<Vec<Recorded>, Late> {
        let (engine, _) = self.who;
        let mut unit = UnitOfWork::begin(engine.storage()).await?;
        let known = Known::read(&unit, leaves, self.terms).await?;
        let mut taken = Taken::default();
        let mut recorded = Vec::with_capacity(leaves.len());
        for leaf in leaves {
            recorded.push(self.one(&mut unit, leaf, (&known, &mut taken)).await?);
        }
        if self.effect == Effect::Real {
            engine.commit(unit).await.map_err(|error| match error {
                ApplyError::Stale { .. } | ApplyError::Conflict { .. } => Late::Overtaken(error),
                error => Late::Failed(error.into()),
            })?;
        }
        self.taken.extend(taken);
        Ok(recorded)
    }

    async fn one(
        &self,
        unit: &mut UnitOfWork,
        leaf: &Leaf,
        (known, taken): (&Known, &mut Taken),
    ) -> Result<Recorded, Error> {
        if let Some(certificate) = known.versions.get(&leaf.facts.fingerprint) {
            return Ok(Recorded::Skipped(ImportSkip::Known, Some(certificate.clone())));
        }
        if leaf.facts.not_after <= unit.now() {
            return Ok(Recorded::Skipped(ImportSkip::Expired, None));
        }
        let certificate = match self.certificate(unit, leaf) {
            Ok(certificate) => certificate,
            Err(error) => return Ok(Recorded::Failed(own(error)?)),
        };
        let (key, serial) = (leaf.facts.key_id.to_string(), (leaf.maker()?, leaf.facts.serial.to_string()));
        let before = [&known.taken, &self.taken, &*taken];
        if before.iter().any(|taken| taken.names.contains(&certificate.name)) {
            let why = format!(
                "a certificate named `{}` exists already; choose a name_template with {{serial}} or another text in it",
                certificate.name
            );
            return Ok(Recorded::Failed(why));
        }
        if before.iter().any(|taken| taken.keys.contains(&key)) {
            let why = "its public key belongs to another certificate; a key is for one certificate only";
            return Ok(Recorded::Failed(why.into()));
        }
        if before.iter().any(|taken| taken.serials.contains(&serial)) {
            let why = "another certificate of the same issuer has the same serial number (RFC 5280 §4.1.2.2)";
            return Ok(Recorded::Failed(why.into()));
        }
        match self.record(unit, leaf, certificate).await {
            Ok(imported) => {
                taken.names.insert(imported.name.clone());
                taken.keys.insert(key);
                taken.serials.insert(serial);
                Ok(Recorded::Imported(imported))
            }
            Err(error) => Ok(Recorded::Failed(own(error)?)),
        }
    }

    fn certificate(&self, unit: &UnitOfWork, leaf: &Leaf) -> Result<Certificate, Error> {
        let (facts, terms) = (&leaf.facts, self.terms);
        if let Some(other) = facts.other_names.first() {
            let detail = format!("it has the name `{other}`, which a successor could not have");
            return Err(Error::invalid(detail));
        }
        let common_name = leaf.common_name();
        let common_name = common_name.ok_or_else(|| Error::invalid("it has neither a common name nor another one"))?;
        let create = Create {
            id: None,
            name: leaf.name(terms).unwrap_or_default(),
            common_name,
            sans: facts.names.sans.iter().map(ToString::to_string).collect(),
            environment: terms.environment.clone(),
            owner_id: terms.owner_id.clone(),
            team_id: terms.team_id.clone(),
            issuer_id: terms.issuer_id.clone(),
            renewal_policy_id: terms.renewal_policy_id.clone(),
            certificate_profile_id: terms.certificate_profile_id.clone(),
            target_ids: Vec::new(),
            agent_id: terms.agent_id.clone(),
            tags: terms.tags.clone(),
            issue: false,
        };
        let certificate = create.checked(self.who.0, unit.now())?;
        Ok(Certificate { source: "import".into(), ..certificate })
    }

    async fn record(
        &self,
        unit: &mut UnitOfWork,
        leaf: &Leaf,
        mut certificate: Certificate,
    ) -> Result<Imported, Error> {
        let ((engine, principal), facts, now) = (self.who, &leaf.facts, unit.now());
        // What could never be renewed is not kept alive by anybody.
        let order = Order::of(engine, unit, &certificate, None).await?;
        let holders: BTreeSet<_> = certificate.agent_id.iter().cloned().collect();
        let groups = &scope::groups_of(unit, &order.compliance, &holders).await?;
        let validity = Some(Validity { not_before: facts.not_before, not_after: facts.not_after });
        let judged =
            PolicyFacts { certificate: &certificate, names: &order.names, validity, issuing: false, groups, now };
        let judgement = Judgement::of(&order, &judged);
        judgement.allow()?;
        let version = Version {
            id: VersionId::generate(&*engine.ports().clock, &*engine.ports().rng),
            certificate_id: certificate.id.clone(),
            issuer_id: leaf.maker()?,
            issuer_key_id: leaf.signer.clone(),
            // It may be one of this engine's own, of a store that was lost.
            crl_shard: facts.crl_urls.iter().find_map(|url| Published::shard_of(url)).map(i64::from),
            // Whoever has the key, it is no agent that was asked for it.
            key_holder: String::new(),
            serial_number: facts.serial.clone(),
            not_before: facts.not_before,
            not_after: facts.not_after,
            fingerprint_sha256: facts.fingerprint,
            chain: leaf.chain.clone(),
            csr: Vec::new(),
            key_id: facts.key_id.clone(),
            key_algorithm: facts
                .key_algorithm
                .map_or_else(|| facts.key_algorithm_text.clone(), |key| key.family().name().into()),
            key_size: facts.key_algorithm.map_or(0, |key| i64::from(key.bits())),
            directory: None,
            account: None,
            lineage_break: None,
            shape: ShapeState::Fits,
            shape_findings: Json(Vec::new()),
            created_at: now,
        };
        issued::take_over(engine, &mut certificate, &order.policy, &version);
        let imported = Imported {
            position: leaf.position,
            fingerprint_sha256: facts.fingerprint,
            certificate_id: (self.effect == Effect::Real).then(|| certificate.id.clone()),
            name: certificate.name.clone(),
            common_name: certificate.common_name.clone(),
            not_after: facts.not_after,
            issuers: leaf.chain.issuers().len(),
        };
        let details = json!({
            "name": certificate.name, "common_name": certificate.common_name, "version_id": version.id,
            "serial_number": version.serial_number, "fingerprint_sha256": version.fingerprint_sha256,
            "not_after": version.not_after,
        });
        let about = ("certificate", certificate.id.as_str());
        unit.append(audit_event(engine, principal, now, AuditAction::CertificateImported, about, details));
        judgement.store_first(engine, unit, principal, &certificate.id);
        let (id, certificate_id) = (version.key_id.clone(), certificate.id.clone());
        unit.insert(certificate);
        unit.insert(CertificateKey { id, certificate_id, key_holder: String::new() });
        unit.insert(version);
        Ok(imported)
    }
}

fn failed(error: &Error) -> Recorded {
    Recorded::Failed(error.message().to_owned())
}

/// What is stored that a part of a bundle meets.
struct Known {
    versions: BTreeMap<Fingerprint, CertificateId>,
    taken: Taken,
}

impl Known {
    async fn read(unit: &UnitOfWork, leaves: &[Leaf], terms: &ImportTerms) -> Result<Self, Error> {
        let most = leaves.len();
        let mut reads = Reads::default();
        // Each in the order of what is looked for: a store that was asked for them by id would rather read all of them in that order.
        let fields = VersionSerial::FIELDS;
        let prints = Version::FIELDS.fingerprint_sha256;
        let known = leaves.iter().map(|leaf| leaf.facts.fingerprint);
        let versions = Query::sorted(prints.ascending()).filter(prints.one_of(known));
        let versions = reads.list(versions.limit(most))?;
        // Whose they are is looked at here, for a maker may have made all that there is.
        let serials = leaves.iter().map(|leaf| leaf.facts.serial.clone());
        let serials = Query::sorted(fields.serial_number.ascending()).filter(fields.serial_number.one_of(serials));
        let serials = reads.list(serials.limit(most.saturating_mul(most)))?;
        let keys = leaves.iter().map(|leaf| leaf.facts.key_id.clone());
        let keys = Query::<CertificateKey>::all().filter(CertificateKey::FIELDS.id.one_of(keys));
        let keys = reads.list(keys.limit(most))?;
        let names: BTreeSet<String> = leaves.iter().filter_map(|leaf| leaf.name(terms)).collect();
        let name = Certificate::FIELDS.name;
        let names = Query::sorted(name.ascending()).filter(name.one_of(names));
        let names = reads.list(names.limit(most))?;
        let mut found = unit.read(reads).await?;
        let versions = found.all::<Version>(&versions)?.into_iter();
        let versions = versions.map(|version| (version.fingerprint_sha256, version.certificate_id.clone())).collect();
        let serials = found.all::<VersionSerial>(&serials)?.into_iter();
        let serials = serials.map(|version| (version.issuer_id.clone(), version.serial_number.to_string())).collect();
        let keys = found.all::<CertificateKey>(&keys)?.into_iter().map(|key| key.id.to_string()).collect();
        let names = found.all::<Certificate>(&names)?.into_iter().map(|found| found.name.clone()).collect();
        Ok(Self { versions, taken: Taken { names, keys, serials } })
    }
}
