//! Beginning to follow.

use async_trait::async_trait;

use super::feed::Feed;
use crate::domain::{AuditAction, AuditEvent, UNSEALED};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::Query;

/// What is wanted; all conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FollowFilter {
    /// Exactly this action.
    pub action: Option<AuditAction>,
    /// About this kind of thing.
    pub resource_type: Option<String>,
}

impl FollowFilter {
    /// Whether an event is wanted.
    pub(super) fn wants(&self, event: &AuditEvent) -> bool {
        self.action.is_none_or(|action| action == event.action)
            && self.resource_type.as_ref().is_none_or(|kind| *kind == event.resource_type)
    }
}

/// Follows what happens from some place in the audit trail on, or from now on.
///
/// Events come once they are sealed, which takes at most a second; so they have one order for all replicas, and a place that
/// outlives a restart.
#[derive(Clone, Debug, Default)]
pub struct Follow {
    /// Only what is behind this number. From the present end on when absent, or when the trail does not reach so far.
    pub after: Option<i64>,
    /// Which.
    pub filter: FollowFilter,
}

#[async_trait]
impl Operation for Follow {
    type Output = Feed;
    const NAME: &'static str = "event.follow";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Feed, Error> {
        let seq = AuditEvent::FIELDS.seq;
        let newest = Query::sorted(seq.descending()).filter(seq.below(UNSEALED));
        let end = cx.unit.first(newest).await?.map_or(0, |event| event.seq);
        let after = self.after.map_or(end, |after| after.clamp(0, end));
        Ok(Feed::new(cx.engine.clone(), after, self.filter.clone()))
    }
}
