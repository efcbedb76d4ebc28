//! Listing notifications.

use axum::Json;
use axum::extract::State;
use certctl_core::Error;
use certctl_core::ops::notification::{List, ListFilter};
use serde::Deserialize;

use crate::problem::Failure;
use crate::request::{Allowed, ListQuery, Params, listed, value};
use crate::router::Api;
use crate::wire::{NotificationEvent, NotificationEventList, names};

/// Which notifications are wanted.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Exactly this status.
    #[param(value_type = Option<names::NotificationStatus>, inline, nullable = false)]
    status: Option<String>,
    /// Exactly this type.
    #[serde(rename = "type")]
    #[param(value_type = Option<names::NotificationType>, inline, nullable = false)]
    kind: Option<String>,
    /// Exactly this severity.
    #[param(value_type = Option<names::NotificationSeverity>, inline, nullable = false)]
    severity: Option<String>,
    /// About this certificate.
    #[param(nullable = false)]
    certificate_id: Option<String>,
    /// By this kind of notifier, such as `Webhook`.
    #[param(nullable = false)]
    channel: Option<String>,
}

impl Wanted {
    fn filter(&self) -> Result<ListFilter, Error> {
        Ok(ListFilter {
            status: value("status", self.status.as_ref())?,
            kind: value("type", self.kind.as_ref())?,
            severity: value("severity", self.severity.as_ref())?,
            certificate_id: value("certificate_id", self.certificate_id.as_ref())?,
            channel: self.channel.clone().filter(|channel| !channel.is_empty()),
        })
    }
}

/// Lists notifications, newest first
///
/// The dead letters are those with `status=dead`.
#[utoipa::path(
    get, path = "/api/v1/notifications", operation_id = "listNotifications", tag = "Notifications",
    params(ListQuery, Wanted),
    responses((status = 200, description = "One page of the list", body = NotificationEventList)),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Allowed(principal, ..): Allowed<List>,
    Params(query): Params<ListQuery>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<NotificationEventList>, Failure> {
    let page = query.request()?;
    let operation = List { filter: wanted.filter()?, page: page.clone() };
    Ok(Json(listed(api.engine.execute(&principal, operation).await?, &page, NotificationEvent::from)))
}
