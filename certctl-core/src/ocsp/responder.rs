//! Who signs: a key that an authority has certified for a month, shared by all engines of the store, and its successor in time.
//!
//! The last one goes on being believed until its certificate ends, so what it signed need not be signed again.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::authority::Identity;
use super::unopened;
use crate::domain::{
    AuditAction, EngineKey, EngineKeyId, EngineKeyPurpose, KeyAlgorithm, OcspResponder, OcspResponderId, Principal,
    Serial, Timestamp,
};
use crate::engine::{Engine, lock};
use crate::entity::Record;
use crate::error::{Error, ErrorKind};
use crate::ops::context::audit_event;
use crate::pki::certificate::{self, OcspResponderRequest};
use crate::pki::lint::Scope;
use crate::pki::ocsp::Responder;
use crate::ports::{Monotonic, Signer};
use crate::storage::{ApplyError, Query, UnitOfWork};

/// Room for clocks that are behind.
const BACKDATE: Duration = Duration::from_secs(300);
/// After a failure to make a successor the last one signs for so long before that is tried again.
const AGAIN: Duration = Duration::from_secs(60);
/// Old responders that are looked at when a new one is made.
const PAST: usize = 20;
/// The subject of its certificate.
const COMMON_NAME: &str = "OCSP responder";

/// A responder at work.
#[derive(Debug)]
pub(super) struct Delegate {
    /// The how many-th of its authority.
    pub(super) generation: i64,
    /// What signs.
    pub(super) responder: Responder,
    /// When to look for its successor, by this process.
    until: Monotonic,
}

impl Delegate {
    fn new(engine: &Engine, record: &OcspResponder, signer: Arc<dyn Signer>, lasts: Duration) -> Result<Self, Error> {
        let responder = Responder::new(signer, &record.certificate).map_err(Error::internal)?;
        let until = engine.ports().clock.monotonic() + lasts;
        Ok(Self { generation: record.generation, responder, until })
    }
}

/// Who signs for an authority now.
///
/// # Errors
/// The store's; when the authority cannot certify one.
pub(super) async fn of(engine: &Engine, authority: &Identity) -> Result<Arc<Delegate>, Error> {
    if let Some(delegate) = current(engine, authority) {
        return Ok(delegate);
    }
    let finding = authority.finding.lock().await;
    if let Some(delegate) = current(engine, authority) {
        return Ok(delegate);
    }
    let last = lock(&authority.delegate).clone();
    let found = match (find(engine, authority).await, last) {
        (Ok(found), _) => found,
        (Err(error), Some(last)) => {
            let now = engine.storage().read(crate::storage::View::Latest).await.map(|view| view.now());
            if now.is_ok_and(|now| last.responder.not_after() <= now) {
                return Err(error);
            }
            tracing::warn!(authority = %authority.record.id, %error, source = ?std::error::Error::source(&error), "the OCSP responder has no successor yet; it goes on");
            let until = engine.ports().clock.monotonic() + AGAIN;
            Delegate { generation: last.generation, responder: last.responder.clone(), until }
        }
        (Err(error), None) => return Err(error),
    };
    let found = Arc::new(found);
    *lock(&authority.delegate) = Some(Arc::clone(&found));
    drop(finding);
    Ok(found)
}

fn current(engine: &Engine, authority: &Identity) -> Option<Arc<Delegate>> {
    let delegate = lock(&authority.delegate).clone()?;
    (engine.ports().clock.monotonic() < delegate.until).then_some(delegate)
}

async fn find(engine: &Engine, authority: &Identity) -> Result<Delegate, Error> {
    for _ in 0..3 {
        let unit = UnitOfWork::begin(engine.storage()).await?;
        let (fields, now) = (OcspResponder::FIELDS, unit.now());
        let of = fields.authority_id.equals(authority.record.id.clone());
        let all = Query::sorted(fields.generation.descending()).filter(of).limit(PAST);
        let past = unit.list(all).await?.records;
        if let Some(newest) = past.first() {
            let rotates = rotates_at(engine, authority, newest);
            if now < rotates {
                let signer = open(engine, &unit, &newest.key_id).await?;
                return Delegate::new(engine, newest, signer, rotates.since(now));
            }
        }
        match make(engine, authority, unit, past).await? {
            Ok(made) => return Ok(made),
            // Another engine made it at the same moment: theirs is it.
            Err(ApplyError::Conflict { .. } | ApplyError::Stale { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let message = "the OCSP responder is being made by somebody else; try again";
    Err(Error::new(ErrorKind::Unavailable, "unavailable", message))
}

/// When a responder is to have a successor. One that lives as long as its authority has none.
fn rotates_at(engine: &Engine, authority: &Identity, responder: &OcspResponder) -> Timestamp {
    if responder.not_after >= authority.lends.not_after() {
        return responder.not_after;
    }
    let half = responder.not_after.since(responder.created_at) / 2;
    responder.not_after - engine.cadence().ocsp.rotation_grace.min(half)
}

async fn make(
    engine: &Engine,
    authority: &Identity,
    mut unit: UnitOfWork,
    past: Vec<Record<OcspResponder>>,
) -> Result<Result<Delegate, ApplyError>, Error> {
    let (ports, now) = (engine.ports(), unit.now());
    if authority.lends.not_after() <= now {
        let message =
            format!("the certificate of CA {} has ended; nothing that it signs is believed", authority.record.id);
        return Err(Error::new(ErrorKind::Internal, "authority_ended", message));
    }
    let ca = engine.open_authority(&authority.record).await.map_err(unopened)?;
    let key = ports.keys.generate(KeyAlgorithm::EcdsaP256, &*ports.rng).await.map_err(Error::internal)?;
    let request = OcspResponderRequest {
        common_name: COMMON_NAME.into(),
        spki: key.signer.public_key().to_vec(),
        serial: Serial::random(&*ports.rng),
        not_before: now - BACKDATE,
        not_after: (now + engine.cadence().ocsp.responder_validity).min(authority.lends.not_after()).floor_to_second(),
    };
    let unsigned = certificate::ocsp_responder(&request, &authority.lends).map_err(Error::internal)?;
    let certificate = unsigned.lint_and_sign(Scope::Always, &*ca.signer).await.map_err(Error::internal)?;
    let (id, key_id) =
        (OcspResponderId::generate(&*ports.clock, &*ports.rng), EngineKeyId::generate(&*ports.clock, &*ports.rng));
    let responder = OcspResponder {
        id: id.clone(),
        authority_id: authority.record.id.clone(),
        generation: past.first().map_or(1, |newest| newest.generation + 1),
        certificate,
        key_id: key_id.clone(),
        not_after: request.not_after,
        created_at: now,
    };
    unit.insert(engine.seal_key((key_id, EngineKeyPurpose::OcspResponder), &key, now)?);
    let made = Delegate::new(engine, &responder, key.signer, rotates_at(engine, authority, &responder).since(now))?;
    let details = json!({
        "authority_id": authority.record.id, "generation": responder.generation, "serial_number": request.serial,
        "not_after": request.not_after,
    });
    unit.insert(responder);
    // Nobody believes those any more.
    for ended in past.iter().filter(|one| one.not_after < now) {
        unit.delete(ended);
        if let Some(key) = unit.get::<EngineKey>(ended.key_id.as_str()).await? {
            unit.delete(&key);
        }
    }
    let system = Principal::system();
    let about = ("ocsp_responder", id.as_str());
    unit.append(audit_event(engine, &system, now, AuditAction::OcspResponderCreated, about, details));
    Ok(engine.commit(unit).await.map(|()| made))
}

/// Opens a key of the engine.
async fn open(engine: &Engine, unit: &UnitOfWork, id: &EngineKeyId) -> Result<Arc<dyn Signer>, Error> {
    let key = unit.peek::<EngineKey>(id.as_str()).await?;
    let key = key.ok_or_else(|| Error::not_found("engine key", id))?;
    engine.open_key(&key).await
}
