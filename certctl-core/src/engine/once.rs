//! Calls that are made once, however often they are sent (draft-ietf-httpapi-idempotency-key-header).

use std::time::Duration;

use zeroize::Zeroizing;

use super::Engine;
use crate::domain::{FirstCall, IdempotentCall, IdempotentCallId, Principal, Timestamp};
use crate::error::Error;
use crate::ops::access::secret_hash;
use crate::storage::{ApplyError, Changes, UnitOfWork, View};

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long a call without an answer counts as running: longer than any request is served.
const RUNNING: Duration = Duration::from_secs(60);
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

impl Engine {
    /// Begins a call that its sender named, or gives the answer that it had. Execute what it does as a principal that has it as
    /// its [`call`](Principal::call).
    ///
    /// A call that was cut off before anything of it was committed begins again when it no longer counts as running.
    ///
    /// # Errors
    /// `idempotency_key_reused` when another request came under the name; `idempotent_call_running` when the first has no
    /// answer yet; `idempotent_call_unanswered` when what it does was done, and its answer was lost with the process; the
    /// store's.
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
            let mut attempt = 1;
            match view.get::<IdempotentCall>(id.as_str()).await? {
                // Its day is over, though nobody swept it away yet.
                Some(known) if known.expires_at <= now => {
                    changes.delete(&known);
                    match self.storage().apply(changes).await {
                        Ok(_) | Err(ApplyError::Stale { .. }) => continue,
                        Err(error) => return Err(error.into()),
                    }
                }
                Some(mut known) if begins_again(&known, &request_hash, now) => {
                    known.attempt += 1;
                    known.running_until = now + RUNNING;
                    attempt = known.attempt;
                    changes.update(known);
                }
                Some(known) => return self.known(&known, &request_hash, now),
                None => changes.insert(IdempotentCall {
                    id: id.clone(),
                    request_hash: request_hash.clone(),
                    attempt,
                    committed_at: None,
                    answer: None,
                    created_at: now,
                    running_until: now + RUNNING,
                    expires_at: now + KEPT,
                }),
            }
            match self.storage().apply(changes).await {
                Ok(_) => return Ok(Begun::First(FirstCall { id, attempt })),
                // Of several that came at once one is the first.
                Err(ApplyError::Conflict { .. } | ApplyError::Stale { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn known(&self, known: &IdempotentCall, request_hash: &str, now: Timestamp) -> Result<Begun, Error> {
        if known.request_hash != request_hash {
            let message = "this Idempotency-Key came with another request before; choose a new one for each request";
            return Err(Error::conflict("idempotency_key_reused", message));
        }
        if let Some(answer) = &known.answer {
            return self
                .sealer()
                .open(PURPOSE, known.id.as_str(), answer)
                .map(Begun::Answered)
                .map_err(Error::internal);
        }
        if known.running_until > now {
            let seconds = known.running_until.since(now).as_secs() + 1;
            let message = format!(
                "the first request with this Idempotency-Key has no answer yet; wait and ask again, {seconds} s at the longest"
            );
            return Err(Error::conflict("idempotent_call_running", message));
        }
        let at = known.committed_at.unwrap_or(known.created_at);
        let message = format!(
            "what this request asks for was done at {at}, but the server stopped before it had kept the answer; look up what \
             was done instead of asking again, and use a new Idempotency-Key for what is still to do"
        );
        Err(Error::conflict("idempotent_call_unanswered", message))
    }

    /// Keeps what a call was answered, sealed, for 24 hours. Without an answer the call is forgotten, so that it can be made
    /// again, unless something of it was committed.
    ///
    /// # Errors
    /// The store's.
    pub async fn end_once(&self, call: FirstCall, answer: Option<&[u8]>) -> Result<(), Error> {
        let view = self.storage().read(View::Latest).await?;
        let found = view.get::<IdempotentCall>(call.id.as_str()).await?;
        let Some(mut record) = found.filter(|record| record.attempt == call.attempt) else { return Ok(()) };
        let mut changes = Changes::bookkeeping();
        match answer {
            Some(answer) => {
                let sealed = self.sealer().seal(PURPOSE, call.id.as_str(), answer).map_err(Error::internal)?;
                record.answer = Some(sealed);
                changes.update(record);
            }
            None if record.committed_at.is_some() => {
                record.running_until = view.now();
                changes.update(record);
            }
            None => changes.delete(&record),
        }
        match self.storage().apply(changes).await {
            // A commit whose outcome was not known came through after all, or somebody overtook it.
            Ok(_) | Err(ApplyError::Stale { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether a call that is known begins again: nothing of it was committed, and whoever made it is thought dead. Who lives
/// all the same commits nothing, because the attempt is another one.
fn begins_again(known: &IdempotentCall, request_hash: &str, now: Timestamp) -> bool {
    let cut_off = known.answer.is_none() && known.committed_at.is_none() && known.running_until <= now;
    cut_off && known.request_hash == request_hash
}

/// Writes into the unit that what the call does is done, if the unit writes anything. A call that was overtaken is refused.
pub(super) async fn note(unit: &mut UnitOfWork, call: &FirstCall) -> Result<(), Error> {
    if unit.is_empty() {
        return Ok(());
    }
    let found = unit.get::<IdempotentCall>(call.id.as_str()).await?;
    let Some(mut record) = found.filter(|record| record.attempt == call.attempt) else {
        let message =
            "this request took so long that another one with its Idempotency-Key began; ask again for its answer";
        return Err(Error::conflict("idempotent_call_overtaken", message));
    };
    if record.committed_at.is_none() {
        record.committed_at = Some(unit.now());
        unit.update(record);
    }
    Ok(())
}
