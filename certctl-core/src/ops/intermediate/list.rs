//! Listing the intermediate CAs of an issuer.

use async_trait::async_trait;

use crate::domain::{IntermediateCa, IssuerId, IssuerRecord};
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;

/// Lists the intermediate CAs of an issuer, newest first.
#[derive(Clone, Debug)]
pub struct List {
    /// Whose.
    pub issuer_id: IssuerId,
    /// Which part.
    pub page: PageRequest,
}

#[async_trait]
impl Operation for List {
    type Output = Listed<IntermediateCa>;
    const NAME: &'static str = "intermediate.list";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.issuer_id.to_string())
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Listed<IntermediateCa>, Error> {
        if cx.unit.peek::<IssuerRecord>(self.issuer_id.as_str()).await?.is_none() {
            return Err(Error::not_found("issuer", &self.issuer_id));
        }
        let fields = IntermediateCa::FIELDS;
        let query =
            Query::sorted(fields.created_at.descending()).filter(fields.issuer_id.equals(self.issuer_id.clone()));
        self.page.read(&cx.unit, query).await
    }
}
