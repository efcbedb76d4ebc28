//! Registration authorities: the certificates and keys under which profiles answer, and to which clients encrypt.
//!
//! The engine makes one for each profile when it is first needed, has it certified by the profile's issuer, and makes the next one
//! when two thirds of its life are over. What clients encrypted to the one before is still decrypted until that one ends.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use super::{Scep, ScepProfile};
use crate::connector::{Issuance, IssueOrder, IssuePace, Issuer};
use crate::domain::{
    AuditAction, Chain, EnforcedTerms, EngineKey, EngineKeyId, EngineKeyPurpose, IssuerId, IssuerRecord, KeyAlgorithm,
    Principal, RegistrationAuthority, RegistrationAuthorityId, SubjectNames, Timestamp,
};
use crate::engine::lock;
use crate::entity::Record;
use crate::error::{Error, ErrorKind};
use crate::ops::context::audit_event;
use crate::pki::cms::EnvelopedData;
use crate::pki::{certificate, csr, key, private_key};
use crate::ports::{Monotonic, Signer};
use crate::storage::{ApplyError, Query, UnitOfWork};

/// Every client reads RSA of this size, and key transport needs RSA.
const KEY: KeyAlgorithm = KeyAlgorithm::Rsa { bits: 2048 };
/// How long one is asked to live; the issuer may say less.
const LIFETIME: Duration = Duration::from_hours(365 * 24);
/// So many are kept of a profile: the one that answers, and those before it that have not ended.
const KEPT: usize = 3;
/// How long what is known counts: another replica may have made the next one.
const SETTLED: Duration = Duration::from_mins(1);

/// A registration authority that is ready to answer.
pub(super) struct Registrar {
    /// Its certificate, then those above it.
    pub(super) chain: Chain,
    pub(super) signer: Arc<dyn Signer>,
}

/// Those of one profile, the newest first.
pub(super) struct Registrars(Vec<Registrar>);

/// What is remembered of a profile.
#[derive(Default)]
pub(super) struct Place {
    kept: Mutex<Option<Kept>>,
    /// Held by whoever looks: of many that come first together one makes the key and has it certified.
    finding: futures_util::lock::Mutex<()>,
}

/// What was found, and when. A failure counts as long as a success: each attempt costs a key and a call to the issuer.
struct Kept {
    found: Result<Arc<Registrars>, Error>,
    at: Monotonic,
}

impl Place {
    fn kept(&self, now: Monotonic) -> Option<Result<Arc<Registrars>, Error>> {
        lock(&self.kept).as_ref().filter(|kept| kept.at.until(now) < SETTLED).map(|kept| kept.found.clone())
    }
}

impl Registrars {
    /// The one that answers.
    pub(super) fn current(&self) -> Result<&Registrar, Error> {
        self.0.first().ok_or_else(|| closed("there is no registration authority"))
    }

    /// The one to which a message is encrypted.
    pub(super) fn addressed(&self, envelope: &EnvelopedData) -> Option<&Registrar> {
        self.0.iter().find(|registrar| envelope.is_for(registrar.chain.leaf()))
    }
}

impl Scep {
    /// The registration authorities of a profile.
    pub(super) async fn registrars(&self, profile: &ScepProfile) -> Result<Arc<Registrars>, Error> {
        let clock = &self.engine().ports().clock;
        let place = Arc::clone(lock(&self.0.registrars).entry(profile.name.clone()).or_default());
        if let Some(found) = place.kept(clock.monotonic()) {
            return found;
        }
        let _finding = place.finding.lock().await;
        // Whoever held it before may have found them.
        if let Some(found) = place.kept(clock.monotonic()) {
            return found;
        }
        let found = match &profile.authority {
            Some(given) => self.given(given).await.map(|given| Registrars(vec![given])),
            None => self.stored(profile).await?,
        };
        let found = found.map(Arc::new);
        *lock(&place.kept) = Some(Kept { found: found.clone(), at: clock.monotonic() });
        found
    }

    async fn given(&self, given: &super::GivenAuthority) -> Result<Registrar, Error> {
        let pkcs8 = private_key::from_pem(given.key_pem.expose()).map_err(|error| closed(error.to_string()))?;
        let signer = self.engine().ports().keys.open(&pkcs8).await.map_err(|error| closed(error.to_string()))?;
        usable(&given.chain, &*signer)?;
        Ok(Registrar { chain: given.chain.clone(), signer })
    }

    /// Those in the store, the next one made where it is time; inside, why none can be made.
    async fn stored(&self, profile: &ScepProfile) -> Result<Result<Registrars, Error>, Error> {
        for _ in 0..3 {
            let unit = UnitOfWork::begin(self.engine().storage()).await?;
            let (fields, now) = (RegistrationAuthority::FIELDS, unit.now());
            let query =
                Query::sorted(fields.generation.descending()).filter(fields.profile.equals(profile.name.clone()));
            let stored = unit.list(query.limit(KEPT)).await?.records;
            let newest = stored.first();
            if let Some(newest) = newest
                && newest.issuer_id == profile.terms.issuer_id
                && newest.renew_at > now
                && self.is_of_the_ca(&unit, newest).await?
            {
                return self.opened(&unit, stored).await.map(Ok);
            }
            let generation = newest.map_or(1, |newest| newest.generation.saturating_add(1));
            match self.make(profile, unit, generation).await {
                // Made, or made by somebody else at the same moment: read what there is now.
                Ok(Ok(()) | Err(ApplyError::Conflict { .. } | ApplyError::Stale { .. })) => {}
                Ok(Err(error)) => return Err(error.into()),
                Err(error) if newest.is_some_and(|newest| newest.not_after > now) => {
                    tracing::warn!(profile = %profile.name, %error, "the next registration authority cannot be made; the one there is goes on");
                    let unit = UnitOfWork::begin(self.engine().storage()).await?;
                    return self.opened(&unit, stored).await.map(Ok);
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "unavailable", "the registration authority is being made; try again"))
    }

    /// Whether the CA that certified it is the one that its issuer signs with now. An issuer that cannot say is believed.
    async fn is_of_the_ca(&self, unit: &UnitOfWork, one: &RegistrationAuthority) -> Result<bool, Error> {
        let Some(record) = unit.peek::<IssuerRecord>(one.issuer_id.as_str()).await? else { return Ok(true) };
        let Ok(issuer) = self.engine().issuer(&record) else { return Ok(true) };
        let Some(role) = issuer.ca_chain() else { return Ok(true) };
        let same = |ca: Chain| one.chain.issuers().first().is_none_or(|issuer| issuer == ca.leaf());
        Ok(role.chain().await.map_or(true, same))
    }

    /// Opens those that have not ended.
    async fn opened(&self, unit: &UnitOfWork, stored: Vec<Record<RegistrationAuthority>>) -> Result<Registrars, Error> {
        let mut registrars = Vec::with_capacity(stored.len());
        for record in stored.into_iter().filter(|record| record.not_after > unit.now()) {
            let record = record.into_entity();
            let key = unit.peek::<EngineKey>(record.key_id.as_str()).await?;
            let key = key.ok_or_else(|| closed(format!("the key of registration authority {} is gone", record.id)))?;
            let signer = self.engine().open_key(&key).await?;
            registrars.push(Registrar { chain: record.chain, signer });
        }
        Ok(Registrars(registrars))
    }

    /// Makes a key, has it certified, and stores both. No key is made for an issuer that would not certify it.
    async fn make(
        &self,
        profile: &ScepProfile,
        mut unit: UnitOfWork,
        generation: i64,
    ) -> Result<Result<(), ApplyError>, Error> {
        let (engine, ports, now) = (self.engine(), self.engine().ports(), unit.now());
        let issuer = self.certifier(&profile.terms.issuer_id, &unit).await?;
        let made = ports.keys.generate(KEY, &*ports.rng).await.map_err(Error::internal)?;
        let (id, key_id) = (
            RegistrationAuthorityId::generate(&*ports.clock, &*ports.rng),
            EngineKeyId::generate(&*ports.clock, &*ports.rng),
        );
        let chain = certified(profile, &*issuer, (&*made.signer, id.as_str(), now)).await?;
        let (not_before, not_after) = usable(&chain, &*made.signer)?;
        unit.insert(engine.seal_key((key_id.clone(), EngineKeyPurpose::RegistrationAuthority), &made, now)?);
        let details = json!({
            "profile": profile.name, "generation": generation, "issuer_id": profile.terms.issuer_id,
            "fingerprint_sha256": chain.fingerprint(), "not_after": not_after,
        });
        let about = ("registration_authority", id.as_str());
        let action = AuditAction::RegistrationAuthorityCreated;
        unit.append(audit_event(engine, &Principal::system(), now, action, about, details));
        unit.insert(RegistrationAuthority {
            id,
            profile: profile.name.clone(),
            generation,
            issuer_id: profile.terms.issuer_id.clone(),
            chain,
            key_id,
            renew_at: not_before + not_after.since(not_before) / 3 * 2,
            not_after,
            created_at: now,
        });
        Ok(engine.commit(unit).await)
    }

    /// The issuer, if it answers at once.
    async fn certifier(&self, issuer_id: &IssuerId, unit: &UnitOfWork) -> Result<Arc<dyn Issuer>, Error> {
        let record = unit.peek::<IssuerRecord>(issuer_id.as_str()).await?;
        let record = record.ok_or_else(|| closed(format!("there is no issuer `{issuer_id}`")))?;
        let issuer = self.engine().issuer(&record).map_err(|error| closed(error.explained()))?;
        if issuer.capabilities().pace != IssuePace::Immediate {
            return Err(closed(format!(
                "issuer `{issuer_id}` does not certify a registration authority; give the profile a certificate and key"
            )));
        }
        Ok(issuer)
    }
}

async fn certified(
    profile: &ScepProfile,
    issuer: &dyn Issuer,
    (signer, idempotency_key, now): (&dyn Signer, &str, Timestamp),
) -> Result<Chain, Error> {
    let names = SubjectNames::new(&format!("SCEP registration authority {}", profile.name), &[]);
    let csr = csr::build(&names.map_err(Error::internal)?, signer).await.map_err(Error::internal)?;
    // No extended key usage: it signs and decrypts messages, and is neither a server nor a client.
    let terms = EnforcedTerms { lifetime: Some(LIFETIME), ekus: BTreeSet::new(), must_staple: false };
    let order = IssueOrder { idempotency_key, csr: &csr, names: csr.names(), terms: &terms, replaces: None, now };
    match issuer.issue(order).await {
        Ok(Issuance::Issued(chain)) => Ok(chain),
        Ok(Issuance::Pending { .. }) => Err(closed(format!("issuer `{}` answered later", profile.terms.issuer_id))),
        Err(error) => Err(closed(error.explained())),
    }
}

/// The validity of a certificate whose key this is, and to which others can encrypt.
fn usable(chain: &Chain, signer: &dyn Signer) -> Result<(Timestamp, Timestamp), Error> {
    let facts = certificate::parse(chain.leaf()).map_err(|error| closed(error.to_string()))?;
    if !key::are_same(&facts.spki, signer.public_key()) {
        return Err(closed("the key of the registration authority does not belong to its certificate"));
    }
    if signer.decrypter().is_none() {
        return Err(closed("the key of the registration authority does not decrypt; give it an RSA key"));
    }
    Ok((facts.not_before, facts.not_after))
}

/// What the operator has to mend. The client is told no more than that.
fn closed(why: impl Into<String>) -> Error {
    let message = "the SCEP server cannot work now; its log has the cause";
    Error::new(ErrorKind::Unavailable, "scep_closed", message).because(Closed(why.into()))
}

#[derive(Debug, thiserror::Error)]
#[error("SCEP has no registration authority: {0}")]
struct Closed(String);
