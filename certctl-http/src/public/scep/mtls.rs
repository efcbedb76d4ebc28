//! SCEP for those who also show a TLS client certificate that the profile trusts. What a message has to prove, it has to prove here
//! as well.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use certctl_core::domain::{EnrolSource, Principal};
use certctl_core::enrol::{Refusal, RefusalReason, Refuse};

use super::{Call, failed, get, no_profile, post, too_often};
use crate::listen::TlsChannel;
use crate::public::trust::judge;
use crate::public::{Exhausted, plain};
use crate::router::Api;

pub(super) async fn by_get(State(api): State<Api>, profile: Option<Path<String>>, request: Request) -> Response {
    let profile = profile.map(|Path(profile)| profile);
    let channel = request.extensions().get::<Arc<TlsChannel>>().cloned();
    let call = Call::read(&api, profile.as_deref(), &request);
    drop(request);
    get::answer(&api, proven(&api, call, channel).await).await
}

pub(super) async fn by_post(State(api): State<Api>, profile: Option<Path<String>>, request: Request) -> Response {
    let profile = profile.map(|Path(profile)| profile);
    let channel = request.extensions().get::<Arc<TlsChannel>>().cloned();
    let call = Call::read(&api, profile.as_deref(), &request);
    post::answer(&api, proven(&api, call, channel).await, request).await
}

/// Lets those through whose client certificate counts. Others are in the audit trail, and count as those who guess passwords, unless
/// theirs counted before it was revoked.
async fn proven<'a>(
    api: &Api,
    call: Result<Call<'a>, Box<Response>>,
    channel: Option<Arc<TlsChannel>>,
) -> Result<Call<'a>, Box<Response>> {
    let call = call?;
    let bundle = call.door.clients.get(call.profile).ok_or_else(|| Box::new(no_profile()))?;
    let Some(channel) = channel.filter(|channel| !channel.certificates.is_empty()) else {
        let text = "show a client certificate in the TLS handshake that this profile trusts";
        return Err(Box::new(plain(StatusCode::FORBIDDEN, text)));
    };
    let guessed = |exhausted: Exhausted| {
        let text = exhausted.text("too many wrong client certificates from this address");
        Box::new(too_often(text, exhausted.wait()))
    };
    let taken = call.failures.take(&call.address, api.engine.ports().clock.monotonic()).map_err(guessed)?;
    let machine = Principal::machine(format!("scep:{}", call.profile));
    let judged = judge(api, (bundle, &machine), &channel).await;
    if matches!(&judged, Ok(Err(refusal)) if refusal.reason == RefusalReason::Credential) {
        drop(taken);
    } else {
        taken.give_back();
    }
    match judged {
        Ok(Ok(_)) => Ok(call),
        Ok(Err(why)) => {
            let text = format!("the client certificate is not trusted here: {}", why.message);
            // What is no guess is recorded as often as guesses are: the trail is not for strangers to fill.
            let now = api.engine.ports().clock.monotonic();
            let first_ones = || call.failures.take(&format!("known {}", call.address), now).map(drop).is_ok();
            if why.reason == RefusalReason::Credential || first_ones() {
                refuse(api, (&call, &machine), Refusal::new(why.reason, text.as_str())).await;
            }
            Err(Box::new(plain(StatusCode::FORBIDDEN, &text)))
        }
        Err(error) => Err(Box::new(failed(&error))),
    }
}

async fn refuse(api: &Api, (call, machine): (&Call<'_>, &Principal), refusal: Refusal) {
    let refuse = Refuse {
        source: EnrolSource::Scep,
        subject: format!("scep-mtls/{}", call.profile),
        refusal,
        address: Some(call.origin().to_owned()),
    };
    if let Err(error) = api.engine.execute(machine, refuse).await {
        tracing::error!(%error, "a refused SCEP request is not in the audit trail");
    }
}
