//! What the probes of an endpoint saw.

use async_trait::async_trait;

use crate::domain::{HealthCheck, HealthCheckId, HealthEntry};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::Query;

/// Reads the history of a health check, newest first.
#[derive(Clone, Debug)]
pub struct History {
    /// Which check.
    pub id: HealthCheckId,
    /// How many entries at most, 1 to 1,000.
    pub limit: usize,
}

impl History {
    /// Most entries of one answer.
    pub const MOST: usize = 1_000;
}

#[async_trait]
impl Operation for History {
    type Output = Vec<HealthEntry>;
    const NAME: &'static str = "health_check.history";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Vec<HealthEntry>, Error> {
        if cx.unit.peek::<HealthCheck>(self.id.as_str()).await?.is_none() {
            return Err(Error::not_found("health check", &self.id));
        }
        let fields = HealthEntry::FIELDS;
        let of = Query::sorted(fields.checked_at.descending()).filter(fields.health_check_id.equals(self.id.clone()));
        let found = cx.unit.list(of.limit(self.limit.clamp(1, Self::MOST))).await?;
        Ok(found.records.into_iter().map(Record::into_entity).collect())
    }
}
