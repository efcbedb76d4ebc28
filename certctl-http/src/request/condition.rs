//! `If-Match`: a change only of what the client has seen (RFC 9110 §13.1.1).

use axum::extract::FromRequestParts;
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;
use certctl_core::Error;
use certctl_core::engine::Precondition;
use certctl_core::entity::Mutable;

use crate::problem::Failure;

/// What a request's `If-Match` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// Nothing: the header is absent.
    Absent,
    /// That the object exists: `*`.
    Anything,
    /// One of these versions. A tag that no object has ever had, or a weak one, matches nothing (§8.8.3.2).
    Versions(Vec<i64>),
}

impl IfMatch {
    /// The condition on the object of the request.
    pub(crate) fn on<E: Mutable>(self, id: &impl AsRef<str>) -> Option<Precondition> {
        match self {
            Self::Absent => None,
            Self::Anything => Some(Precondition::exists::<E>(id.as_ref())),
            Self::Versions(versions) => Some(Precondition::versions::<E>(id.as_ref(), versions)),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Self::Anything);
        }
        let mut versions = Vec::new();
        for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            let weak = tag.starts_with("W/");
            let opaque = tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"')?.strip_suffix('"')?;
            versions.extend(opaque.parse::<i64>().ok().filter(|_| !weak));
        }
        Some(Self::Versions(versions))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let mut headers = parts.headers.get_all(IF_MATCH).iter().peekable();
        if headers.peek().is_none() {
            return Ok(Self::Absent);
        }
        let texts: Option<Vec<&str>> = headers.map(|value| value.to_str().ok()).collect();
        texts.and_then(|texts| Self::parse(&texts.join(","))).ok_or_else(|| {
            Error::invalid("the header If-Match cannot be used; send the object's ETag as it was, with its quotes")
                .into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_versions_in_quotes() {
        let versions = |list: &[i64]| Some(IfMatch::Versions(list.to_vec()));
        assert_eq!(IfMatch::parse("\"3\""), versions(&[3]));
        assert_eq!(IfMatch::parse(" \"3\" , \"14\""), versions(&[3, 14]));
        assert_eq!(IfMatch::parse("*"), Some(IfMatch::Anything));
        // They are tags, but of nothing that there is.
        for other in ["W/\"3\"", "\"abc\"", "\"\""] {
            assert_eq!(IfMatch::parse(other), versions(&[]), "{other}");
        }
        for bad in ["3", "\"3", "abc"] {
            assert_eq!(IfMatch::parse(bad), None, "{bad}");
        }
    }
}
