//! Reading one certificate that was found.

use async_trait::async_trait;

use crate::domain::{DiscoveredCertificate, DiscoveredCertificateId};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Reads a certificate that was found, and the version that is stored.
#[derive(Clone, Debug)]
pub struct Get {
    /// Which.
    pub id: DiscoveredCertificateId,
}

#[async_trait]
impl Operation for Get {
    type Output = (i64, DiscoveredCertificate);
    const NAME: &'static str = "discovery.get";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<(i64, DiscoveredCertificate), Error> {
        let found = cx.unit.peek::<DiscoveredCertificate>(self.id.as_str()).await?;
        let found = found.ok_or_else(|| Error::not_found("discovered certificate", &self.id))?;
        Ok((found.version(), found.into_entity()))
    }
}
