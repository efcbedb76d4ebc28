//! NGINX as a target.

use std::sync::Arc;

use async_trait::async_trait;
use certctl_core::connector::{
    ConnectorError, DeployCause, DeployError, DeployOutcome, Deployment, ProbePoint, Target, TargetContext,
    TargetPlugin,
};

use super::{Nginx, NginxValid};
use crate::deploy::{CommandNotAllowed, FileDeploy, Layout, permit};

/// What an agent runs for this kind without being told that it may.
const BUILT_IN: &[&[&str]] = &[
    &["nginx", "-t"],
    &["nginx", "-t", "-q"],
    &["nginx", "-s", "reload"],
    &["systemctl", "reload", "nginx"],
    &["systemctl", "reload", "nginx.service"],
    &["service", "nginx", "reload"],
];

impl TargetPlugin for Nginx {
    fn build(valid: NginxValid, cx: &TargetContext) -> Result<Arc<dyn Target>, ConnectorError> {
        let layout = Layout::new(&cx.id, valid.slots).map_err(|error| ConnectorError::permanent(error.to_string()))?;
        let commands = valid.service.check.iter().chain(&valid.service.reload);
        let refused = commands.map(|argv| permit(argv, BUILT_IN, &cx.allowed_commands)).find_map(Result::err);
        let probe_point = valid.service.observe.as_ref().map(|observe| observe.point.clone());
        let files = FileDeploy::new(cx.ports.clone(), layout, valid.service);
        Ok(Arc::new(NginxTarget { files, refused, probe_point }))
    }
}

/// One NGINX on the agent's host.
#[derive(Debug)]
struct NginxTarget {
    files: FileDeploy,
    /// A command that this host does not allow: then nothing at all is done.
    refused: Option<CommandNotAllowed>,
    probe_point: Option<ProbePoint>,
}

impl NginxTarget {
    fn check_policy(&self) -> Result<(), DeployError> {
        match &self.refused {
            Some(refused) => Err(DeployError {
                cause: DeployCause::LocalPolicy,
                message: refused.to_string(),
                rolled_back: true,
                retryable: false,
            }),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Target for NginxTarget {
    async fn recover(&self) -> Result<(), DeployError> {
        self.check_policy()?;
        self.files.recover().await
    }

    async fn deploy(&self, deployment: Deployment<'_>) -> Result<DeployOutcome, DeployError> {
        self.check_policy()?;
        self.files.deploy(&deployment).await
    }

    fn probe_point(&self) -> Option<ProbePoint> {
        self.probe_point.clone()
    }
}
