//! Which entries are wanted.

use certctl_core::Error;
use certctl_core::ops::audit::ListFilter;
use serde::Deserialize;

use crate::request::{moment, value};

/// Which entries are wanted; all conditions must hold.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Exactly this actor: the id of a key or an agent, or `system`.
    #[param(nullable = false)]
    actor: Option<String>,
    /// This kind of actor: `User`, `Agent`, `System` or `Anonymous`.
    #[param(nullable = false)]
    actor_type: Option<String>,
    /// Exactly this action, such as `certificate_created`.
    #[param(nullable = false)]
    action: Option<String>,
    /// About this kind of thing, such as `certificate`.
    #[param(nullable = false)]
    resource_type: Option<String>,
    /// About this one.
    #[param(nullable = false)]
    resource_id: Option<String>,
    /// At this or after it.
    #[param(value_type = Option<String>, format = DateTime, nullable = false)]
    from: Option<String>,
    /// Before this.
    #[param(value_type = Option<String>, format = DateTime, nullable = false)]
    to: Option<String>,
}

impl Wanted {
    /// The engine's form of it.
    ///
    /// # Errors
    /// An action that there is not, and times that are none.
    pub(super) fn filter(self) -> Result<ListFilter, Error> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(ListFilter {
            actor_type: value("actor_type", self.actor_type.as_ref())?,
            action: value("action", self.action.as_ref())?,
            from: moment("from", self.from.as_ref())?,
            to: moment("to", self.to.as_ref())?,
            actor: given(self.actor),
            resource_type: given(self.resource_type),
            resource_id: given(self.resource_id),
        })
    }
}
