//! An answer: from memory where it was given before and nothing was revoked since, else looked up and signed.

use std::sync::Arc;
use std::time::Duration;

use super::authority::Identity;
use super::cache::{Key, Known, Signed};
use super::counts::OcspOutcome;
use super::lookup;
use super::responder::{self, Delegate};
use super::unopened;
use crate::domain::{IssuerId, IssuerRecord, Serial, Timestamp};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind};
use crate::pki::ocsp::{
    CertId, CertStatus, OcspError, OcspRequest, ResponseData, SingleResponse, Written, archive_cutoff,
};
use crate::ports::Monotonic;
use crate::storage::{UnitOfWork, View};

/// An OCSPResponse, and how long it may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspAnswer {
    /// The DER OCSPResponse (RFC 6960 §4.2.1).
    pub der: Vec<u8>,
    /// How long others may keep it (RFC 5019 §6); absent for what is of use to nobody else, and for what may change soon.
    pub kept: Option<KeptAnswer>,
}

/// How long an answer may be kept, and by which name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// What no other answer has, 16 octets.
    pub tag: Vec<u8>,
    /// When what it says was known.
    pub this_update: Timestamp,
    /// When more is known at the latest.
    pub next_update: Timestamp,
    /// How long it is from now until then.
    pub lasts: Duration,
}

/// An issuer that answers for no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoStatus {
    /// There is no such issuer.
    #[error("there is no issuer `{0}`")]
    NoIssuer(IssuerId),
    /// It does not sign status.
    #[error("issuer `{0}` signs no status of its certificates; ask the CA behind it")]
    NotSigned(IssuerId),
}

/// What is asked about one certificate.
struct Asked<'a> {
    id: CertId<'a>,
    /// Absent for a number that no certificate has.
    serial: Option<Serial>,
}

impl OcspAnswer {
    /// An answer that says nothing of any certificate.
    pub fn error(error: OcspError) -> Self {
        Self { der: error.der().to_vec(), kept: None }
    }
}

impl Engine {
    /// Answers a DER OCSPRequest about certificates of an issuer. Everybody may ask, and nothing of it is audited.
    ///
    /// There is always an answer: what cannot be read is `malformedRequest`; certificates of other issuers, and of an issuer that
    /// signs no status, are `unauthorized`; where the store cannot be asked now it is `tryLater`.
    pub async fn ocsp(&self, issuer: &IssuerId, request: &[u8]) -> OcspAnswer {
        let request = match OcspRequest::parse(request) {
            Ok(request) => request,
            Err(error) => {
                tracing::debug!(%issuer, %error, "an OCSP request was refused");
                return self.ocsp_refusal(OcspError::MalformedRequest);
            }
        };
        match self.ocsp_asked(issuer, &request).await {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                tracing::debug!(%issuer, "an OCSP request asks about certificates of somebody else");
                self.ocsp_refusal(OcspError::Unauthorized)
            }
            Err(error) => self.ocsp_failure(issuer, &error),
        }
    }

    /// Answers about the certificate of an issuer that has this serial number: unsigned, big-endian. The answer names it as most
    /// clients do, by SHA-1. A failure is an answer.
    ///
    /// # Errors
    /// [`NoStatus`] where the issuer answers for nothing.
    pub async fn ocsp_of_serial(&self, issuer: &IssuerId, serial: &[u8]) -> Result<OcspAnswer, NoStatus> {
        match self.ocsp_by_serial(issuer, serial).await {
            Ok(answer) => answer,
            Err(error) => Ok(self.ocsp_failure(issuer, &error)),
        }
    }

    /// An answer that says nothing of any certificate, counted.
    pub fn ocsp_refusal(&self, error: OcspError) -> OcspAnswer {
        self.0.ocsp.counts.note(match error {
            OcspError::MalformedRequest => OcspOutcome::Malformed,
            OcspError::Unauthorized => OcspOutcome::Unauthorized,
            OcspError::TryLater => OcspOutcome::TryLater,
            OcspError::InternalError => OcspOutcome::Failed,
        });
        OcspAnswer::error(error)
    }

    /// Logged here and nowhere else: to HTTP it is an answer like others.
    fn ocsp_failure(&self, issuer: &IssuerId, error: &Error) -> OcspAnswer {
        let source = std::error::Error::source(error);
        if error.kind() == ErrorKind::Unavailable {
            tracing::warn!(%issuer, %error, ?source, "an OCSP request cannot be answered now");
            return self.ocsp_refusal(OcspError::TryLater);
        }
        tracing::error!(%issuer, %error, ?source, "an OCSP request cannot be answered");
        self.ocsp_refusal(OcspError::InternalError)
    }

    async fn ocsp_by_serial(&self, issuer: &IssuerId, serial: &[u8]) -> Result<Result<OcspAnswer, NoStatus>, Error> {
        let book = &self.0.ocsp.book;
        let Some(mut found) = book.authorities(self, issuer).await? else {
            return Ok(Err(NoStatus::NoIssuer(issuer.clone())));
        };
        if found.iter().any(Vec::is_empty) {
            self.open_status_authority(issuer).await?;
            book.overtaken();
            found = book.authorities(self, issuer).await?.unwrap_or(found);
        }
        let Some(authorities) = &*found else {
            return Ok(Err(NoStatus::NotSigned(issuer.clone())));
        };
        let serial = Serial::from_magnitude(serial).ok();
        let authority = self.ocsp_authority_of(authorities, serial.as_ref()).await?;
        // A number that no certificate has is answered for as 0, which none has either.
        let contents = serial.as_ref().map_or_else(|| vec![0], Serial::to_integer);
        let id = authority.hashes.cert_id(Written::USUAL, &contents);
        let id = CertId::parse(&id).map_err(Error::internal)?;
        self.ocsp_respond(authority, &[Asked { id, serial }], None).await.map(Ok)
    }

    /// Has an issuer make the CA that it would make with its first certificate: without one nobody could sign that there is none.
    async fn open_status_authority(&self, issuer: &IssuerId) -> Result<(), Error> {
        let view = self.storage().read(View::Latest).await?;
        let Some(record) = view.get::<IssuerRecord>(issuer.as_str()).await? else { return Ok(()) };
        let live = self.issuer(&record).map_err(unopened)?;
        if let Some(signer) = live.status_signer() {
            signer.authority().await.map_err(unopened)?;
        }
        Ok(())
    }

    /// The authority that signed it, if one did; else the one that signs now.
    async fn ocsp_authority_of<'a>(
        &self,
        authorities: &'a [Arc<Identity>],
        serial: Option<&Serial>,
    ) -> Result<&'a Identity, Error> {
        if let Some(serial) = serial
            && authorities.len() > 1
        {
            let unit = UnitOfWork::begin(self.storage()).await?;
            for authority in authorities {
                let known = lookup::issued(&unit, &authority.key_id, std::slice::from_ref(serial)).await?;
                if !known.is_empty() {
                    return Ok(authority);
                }
            }
        }
        let message = "none of the CA certificates of the issuer can be read";
        let first = authorities.first().map(|first| &**first);
        first.ok_or_else(|| Error::new(ErrorKind::Internal, "no_authority", message))
    }

    /// `None` where a certificate is of nobody whom this issuer answers for. All must be of one authority: its responder may not
    /// answer for another one's (RFC 6960 §4.2.2.2).
    async fn ocsp_asked(&self, issuer: &IssuerId, request: &OcspRequest<'_>) -> Result<Option<OcspAnswer>, Error> {
        let Some(found) = self.0.ocsp.book.authorities(self, issuer).await? else { return Ok(None) };
        let of = |authority: &&Arc<Identity>| request.ids.iter().all(|id| authority.hashes.are_of(id));
        let Some(authority) = found.iter().flatten().find(of) else { return Ok(None) };
        let asked: Vec<Asked<'_>> = request.ids.iter().map(|id| Asked { id: *id, serial: id.serial().ok() }).collect();
        self.ocsp_respond(authority, &asked, request.nonce).await.map(Some)
    }

    async fn ocsp_respond(
        &self,
        authority: &Identity,
        asked: &[Asked<'_>],
        nonce: Option<&[u8]>,
    ) -> Result<OcspAnswer, Error> {
        let memory = &self.0.ocsp;
        // Before anything is looked up: what is found out counts from here.
        let epoch = memory.epoch(self, authority).await?;
        let delegate = responder::of(self, authority).await?;
        // Answers about one certificate without a nonce are the same for everybody.
        let shared = match (asked, nonce) {
            ([one], None) => one.key(authority),
            _ => None,
        };
        let (before, at) = (shared.and_then(|key| memory.cache.get(&key)), self.ports().clock.monotonic());
        let of_this_epoch = before.as_ref().filter(|known| known.epoch == epoch);
        let reuse = self.cadence().ocsp.reuse;
        if let Some(signed) = of_this_epoch.and_then(|known| known.signed_by(&delegate, at, reuse)) {
            memory.counts.note(OcspOutcome::Cached);
            return Ok(signed.answer(&delegate, at));
        }
        let valid = of_this_epoch.and_then(|known| known.signed_by(&delegate, at, Duration::MAX));
        let turn = Turn { authority, epoch, delegate: &delegate, at };
        match (self.ocsp_anew(&turn, (asked, nonce), (shared, before.as_ref())).await, valid) {
            // It is old, and as true as it was.
            (Err(error), Some(signed)) if error.kind() == ErrorKind::Unavailable => {
                memory.counts.note(OcspOutcome::Cached);
                Ok(signed.answer(&delegate, at))
            }
            (answer, _) => answer,
        }
    }

    /// Looks up what is asked, and signs it unless that was done before.
    async fn ocsp_anew(
        &self,
        turn: &Turn<'_>,
        (asked, nonce): (&[Asked<'_>], Option<&[u8]>),
        (shared, before): (Option<Key>, Option<&Known>),
    ) -> Result<OcspAnswer, Error> {
        let (memory, reuse) = (&self.0.ocsp, self.cadence().ocsp.reuse);
        let known = self.ocsp_known(turn, asked).await?;
        if let (Some(key), Some(before), [Some(known)]) = (shared, before, known.as_slice())
            && before.status == known.status
            && let Some(signed) = before.signed_by(turn.delegate, turn.at, reuse)
        {
            // Something else was revoked meanwhile.
            memory.cache.put(key, Known { signed: Some(signed.clone()), ..known.clone() });
            memory.counts.note(OcspOutcome::Cached);
            return Ok(signed.answer(turn.delegate, turn.at));
        }
        let signed = self.ocsp_signed(turn, &Said { asked, known: &known, nonce }).await?;
        memory.counts.note(OcspOutcome::Signed);
        let answer = signed.answer(turn.delegate, turn.at);
        match (shared, known.into_iter().next().flatten()) {
            (Some(key), Some(known)) => {
                memory.cache.put(key, Known { signed: Some(signed), ..known });
                Ok(answer)
            }
            // What was never issued may be issued at any moment; what has a nonce is of use to nobody else.
            _ => Ok(OcspAnswer { kept: None, ..answer }),
        }
    }

    /// What is known of each certificate, as of the authority's epoch; nothing of what was never issued.
    async fn ocsp_known(&self, turn: &Turn<'_>, asked: &[Asked<'_>]) -> Result<Vec<Option<Known>>, Error> {
        let (authority, epoch) = (turn.authority, turn.epoch);
        let cached = |one: &Asked<'_>| {
            let known = one.key(authority).and_then(|key| self.0.ocsp.cache.get(&key))?;
            (known.epoch == epoch).then_some(known)
        };
        let mut known: Vec<Option<Known>> = asked.iter().map(cached).collect();
        let missing = asked.iter().zip(&known).filter(|(_, known)| known.is_none());
        let missing: Vec<Serial> = missing.filter_map(|(one, _)| one.serial.clone()).collect();
        if missing.is_empty() {
            return Ok(known);
        }
        let unit = UnitOfWork::begin(self.storage()).await?;
        let issued = lookup::issued(&unit, &authority.key_id, &missing).await?;
        for (one, known) in asked.iter().zip(&mut known).filter(|(_, known)| known.is_none()) {
            let found = one.serial.as_ref().and_then(|serial| issued.get(serial));
            *known = found.map(|found| Known { epoch, status: found.status, not_after: found.not_after, signed: None });
        }
        Ok(known)
    }

    async fn ocsp_signed(&self, turn: &Turn<'_>, said: &Said<'_>) -> Result<Signed, Error> {
        let Turn { authority, delegate, at, .. } = *turn;
        let this_update = self.storage().read(View::Latest).await?.now().floor_to_second();
        let lasts = |known: &Option<Known>| if known.is_some() { self.cadence().ocsp.validity } else { UNKNOWN };
        let next_update = |known: &Option<Known>| (this_update + lasts(known)).min(delegate.responder.not_after());
        let cutoff = archive_cutoff(authority.since);
        let ended = |known: &Option<Known>| known.as_ref().is_some_and(|known| known.not_after < this_update);
        let singles: Vec<SingleResponse<'_>> = said
            .asked
            .iter()
            .zip(said.known)
            .map(|(one, known)| SingleResponse {
                cert_id: one.id.der(),
                status: known.as_ref().map_or(CertStatus::Unknown, |known| known.status),
                this_update,
                next_update: next_update(known),
                // Lists forget what has ended; this tells that it is still known here.
                extensions: if ended(known) { vec![cutoff.clone()] } else { Vec::new() },
            })
            .collect();
        let data = ResponseData { produced_at: this_update, responses: &singles, nonce: said.nonce };
        let signed = delegate.responder.sign(&data).await.map_err(Error::internal)?;
        let next_update = said.known.iter().map(next_update).min().unwrap_or(this_update);
        Ok(Signed { data: signed, generation: delegate.generation, at, this_update, next_update })
    }
}

/// By whom it is answered, and when.
#[derive(Clone, Copy)]
struct Turn<'a> {
    authority: &'a Identity,
    epoch: u64,
    delegate: &'a Delegate,
    at: Monotonic,
}

/// What is to be signed.
struct Said<'a> {
    asked: &'a [Asked<'a>],
    known: &'a [Option<Known>],
    nonce: Option<&'a [u8]>,
}

/// How long it is believed that a certificate was never issued.
const UNKNOWN: Duration = Duration::from_secs(300);

impl Asked<'_> {
    fn key(&self, authority: &Identity) -> Option<Key> {
        Some(Key::new(authority.number, self.id.written()?, self.serial.as_ref()?))
    }
}

impl Known {
    /// What this responder signed no longer ago than so, if it is still valid.
    fn signed_by(&self, delegate: &Delegate, now: Monotonic, age: Duration) -> Option<&Signed> {
        let signed = self.signed.as_ref()?;
        let young = signed.at.until(now) < age && !signed.lasts(now).is_zero();
        (signed.generation == delegate.generation && young).then_some(signed)
    }
}

impl Signed {
    /// How long it is until its end.
    fn lasts(&self, now: Monotonic) -> Duration {
        self.next_update.since(self.this_update).saturating_sub(self.at.until(now))
    }

    fn answer(&self, delegate: &Delegate, now: Monotonic) -> OcspAnswer {
        let kept = KeptAnswer {
            tag: self.data.tag().to_vec(),
            this_update: self.this_update,
            next_update: self.next_update,
            lasts: self.lasts(now),
        };
        OcspAnswer { der: delegate.responder.respond(&self.data), kept: Some(kept) }
    }
}
