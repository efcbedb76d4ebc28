//! Calls that are made once, however often they are sent (draft-ietf-httpapi-idempotency-key-header).

use std::time::Duration;

use zeroize::Zeroizing;

use super::Engine;
use crate::domain::{IdempotentCall, IdempotentCallId, Principal};
use crate::error::Error;
use crate::ops::access::secret_hash;
use crate::storage::{ApplyError, Changes, View};

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);
const PURPOSE: &str = "idempotent-answer";

/// What a client wants done once.
#[derive(Clone, Copy)]
pub struct NamedCall<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// For what: the method and the path.
    pub route: &'a str,
    /// The client's name for the call.
    pub key: &'a str,
    /// All of the request that decides what is done.
    pub request: &'a [u8],
}

/// Without the request, which may hold secrets.
impl std::fmt::Debug for NamedCall<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NamedCall").field("route", &self.route).finish_non_exhaustive()
    }
}

/// How a named call begins.
pub enum Begun {
    /// For the first time: make it, and then say what was answered.
    First(FirstCall),
    /// It was made before; this is what was answered.
    Answered(Zeroizing<Vec<u8>>),
}

/// Without the answer, which may hold secrets.
impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if matches!(self, Self::First(_)) { "First" } else { "Answered" })
    }
}

/// A named call that runs.
#[derive(Clone, Debug)]
#[must_use = "say what it was answered, or nobody can make it for a day"]
pub struct FirstCall {
    id: IdempotentCallId,
}

impl Engine {
    /// Begins a call that its sender named, or gives the answer that it had.
    ///
    /// # Errors
    /// `idempotency_key_reused` when another request came under the name; `idempotent_call_running` when the first has no
    /// answer yet, or was cut off before it had one; the store's.
    pub async fn begin_once(&self, call: NamedCall<'_>) -> Result<Begun, Error> {
        let NamedCall { principal, route, key, request } = call;
        // The parts have no line breaks, so no two calls read alike.
        let id = IdempotentCallId::parse(secret_hash(format!("{}\n{route}\n{key}", principal.id).as_bytes()))
            .map_err(Error::internal)?;
        let request_hash = secret_hash(request);
        loop {
            let view = self.storage().read(View::Latest).await?;
            let now = view.now();
            let mut changes = Changes::bookkeeping();
            if let Some(known) = view.get::<IdempotentCall>(id.as_str()).await? {
                if known.expires_at > now {
                    return self.known(&known, &request_hash);
                }
                // Its day is over, though nobody swept it away yet.
                changes.delete(&known);
                match self.storage().apply(changes).await {
                    Ok(_) | Err(ApplyError::Stale { .. }) => continue,
                    Err(error) => return Err(error.into()),
                }
            }
            let (created_at, expires_at) = (now, now + KEPT);
            changes.insert(IdempotentCall {
                id: id.clone(),
                request_hash: request_hash.clone(),
                answer: None,
                created_at,
                expires_at,
            });
            match self.storage().apply(changes).await {
                Ok(_) => return Ok(Begun::First(FirstCall { id })),
                // Of several that came at once one is the first.
                Err(ApplyError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn known(&self, known: &IdempotentCall, request_hash: &str) -> Result<Begun, Error> {
        if known.request_hash != request_hash {
            let message = "this Idempotency-Key came with another request before; choose a new one for each request";
            return Err(Error::conflict("idempotency_key_reused", message));
        }
        let Some(answer) = &known.answer else {
            let message = "the first request with this Idempotency-Key has no answer yet; wait and ask again. If the server \
                           stopped meanwhile there will be none: look whether it was done, and use a new key";
            return Err(Error::conflict("idempotent_call_running", message));
        };
        self.sealer().open(PURPOSE, known.id.as_str(), answer).map(Begun::Answered).map_err(Error::internal)
    }

    /// Keeps what a call was answered, sealed, for 24 hours; or forgets the call when it changed nothing, so that it can be made
    /// again.
    ///
    /// # Errors
    /// The store's.
    pub async fn end_once(&self, call: FirstCall, answer: Option<&[u8]>) -> Result<(), Error> {
        let view = self.storage().read(View::Latest).await?;
        let Some(mut record) = view.get::<IdempotentCall>(call.id.as_str()).await? else { return Ok(()) };
        let mut changes = Changes::bookkeeping();
        match answer {
            Some(answer) => {
                let sealed = self.sealer().seal(PURPOSE, call.id.as_str(), answer).map_err(Error::internal)?;
                record.answer = Some(sealed);
                changes.update(record);
            }
            None => changes.delete(&record),
        }
        self.storage().apply(changes).await?;
        Ok(())
    }
}
