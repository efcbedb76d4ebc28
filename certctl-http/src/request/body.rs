//! JSON bodies: read whatever their content type says, refused with the place of what is wrong.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRef, FromRequest, Request};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use certctl_core::Error;
use futures_util::future::{Either, select};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_path_to_error::{Path, Segment};

use crate::edge::longest_body;
use crate::problem::Failure;
use crate::router::Api;

/// A body that has to be there.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

/// A body that may be missing: nothing, spaces and `null` stand for the default.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T>
where
    Api: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let bytes = read(request, state).await?;
        if bytes.trim_ascii().is_empty() {
            return Err(Error::invalid("the body is empty; send a JSON object").into());
        }
        Ok(Self(parse(&bytes)?))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalBody<T>
where
    Api: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let bytes = read(request, state).await?;
        match bytes.trim_ascii() {
            b"" | b"null" => Ok(Self(T::default())),
            body => Ok(Self(parse(body)?)),
        }
    }
}

/// From the first byte of a body to its last.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A whole body, within the limit and in time.
///
/// # Errors
/// 413, 408, and a body that broke off.
pub(crate) async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Failure>
where
    Api: FromRef<S>,
{
    let clock = Arc::clone(&Api::from_ref(state).engine.ports().clock);
    let late = clock.sleep_until(clock.monotonic() + TIMEOUT);
    let limit = longest_body(request.uri().path());
    let read = pin!(Bytes::from_request(request, state));
    match select(read, late).await {
        Either::Left((Ok(bytes), _)) => Ok(bytes),
        Either::Left((Err(rejection), _)) => Err(unread(rejection, limit)),
        Either::Right(_) => {
            let detail = "the body did not arrive in time; send it faster";
            Err(Failure::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail))
        }
    }
}

fn unread(rejection: BytesRejection, limit: usize) -> Failure {
    let status = rejection.into_response().status();
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        let detail = format!("the body is longer than {limit} bytes; send less at once");
        return Failure::new(status, "body_too_large", detail);
    }
    Error::invalid("the body broke off; send the request again").into()
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    // A list would be read as the members of the type in their order, which no client means.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(match serde_json::from_slice::<IgnoredAny>(bytes) {
            Ok(_) => Error::invalid_field("", "invalid_value", "the body must be a JSON object, `{…}`"),
            Err(error) => wrong_syntax(&error),
        });
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        let error = error.into_inner();
        if error.is_data() { wrong_member(pointer, &error) } else { wrong_syntax(&error) }
    })?;
    deserializer.end().map_err(|error| wrong_syntax(&error))?;
    Ok(value)
}

fn wrong_syntax(error: &serde_json::Error) -> Error {
    Error::new(certctl_core::ErrorKind::Invalid, "invalid_json", format!("the body is no JSON document: {error}"))
}

/// `missing field` is reported at the object, but the pointer names the member.
fn wrong_member(mut pointer: String, error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    match missing {
        Some(member) => {
            pointer.push('/');
            pointer.push_str(member);
            Error::invalid_field(pointer, "required", "it is missing; send it")
        }
        None => Error::invalid_field(pointer, "invalid_value", text),
    }
}

/// RFC 6901 §3.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            Segment::Enum { variant } => pointer.push_str(&format!("/{variant}")),
            Segment::Unknown => {}
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::CreateTeam;

    fn wrong(json: &str) -> (String, &'static str) {
        let error = parse::<CreateTeam>(json.as_bytes()).unwrap_err();
        (error.fields().first().map_or_else(String::new, |field| field.pointer.clone()), error.code())
    }

    #[test]
    fn errors_name_the_member() {
        assert_eq!(wrong("{}"), ("/name".into(), "invalid_request"));
        assert_eq!(wrong(r#"{"name":5}"#), ("/name".into(), "invalid_request"));
        assert_eq!(wrong(r#"{"name":"a","id":"a b"}"#), ("/id".into(), "invalid_request"));
        assert_eq!(wrong(r#"{"name":"a""#), (String::new(), "invalid_json"));
        assert_eq!(wrong(r#"["a"]"#), (String::new(), "invalid_request"));
        assert_eq!(wrong("[1"), (String::new(), "invalid_json"));
        assert_eq!(wrong(r#"{"name":"a"} x"#), (String::new(), "invalid_json"));
    }

    #[test]
    fn unknown_members_are_ignored() {
        assert!(parse::<CreateTeam>(br#"{"name":"a","created_at":7,"colour":"red"}"#).is_ok());
    }
}
