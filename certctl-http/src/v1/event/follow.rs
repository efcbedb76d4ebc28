//! Events as they happen, as server-sent events (WHATWG HTML §9.2).

use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::response::IntoResponse;
use certctl_core::domain::Principal;
use certctl_core::engine::Engine;
use certctl_core::ops::event::{Feed, Follow, FollowFilter, Happened};
use certctl_core::ops::{Operation, allows};
use certctl_core::ports::Secret;
use certctl_core::{Error, ErrorKind};
use futures_util::stream::{self, StreamExt};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::listen::Draining;
use crate::problem::Failure;
use crate::request::{Allowed, Params, bearer, value, without_key};
use crate::router::Api;
use crate::wire::Event;

/// How long nothing is sent at most: proxies close what is silent.
const QUIET: Duration = Duration::from_secs(15);

/// How long a client waits before it comes back, in milliseconds.
const RETRY: u32 = 3_000;

const LAST_EVENT_ID: &str = "last-event-id";

/// Where to begin, and what is wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Only what is behind this event, by its `seq`; 0 for all. `Last-Event-ID` goes before it.
    #[param(value_type = Option<i64>, minimum = 0, nullable = false)]
    after: Option<String>,
    /// Exactly this action, such as `certificate_created`.
    #[param(nullable = false)]
    action: Option<String>,
    /// About this kind of thing, such as `certificate`.
    #[param(nullable = false)]
    resource_type: Option<String>,
}

/// Follows what happens
///
/// A stream of server-sent events, in the order of the audit trail. The name of an event is its action, its `id` the place in
/// the trail, and `data` is an `Event`. Without `Last-Event-ID` and `after` it begins with what happens next. At most 64 streams
/// are open at once; a stream ends when its key does, and when the server does.
#[utoipa::path(
    get, path = "/api/v1/events", operation_id = "getEvents", tag = "Events",
    params(
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event that the client has"),
        Wanted,
    ),
    responses((
        status = 200, description = "The events; the schema is that of the `data` of each", body = Event,
        content_type = "text/event-stream",
    )),
)]
pub(crate) async fn follow(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<Follow>,
    Params(wanted): Params<Wanted>,
    headers: HeaderMap,
    draining: Option<Extension<Draining>>,
) -> Result<impl IntoResponse, Failure> {
    let after = match last_event_id(&headers)? {
        Some(id) => Some(id),
        None => value::<u64>("after", wanted.after.as_ref())?,
    };
    let filter = FollowFilter {
        action: value("action", wanted.action.as_ref())?,
        resource_type: wanted.resource_type.filter(|kind| !kind.is_empty()),
    };
    let place = api.places.take()?;
    let key = match without_key(api.options.authentication) {
        Some(_) => None,
        None => bearer(&headers)?.map(Secret::new),
    };
    let after = after.map(|after| i64::try_from(after).unwrap_or(i64::MAX));
    let feed = api.engine.execute(&principal, Follow { after, filter }).await?;
    // A client that loses the stream before the first event comes back to this place.
    let opening = Some(format!("retry: {RETRY}\nid: {}\n\n", feed.last()));
    let follower = Follower { engine: api.engine, feed, principal, key, opening, _place: place };
    let drained = async {
        match draining {
            Some(Extension(draining)) => draining.began().await,
            None => std::future::pending().await,
        }
    };
    // Pulled by the connection: while a client does not read, nothing is asked of the store.
    let pieces = stream::unfold(follower, Follower::piece).map(Ok::<_, std::convert::Infallible>);
    let body = Body::from_stream(pieces.take_until(Box::pin(drained)));
    // nginx and those who do as it does would collect the events otherwise.
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), "no");
    Ok(([(CONTENT_TYPE, "text/event-stream"), unbuffered], body))
}

/// The event that the client has, if it says so. An empty id is none.
fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Error> {
    let Some(sent) = headers.get(LAST_EVENT_ID).filter(|sent| !sent.is_empty()) else { return Ok(None) };
    let id = sent.to_str().ok().and_then(|text| text.trim().parse().ok());
    id.map(Some).ok_or_else(|| {
        Error::invalid("the header Last-Event-ID cannot be used; send the `id` of an event, or leave it out")
    })
}

/// Somebody who follows.
struct Follower {
    engine: Engine,
    feed: Feed,
    principal: Principal,
    /// What was presented; absent where no key is needed.
    key: Option<Secret>,
    opening: Option<String>,
    _place: OwnedSemaphorePermit,
}

impl Follower {
    /// The next piece of the stream; `None` ends it. A client that is told nothing of a failure comes back by itself.
    async fn piece(mut self) -> Option<(Bytes, Self)> {
        if let Some(opening) = self.opening.take() {
            return Some((opening.into(), self));
        }
        let next = async {
            let events = self.feed.next(QUIET).await?;
            Ok::<_, Error>(self.may_follow().await?.then_some(events))
        };
        let events = next.await.unwrap_or_else(|error| {
            tracing::warn!(%error, source = ?std::error::Error::source(&error), "a stream of events broke off");
            None
        })?;
        let text = if events.is_empty() { ": nothing happened\n\n".to_owned() } else { written(events) };
        Some((text.into(), self))
    }

    /// Whether the key is still good: a stream outlives many a key.
    async fn may_follow(&self) -> Result<bool, Error> {
        let Some(key) = &self.key else { return Ok(true) };
        match self.engine.authenticate(key.expose()).await {
            Ok(now) => Ok(now.id == self.principal.id && allows(Follow::ACCESS, now.role)),
            Err(error) if error.kind() == ErrorKind::Unauthenticated => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Events as they travel: a name, an id and a line of data each. JSON has no line breaks.
fn written(events: Vec<Happened>) -> String {
    let mut text = String::new();
    for event in events.into_iter().map(Event::from) {
        let data = serde_json::to_string(&event).unwrap_or_default();
        let (name, id) = (event.action.name(), event.seq);
        text.push_str(&format!("event: {name}\nid: {id}\ndata: {data}\n\n"));
    }
    text
}
