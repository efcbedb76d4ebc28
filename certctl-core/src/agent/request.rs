//! Asking for a certificate.

use super::{AgentRuntime, CsrAnswer};
use crate::domain::{KeyAlgorithm, SubjectNames};
use crate::ops::agent::WorkItem;
use crate::pki;

/// Makes the key, builds the request and submits it. The error is for the job.
pub(super) async fn submit(agent: &AgentRuntime, item: &WorkItem) -> Result<CsrAnswer, super::runtime::Problem> {
    let common_name = item.common_name.clone().unwrap_or_default();
    let names = SubjectNames::new(&common_name, &item.sans).map_err(|error| error.to_string())?;
    let algorithm = item.key_algorithm.unwrap_or(KeyAlgorithm::EcdsaP256);
    let signer = agent
        .key_store
        .for_request(&item.certificate_id, &item.id, algorithm)
        .await
        .map_err(|error| error.to_string())?;
    let csr = pki::csr::build(&names, &*signer).await.map_err(|error| error.to_string())?;
    Ok(agent.control.submit_csr(&item.certificate_id, &csr.to_pem()).await?)
}
