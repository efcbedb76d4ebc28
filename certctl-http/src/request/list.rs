//! The query of a list: page or cursor, and filters.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use certctl_core::Error;
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
        query.map(|Query(params)| Self(params)).map_err(|rejection| {
            Error::invalid(format!("the query cannot be used: {}", rejection.body_text())).into()
        })
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

impl ListQuery {
    /// The engine's form of it.
    ///
    /// # Errors
    /// A cursor that no list made.
    pub(crate) fn request(&self) -> Result<PageRequest, Error> {
        let number = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0);
        let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        if !given(&self.cursor) && !given(&self.page_size) {
            return Ok(PageRequest::Number { page: number(&self.page).max(1), per_page: number(&self.per_page) });
        }
        let cursor = self.cursor.as_deref().filter(|text| !text.is_empty());
        let total = self.total.as_deref().is_some_and(|text| matches!(text, "true" | "1"));
        Ok(PageRequest::Cursor { after: cursor.map(str::parse).transpose()?, page_size: number(&self.page_size), total })
    }
}

/// One page on the wire.
pub(crate) fn listed<E: Entity, T>(found: Listed<E>, asked: &PageRequest, wire: impl Fn(E) -> T) -> Page<T> {
    let (page, per_page, page_size) = match asked {
        PageRequest::Number { .. } => (Some(found.page), Some(found.size), None),
        PageRequest::Cursor { .. } => (None, None, Some(found.size)),
    };
    let next_cursor = found.next.map(|cursor| cursor.to_string());
    let envelope = PaginationEnvelope { total: found.total, page, per_page, page_size, next_cursor };
    Page { data: found.records.into_iter().map(|record| wire(record.into_entity())).collect(), envelope }
}
