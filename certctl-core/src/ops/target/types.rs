//! The kinds of targets that are compiled in.

use async_trait::async_trait;

use crate::connector::ConnectorInfo;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};

/// Lists the kinds of targets that can be configured, by name, with the schema of their configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Types;

#[async_trait]
impl Operation for Types {
    type Output = Vec<ConnectorInfo>;
    const NAME: &'static str = "target.types";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Vec<ConnectorInfo>, Error> {
        Ok(cx.engine.registry().target_specs().cloned().collect())
    }
}
