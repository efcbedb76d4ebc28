//! Listing entries.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::domain::{ActorType, AuditAction, AuditEvent, Timestamp};
use crate::entity::Condition;
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Which entries are wanted; all conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Exactly this actor, by the id of its key or agent.
    pub actor: Option<String>,
    /// This kind of actor.
    pub actor_type: Option<ActorType>,
    /// Exactly this action.
    pub action: Option<AuditAction>,
    /// About this kind of thing.
    pub resource_type: Option<String>,
    /// About this one.
    pub resource_id: Option<String>,
    /// At this or after it.
    pub from: Option<Timestamp>,
    /// Before this.
    pub to: Option<Timestamp>,
}

impl ListFilter {
    /// Whether every entry is wanted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What must hold.
    pub(super) fn conditions(&self) -> Vec<Condition<AuditEvent>> {
        let fields = AuditEvent::FIELDS;
        let mut conditions = Vec::new();
        conditions.extend(self.actor.clone().map(|value| fields.actor.equals(value)));
        conditions.extend(self.actor_type.map(|value| fields.actor_type.equals(value)));
        conditions.extend(self.action.map(|value| fields.action.equals(value)));
        conditions.extend(self.resource_type.clone().map(|value| fields.resource_type.equals(value)));
        conditions.extend(self.resource_id.clone().map(|value| fields.resource_id.equals(value)));
        conditions.extend(self.from.map(|value| fields.timestamp.at_least(value)));
        conditions.extend(self.to.map(|value| fields.timestamp.below(value)));
        conditions
    }

    /// The same, for the audit trail.
    pub(super) fn told(&self) -> Value {
        let Self { actor, actor_type, action, resource_type, resource_id, from, to } = self;
        json!({
            "actor": actor, "actor_type": actor_type, "action": action, "resource_type": resource_type,
            "resource_id": resource_id, "from": from, "to": to,
        })
    }
}

/// Lists the audit trail, the newest entry first: in the order of commits, those that are not sealed yet in front.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Which.
    pub filter: ListFilter,
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for List {
    type Output = Listed<AuditEvent>;
    const NAME: &'static str = "audit.list";
    const ACCESS: Access = Access::AUDIT;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<AuditEvent>, Error> {
        let sorted = Query::sorted(AuditEvent::FIELDS.seq.descending());
        self.page.read(&cx.unit, self.filter.conditions().into_iter().fold(sorted, Query::filter)).await
    }
}
