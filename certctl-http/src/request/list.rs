//! The query of a list: page or cursor, and filters.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use certctl_core::Error;
use certctl_core::domain::Timestamp;
use certctl_core::entity::Entity;
use certctl_core::ops::{Listed, PageRequest};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::problem::Failure;
use crate::wire::{Page, PaginationEnvelope};

/// Query parameters. A repeated one is an error.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query
            .map(|Query(params)| Self(params))
            .map_err(|rejection| Error::invalid(format!("the query cannot be used: {}", rejection.body_text())).into())
    }
}

/// Which part of a list is wanted. `cursor` or `page_size` choose the cursor mode.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// The page's number. Anything but a number from 1 counts as 1.
    #[param(value_type = Option<u64>, minimum = 1, default = 1, nullable = false)]
    page: Option<String>,
    /// Items per page, 1 to 500. Anything else counts as 50.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 500, default = 50, nullable = false)]
    per_page: Option<String>,
    /// Where the page before ended: its `next_cursor`.
    #[param(nullable = false)]
    cursor: Option<String>,
    /// Items per page in cursor mode, 1 to 500. Anything else counts as 50.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 500, nullable = false)]
    page_size: Option<String>,
    /// Whether to count the whole list, in cursor mode.
    #[param(value_type = Option<bool>, nullable = false)]
    total: Option<String>,
}

/// Which page is wanted of a list that has no cursor.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// The page's number. Anything but a number from 1 counts as 1.
    #[param(value_type = Option<u64>, minimum = 1, default = 1, nullable = false)]
    page: Option<String>,
    /// Items per page, 1 to 500. Anything else counts as 50.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 500, default = 50, nullable = false)]
    per_page: Option<String>,
}

impl PageQuery {
    /// The page's number from 1, and how many items it has; 0 stands for what makes no sense.
    pub(crate) fn numbers(&self) -> (u64, u64) {
        (number(self.page.as_ref()).max(1), number(self.per_page.as_ref()))
    }
}

fn number(text: Option<&String>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

impl ListQuery {
    /// The engine's form of it.
    ///
    /// # Errors
    /// A cursor that no list made.
    pub(crate) fn request(&self) -> Result<PageRequest, Error> {
        let number = |text: &Option<String>| number(text.as_ref());
        let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        if !given(&self.cursor) && !given(&self.page_size) {
            return Ok(PageRequest::Number { page: number(&self.page).max(1), per_page: number(&self.per_page) });
        }
        let cursor = self.cursor.as_deref().filter(|text| !text.is_empty());
        let total = self.total.as_deref().is_some_and(|text| matches!(text, "true" | "1"));
        Ok(PageRequest::Cursor {
            after: cursor.map(str::parse).transpose()?,
            page_size: number(&self.page_size),
            total,
        })
    }
}

/// One page on the wire, of what was found.
pub(crate) fn listed<E: Entity, T>(mut found: Listed<E>, asked: &PageRequest, wire: impl Fn(E) -> T) -> Page<T> {
    let records = std::mem::take(&mut found.records);
    page(&found, asked, records.into_iter().map(|record| wire(record.into_entity())).collect())
}

/// One page on the wire, of items that were made of what was found.
pub(crate) fn page<E, T>(found: &Listed<E>, asked: &PageRequest, data: Vec<T>) -> Page<T> {
    let (page, per_page, page_size) = match asked {
        PageRequest::Number { .. } => (Some(found.page), Some(found.size), None),
        PageRequest::Cursor { .. } => (None, None, Some(found.size)),
    };
    let next_cursor = found.next.as_ref().map(ToString::to_string);
    Page { data, envelope: PaginationEnvelope { total: found.total, page, per_page, page_size, next_cursor } }
}

/// A list that is never long, as its only page.
pub(crate) fn whole<T>(data: Vec<T>) -> Page<T> {
    let count = Some(data.len() as u64);
    let envelope = PaginationEnvelope { total: count, page: Some(1), per_page: count, ..PaginationEnvelope::default() };
    Page { data, envelope }
}

/// A query parameter; an empty one counts as absent, as clients that build queries from forms send it.
///
/// # Errors
/// When the type refuses it.
pub(crate) fn value<T: FromStr<Err: std::fmt::Display>>(name: &str, text: Option<&String>) -> Result<Option<T>, Error> {
    let given = text.filter(|text| !text.is_empty());
    let read = given.map(|text| text.parse()).transpose();
    read.map_err(|error: T::Err| Error::invalid_field(format!("/{name}"), "invalid_value", error.to_string()))
}

/// A moment in a query parameter, RFC 3339.
///
/// # Errors
/// When it is no such moment.
pub(crate) fn moment(name: &str, text: Option<&String>) -> Result<Option<Timestamp>, Error> {
    let given = text.filter(|text| !text.is_empty());
    // A `+` that was not escaped arrives as a space.
    let read = given.map(|text| Timestamp::parse_rfc3339(&text.replace(' ', "+"))).transpose();
    read.map_err(|error| Error::invalid_field(format!("/{name}"), "invalid_value", error.to_string()))
}
