//! What a job carries from step to step: the request, and the issuer's own state. Sealed at rest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::connector::OrderState;
use crate::domain::{Csr, IssuerId, Job};
use crate::engine::Engine;
use crate::error::Error;
use crate::pki;
use crate::pki::cms::Strength;

#[derive(Serialize, Deserialize)]
struct Stored {
    csr: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issuer: Option<IssuerId>,
}

/// The step that an issuing job is at.
pub(crate) struct Step {
    pub(crate) csr: Csr,
    pub(crate) state: Option<OrderState>,
    /// Why the CA refused to hear of the version that this one replaces, if it did.
    pub(crate) refused: Option<String>,
    /// Who was asked so far, and so whose state it is.
    pub(crate) issuer: Option<IssuerId>,
}

impl Step {
    /// The first step of an order.
    pub(crate) fn first(csr: &Csr) -> Self {
        Self { csr: csr.clone(), state: None, refused: None, issuer: None }
    }

    pub(crate) fn seal(&self, engine: &Engine, job: &Job) -> Result<Vec<u8>, Error> {
        let state = self.state.as_ref().map(|state| STANDARD.encode(&state.0));
        let stored = Stored {
            csr: STANDARD.encode(self.csr.der()),
            state,
            refused: self.refused.clone(),
            issuer: self.issuer.clone(),
        };
        engine.seal_step(job.id.as_str(), &serde_json::to_value(stored).map_err(Error::internal)?)
    }

    /// `None` when the job has no request yet.
    pub(crate) fn open(engine: &Engine, job: &Job) -> Result<Option<Self>, Error> {
        let Some(sealed) = &job.step else { return Ok(None) };
        let value = engine.open_step(job.id.as_str(), sealed).map_err(Error::internal)?;
        let stored: Stored = serde_json::from_value(value).map_err(Error::internal)?;
        let csr = STANDARD.decode(stored.csr).map_err(Error::internal)?;
        let state = stored.state.map(|state| STANDARD.decode(state)).transpose().map_err(Error::internal)?;
        // Whether its signature is good enough was decided when it came.
        let csr = pki::csr::parse_der_by(&csr, Strength::Legacy).map_err(Error::internal)?;
        Ok(Some(Self { csr, state: state.map(OrderState), refused: stored.refused, issuer: stored.issuer }))
    }
}
