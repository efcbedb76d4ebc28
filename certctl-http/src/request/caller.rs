//! Who asks.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use certctl_core::domain::{ActorType, Principal, Role};
use certctl_core::{Error, ErrorKind};

use crate::problem::Failure;
use crate::router::{Api, Authentication};

/// The principal behind the request's key.
#[derive(Debug)]
pub(crate) struct Caller(pub(crate) Principal);

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Api: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let api = Api::from_ref(state);
        if api.options.authentication == Authentication::Off {
            return Ok(Self(anybody()));
        }
        let presented = bearer(&parts.headers)?.ok_or_else(|| {
            let message = "no key was sent; send `Authorization: Bearer KEY`";
            Error::new(ErrorKind::Unauthenticated, "unauthenticated", message)
        })?;
        Ok(Self(api.engine.authenticate(presented).await?))
    }
}

/// Whoever asks where no key is needed: requirements D1 let them act as administrator.
pub(crate) fn anybody() -> Principal {
    Principal {
        id: "anonymous".into(),
        name: "anonymous".into(),
        role: Role::Admin,
        agent: None,
        actor_type: ActorType::Anonymous,
    }
}

/// The bearer token of a request (RFC 6750 §2.1), if it has the header.
///
/// # Errors
/// When the header has another scheme, or is no text.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(|value| value.split_once(' '));
    match token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
            Ok(Some(token.trim()))
        }
        _ => {
            let message = "the header Authorization cannot be used; write it `Authorization: Bearer KEY`";
            Err(Error::new(ErrorKind::Unauthenticated, "unauthenticated", message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<Option<String>> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
        bearer(&headers).ok().map(|token| token.map(ToOwned::to_owned))
    }

    #[test]
    fn the_scheme_is_read_in_any_case_and_no_other_is_taken() {
        assert_eq!(read("Bearer abc"), Some(Some("abc".into())));
        assert_eq!(read("bEARER abc"), Some(Some("abc".into())));
        for bad in ["Basic abc", "abc", "Bearer ", "Bearer"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(bearer(&HeaderMap::new()).ok(), Some(None));
    }
}
