//! Who asks.

use std::marker::PhantomData;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use certctl_core::domain::{ActorType, Principal, Role};
use certctl_core::ops::{Operation, allows};
use certctl_core::{Error, ErrorKind};

use crate::edge::Known;
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
        if let Some(Known(principal)) = parts.extensions.get::<Known>() {
            return Ok(Self(principal.clone()));
        }
        if let Some(principal) = without_key(api.options.authentication) {
            return Ok(Self(principal));
        }
        let presented = bearer(&parts.headers)?.ok_or_else(|| {
            let message = "no key was sent; send `Authorization: Bearer KEY`";
            Error::new(ErrorKind::Unauthenticated, "unauthenticated", message)
        })?;
        Ok(Self(api.engine.authenticate(presented).await?))
    }
}

/// The principal behind the request's key, whose role may run the operation.
///
/// The engine checks this too; here it comes before the body is read, so that whoever may not learns nothing else.
#[derive(Debug)]
pub(crate) struct Allowed<O>(pub(crate) Principal, pub(crate) PhantomData<fn() -> O>);

impl<S: Send + Sync, O: Operation> FromRequestParts<S> for Allowed<O>
where
    Api: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Caller(principal) = Caller::from_request_parts(parts, state).await?;
        if !allows(O::ACCESS, principal.role) {
            let message = format!("a key of role {} may not do this ({})", principal.role, O::NAME);
            return Err(Error::forbidden(message).into());
        }
        Ok(Self(principal, PhantomData))
    }
}

/// Whoever asks where no key is needed: requirements D1 let them act as administrator.
pub(crate) fn without_key(authentication: Authentication) -> Option<Principal> {
    let (name, actor_type) = match authentication {
        Authentication::ApiKey => return None,
        Authentication::Off => ("anonymous", ActorType::Anonymous),
        Authentication::Local => ("local", ActorType::User),
    };
    Some(Principal { id: name.into(), name: name.into(), role: Role::Admin, agent: None, actor_type, call: None })
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

    fn read(value: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())]);
        bearer(&headers).ok().flatten().map(ToOwned::to_owned)
    }

    #[test]
    fn the_scheme_is_read_in_any_case_and_no_other_is_taken() {
        assert_eq!(read("Bearer abc"), Some("abc".into()));
        assert_eq!(read("bEARER abc"), Some("abc".into()));
        for bad in ["Basic abc", "abc", "Bearer ", "Bearer"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(bearer(&HeaderMap::new()).ok(), Some(None));
    }
}
