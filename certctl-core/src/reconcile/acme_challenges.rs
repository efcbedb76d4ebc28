//! Looks at the challenges that ACME clients have answered: leased, several at once, repeated a few times.

use std::time::Duration;

use serde_json::json;

use crate::domain::{
    AcmeAccount, AcmeAuthorization, AcmeAuthorizationState, AcmeChallenge, AcmeChallengeState, AcmeChallengeType,
    AcmeIdentifierType, AcmeOrder, AcmeOrderState, AuditAction, Principal, Timestamp,
};
use crate::engine::Engine;
use crate::enrol::acme::caa::Issuance;
use crate::enrol::acme::validate::{Proof, caa, validate};
use crate::enrol::acme::{AcmeConfig, AcmeEvent, AcmeValidation, Problem, ProblemType, Server};
use crate::entity::Record;
use crate::error::Error;
use crate::jobs::queue::{Queue, insist, while_held};
use crate::jobs::{Permit, lost};
use crate::ops::acme::end;
use crate::ops::context::audit_event;
use crate::ports::within;
use crate::storage::{Lease, Leased, UnitOfWork, View};

impl Leased for AcmeChallenge {
    const OPEN: &'static [&'static str] = AcmeChallenge::CLAIMABLE;
    const RUNNING: &'static str = AcmeChallengeState::Running.name();
}

fn free(engine: &Engine) -> Vec<(String, u32)> {
    let Some(server) = engine.acme_server() else { return Vec::new() };
    let free = |kind: &AcmeChallengeType| {
        Permit::free(engine, server.config.validation.concurrency(*kind), [AcmeChallenge::partition(*kind)])
    };
    AcmeChallengeType::ALL.iter().flat_map(free).collect()
}

const QUEUE: Queue<AcmeChallenge> = Queue {
    permit: |challenge| challenge.partition.clone(),
    work: |engine, lease, asked_at| Box::pin(while_held(engine, &lease.fence, asked_at, perform(engine, lease))),
};

/// How long until there is one to be looked at.
pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    Queue::<AcmeChallenge>::next_due(engine, free(engine)).await
}

/// Takes up what is due, each in a task of its own; gives how many.
pub(crate) async fn claim_and_start(engine: &Engine) -> Result<usize, Error> {
    QUEUE.claim_and_start(engine, free(engine)).await
}

async fn perform(engine: &Engine, lease: &Lease<AcmeChallenge>) {
    let Some(server) = engine.acme_server() else { return };
    let stored = async {
        // One that ends its process each time must not be looked at for ever.
        let outcome = if lease.abandoned {
            Err(Problem::new(ProblemType::ServerInternal, lost::LOST))
        } else {
            insist(engine, || look(engine, server, &lease.record)).await?
        };
        insist(engine, || record(engine, &server.config, (lease, &outcome))).await
    };
    match stored.await {
        Ok(events) => events.into_iter().for_each(|event| server.note(event)),
        // The lease runs out and the challenge is taken up again.
        Err(error) => {
            tracing::error!(challenge = %lease.record.id, %error, source = ?std::error::Error::source(&error), "how a challenge went cannot be stored");
        }
    }
}

async fn look(engine: &Engine, server: &Server, challenge: &AcmeChallenge) -> Result<Result<(), Problem>, Error> {
    let view = engine.storage().read(View::Latest).await?;
    let authorization = view.get::<AcmeAuthorization>(challenge.authorization_id.as_str()).await?;
    let account = view.get::<AcmeAccount>(challenge.account_id.as_str()).await?;
    drop(view);
    let (Some(authorization), Some(account)) = (authorization, account) else {
        return Ok(Err(Problem::malformed("the authorization or the account is gone")));
    };
    let proof = Proof {
        kind: authorization.kind,
        name: &authorization.value,
        token: &challenge.token,
        thumbprint: &account.thumbprint,
    };
    let how = &server.config.validation;
    let looked = validate(engine.ports(), how, (challenge.kind, &proof));
    let met = within(&*engine.ports().clock, how.timeout, looked).await;
    let met = met.unwrap_or_else(|| late(how, ProblemType::Connection));
    // After the proof, so that who proves nothing has no names of others looked up. Addresses have no CAA records.
    let asks = !server.config.caa_identities.is_empty() && authorization.kind == AcmeIdentifierType::Dns;
    match met {
        Ok(()) if asks => Ok(permitted(engine, server, (&authorization, &account, challenge.kind)).await),
        met => Ok(met),
    }
}

/// Whether the CAA records of a name that was proven let this server certify it (RFC 8659).
async fn permitted(
    engine: &Engine,
    server: &Server,
    (authorization, account, method): (&AcmeAuthorization, &AcmeAccount, AcmeChallengeType),
) -> Result<(), Problem> {
    let how = &server.config.validation;
    let account_urls = server.config.account_urls(&account.profile_id, &account.id);
    let issuance = Issuance {
        identities: &server.config.caa_identities,
        wildcard: authorization.wildcard,
        method,
        account_urls: &account_urls,
    };
    let checked = caa::check(engine.ports(), how, (&authorization.value, &issuance));
    let checked = within(&*engine.ports().clock, how.timeout, checked).await;
    let checked = checked.unwrap_or_else(|| late(how, ProblemType::Dns));
    server.note(match &checked {
        Ok(()) => AcmeEvent::CaaPermitted,
        Err(problem) if problem.kind == ProblemType::Caa => AcmeEvent::CaaForbidden,
        Err(_) => AcmeEvent::CaaFailed,
    });
    checked
}

fn late(how: &AcmeValidation, kind: ProblemType) -> Result<(), Problem> {
    Err(Problem::new(kind, format!("no complete answer within {} s", how.timeout.as_secs())))
}

/// Gives what is to be counted.
async fn record(
    engine: &Engine,
    config: &AcmeConfig,
    (lease, outcome): (&Lease<AcmeChallenge>, &Result<(), Problem>),
) -> Result<Vec<AcmeEvent>, Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let now = unit.now();
    let Some(mut challenge) = unit.held::<AcmeChallenge>(&lease.fence).await? else {
        return Ok(Vec::new());
    };
    let kind = challenge.kind;
    challenge.holder = None;
    if let Err(problem) = outcome
        && i64::from(config.validation.attempts) > challenge.failures + 1
    {
        challenge.failures += 1;
        challenge.state = challenge.state.transition(AcmeChallengeState::Queued).map_err(Error::internal)?;
        challenge.error = Some(problem.document().to_string());
        let doubled = u32::try_from(challenge.failures - 1).unwrap_or(0).min(6);
        challenge.due_at = now + config.validation.pause * (1 << doubled);
        let mut unit = unit.bookkeeping();
        unit.update(challenge);
        engine.commit(unit).await?;
        return Ok(vec![AcmeEvent::ChallengeRepeated(kind)]);
    }
    challenge.due_at = Timestamp::NEVER;
    let authorization = unit.get::<AcmeAuthorization>(challenge.authorization_id.as_str()).await?;
    let open = authorization.filter(|one| one.state == AcmeAuthorizationState::Pending);
    let order = unit.get::<AcmeOrder>(challenge.order_id.as_str()).await?;
    let Some(authorization) = open.filter(|one| one.expires_at > now) else {
        let over = Problem::malformed("the authorization was decided or expired meanwhile");
        challenge.state = challenge.state.transition(AcmeChallengeState::Invalid).map_err(Error::internal)?;
        challenge.error = Some(over.document().to_string());
        let mut unit = unit.bookkeeping();
        unit.update(challenge);
        engine.commit(unit).await?;
        return Ok(vec![AcmeEvent::ChallengeInvalid(kind)]);
    };
    let events = decide(&mut challenge, (authorization, order), outcome, (engine, &mut unit))?;
    unit.update(challenge);
    engine.commit(unit).await?;
    Ok(events)
}

/// Takes over what the challenge says of the authorization, and that of the order. The order is written each time: of two that end at
/// once the later one looks again, and sees what is still missing.
fn decide(
    challenge: &mut Record<AcmeChallenge>,
    (mut authorization, order): (Record<AcmeAuthorization>, Option<Record<AcmeOrder>>),
    outcome: &Result<(), Problem>,
    (engine, unit): (&Engine, &mut UnitOfWork),
) -> Result<Vec<AcmeEvent>, Error> {
    let now = unit.now();
    let mut events = match outcome {
        Ok(()) => vec![AcmeEvent::ChallengeValid(challenge.kind), AcmeEvent::AuthorizationValid],
        Err(_) => vec![AcmeEvent::ChallengeInvalid(challenge.kind), AcmeEvent::AuthorizationInvalid],
    };
    let (met, proven, action) = match outcome {
        Ok(()) => (AcmeChallengeState::Valid, AcmeAuthorizationState::Valid, AuditAction::AcmeAuthorizationValidated),
        Err(_) => (AcmeChallengeState::Invalid, AcmeAuthorizationState::Invalid, AuditAction::AcmeAuthorizationFailed),
    };
    challenge.state = challenge.state.transition(met).map_err(Error::internal)?;
    challenge.error = outcome.as_ref().err().map(|problem| problem.document().to_string());
    challenge.validated_at = outcome.is_ok().then_some(now);
    authorization.state = authorization.state.transition(proven).map_err(Error::internal)?;
    if let Some(mut order) = order.filter(|order| order.state == AcmeOrderState::Pending) {
        match outcome {
            Ok(()) => {
                order.missing = order.missing.saturating_sub(1).max(0);
                if order.missing == 0 {
                    order.state = order.state.transition(AcmeOrderState::Ready).map_err(Error::internal)?;
                }
            }
            Err(problem) => {
                end(&mut order, (AcmeOrderState::Invalid, now), Some(problem))?;
                events.push(AcmeEvent::OrderInvalid);
            }
        }
        unit.update(order);
    }
    let details = json!({
        "account_id": authorization.account_id, "order_id": authorization.order_id, "name": authorization.value,
        "type": challenge.kind, "error": outcome.as_ref().err().map(|problem| &problem.detail),
    });
    let about = ("acme_authorization", authorization.id.as_str());
    unit.append(audit_event(engine, &Principal::system(), now, action, about, details));
    unit.update(authorization);
    Ok(events)
}
