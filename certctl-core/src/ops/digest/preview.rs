//! Looking at the digest.

use async_trait::async_trait;

use crate::digest::{Digest, gather};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Gives the digest as it would be sent now.
///
/// Refused as unavailable where none is configured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Preview;

#[async_trait]
impl Operation for Preview {
    type Output = Digest;
    const NAME: &'static str = "digest.preview";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Digest, Error> {
        gather(cx.engine, cx.engine.digest()?.interval).await
    }
}
