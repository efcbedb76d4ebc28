//! An issuer in the layers that an engine puts around it: it must keep its contract there, too.

use std::marker::PhantomData;
use std::sync::Arc;

use certctl_core::connector::layer::{Layers, Limits, Retry};
use certctl_core::connector::{ConfigError, ConnectorContext, ConnectorError, Issuer, IssuerPlugin};

/// The issuer `P` in all layers. Its failures are not repeated, or the suite would not see them.
pub(crate) struct InLayers<P>(PhantomData<P>);

impl<P: IssuerPlugin> IssuerPlugin for InLayers<P> {
    const KIND: &'static str = P::KIND;
    const ALIASES: &'static [&'static str] = P::ALIASES;
    const DOCS: &'static str = P::DOCS;
    type Config = P::Config;
    type Valid = P::Valid;

    fn validate(config: P::Config) -> Result<P::Valid, ConfigError> {
        P::validate(config)
    }

    fn build(valid: P::Valid, cx: &ConnectorContext) -> Result<Arc<dyn Issuer>, ConnectorError> {
        let limits = Limits { retry: Retry::NEVER, ..Limits::default() };
        let layers = Layers::new(limits, Arc::clone(&cx.ports.clock));
        Ok(layers.issuer(P::KIND, &cx.id, P::build(valid, cx)?))
    }
}
