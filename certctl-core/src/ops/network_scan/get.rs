//! Reading one target of network searches.

use async_trait::async_trait;

use crate::domain::{NetworkScanTarget, NetworkScanTargetId};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Reads a target, and the version that is stored.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: NetworkScanTargetId,
}

#[async_trait]
impl Operation for Get {
    type Output = (i64, NetworkScanTarget);
    const NAME: &'static str = "network_scan.get";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(i64, NetworkScanTarget), Error> {
        let found = cx.unit.peek::<NetworkScanTarget>(self.id.as_str()).await?;
        let target = found.ok_or_else(|| Error::not_found("network scan target", &self.id))?;
        Ok((target.version(), target.into_entity()))
    }
}
