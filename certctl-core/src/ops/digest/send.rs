//! Sending the digest now.

use async_trait::async_trait;

use crate::digest::{Occasion, record};
use crate::error::{Error, ErrorKind};
use crate::ops::{Access, Context, Operation};

/// Sends the digest to its recipients, besides those that are due; gives to how many. It is stored when this returns, and
/// delivered as notifications are.
///
/// Refused as unavailable where none is configured, and where nobody has an address.
#[derive(Clone, Copy, Debug, Default)]
pub struct Send;

#[async_trait]
impl Operation for Send {
    type Output = usize;
    const NAME: &'static str = "digest.send";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<usize, Error> {
        match record(cx.engine, &mut cx.unit, Occasion::Asked, cx.principal).await? {
            0 => {
                let message = "there is nobody to send the digest to: no owner has an e-mail address, and no recipients are \
                               configured (CERTCTL_DIGEST_RECIPIENTS)";
                Err(Error::new(ErrorKind::Unavailable, "digest_without_recipients", message))
            }
            count => Ok(count),
        }
    }
}
