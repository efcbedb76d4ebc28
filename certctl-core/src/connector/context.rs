//! What an issuer or a notifier is built with.

use std::sync::Arc;

use super::authorities::Authorities;
use super::kept::{Challenges, ConnectorState};
use crate::ports::Ports;

/// The world of one configured connector.
#[derive(Clone)]
pub struct ConnectorContext {
    /// The id of the issuer or notifier.
    pub id: String,
    /// The ports.
    pub ports: Ports,
    /// CA keys that the engine keeps for this connector, sealed.
    pub authorities: Arc<dyn Authorities>,
    /// What the engine keeps for this connector besides, sealed.
    pub state: Arc<dyn ConnectorState>,
    /// Answers to challenges that every replica gives.
    pub challenges: Arc<dyn Challenges>,
}

impl std::fmt::Debug for ConnectorContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectorContext").field("id", &self.id).finish_non_exhaustive()
    }
}
