//! NGINX as a target.

use std::sync::Arc;

use async_trait::async_trait;
use certctl_core::connector::{
    ConnectorError, DeployError, DeployOutcome, Deployment, ProbePoint, Target, TargetContext, TargetPlugin,
};

use super::{Nginx, NginxValid};
use crate::deploy::{Defaults, FileDeploy, Layout, LocalPolicy};

/// What an agent does for this kind without being told that it may.
const DEFAULTS: Defaults = Defaults {
    commands: &[
        &["nginx", "-t"],
        &["nginx", "-t", "-q"],
        &["nginx", "-s", "reload"],
        &["systemctl", "reload", "nginx"],
        &["systemctl", "reload", "nginx.service"],
        &["service", "nginx", "reload"],
    ],
    // NGINX's own ones only. In `/etc/ssl/certs` a certificate decides whom the host trusts, in `/etc/ssl/private` are the
    // keys of others, and `/var/lib/nginx` belongs to the server's own user, who could put links there.
    directories: &[
        "/etc/nginx",
        "/etc/pki/nginx",
        "/etc/ssl/nginx",
        "/opt/homebrew/etc/nginx",
        "/usr/local/etc/nginx",
        "/usr/local/nginx/conf",
    ],
};

impl TargetPlugin for Nginx {
    fn build(valid: NginxValid, cx: &TargetContext) -> Result<Arc<dyn Target>, ConnectorError> {
        let layout = Layout::new(&cx.id, valid.slots).map_err(|error| ConnectorError::permanent(error.to_string()))?;
        let probe_point = valid.service.observe.as_ref().map(|observe| observe.point.clone());
        let policy = LocalPolicy::new(DEFAULTS, cx);
        let files = FileDeploy::new(cx.ports.clone(), layout, valid.service, policy);
        Ok(Arc::new(NginxTarget { files, probe_point }))
    }
}

/// One NGINX on the agent's host.
#[derive(Debug)]
struct NginxTarget {
    files: FileDeploy,
    probe_point: Option<ProbePoint>,
}

#[async_trait]
impl Target for NginxTarget {
    async fn recover(&self) -> Result<(), DeployError> {
        self.files.recover().await
    }

    async fn deploy(&self, deployment: Deployment<'_>) -> Result<DeployOutcome, DeployError> {
        self.files.deploy(&deployment).await
    }

    fn probe_point(&self) -> Option<ProbePoint> {
        self.probe_point.clone()
    }
}
