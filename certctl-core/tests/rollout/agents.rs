//! Agents as they are: they fetch the version that their job is about, with the key that they kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use certctl_core::agent::{AgentConfig, AgentRuntime, InProcess};
use certctl_core::connector::{
    ConfigError, ConnectorError, DeployError, DeployOutcome, Deployment, ProbePoint, Registry, Target, TargetContext,
    TargetPlugin, TargetSpec,
};
use certctl_core::domain::{DeploymentWaves, Fingerprint, OnFailure, RolloutState, TargetId};
use certctl_core::ports::{Endpoint, Files, WriteOptions};
use certctl_core::testing::block_on;

use crate::fleet::{Fleet, waves};

/// Puts the leaf of what it is given into a file of its name.
struct Shelf {
    id: TargetId,
    files: Arc<dyn Files>,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf").field("id", &self.id).finish_non_exhaustive()
    }
}

impl TargetSpec for Shelf {
    const KIND: &'static str = "Shelf";
    const DOCS: &'static str = "A shelf.";
    type Config = BTreeMap<String, String>;
    type Valid = ();
    fn validate(_: Self::Config) -> Result<(), ConfigError> {
        Ok(())
    }
}

impl TargetPlugin for Shelf {
    fn build((): (), cx: &TargetContext) -> Result<Arc<dyn Target>, ConnectorError> {
        Ok(Arc::new(Self { id: cx.id.clone(), files: cx.ports.files.clone() }))
    }
}

#[async_trait]
impl Target for Shelf {
    async fn recover(&self) -> Result<(), DeployError> {
        Ok(())
    }
    async fn deploy(&self, deployment: Deployment<'_>) -> Result<DeployOutcome, DeployError> {
        let options = WriteOptions { mode: 0o600, ..WriteOptions::default() };
        self.files.create_dir_all(Path::new("/shelf"), 0o700).await.unwrap();
        self.files.write(&Path::new("/shelf").join(self.id.as_str()), deployment.chain.leaf(), &options).await.unwrap();
        Ok(DeployOutcome::Deployed { fingerprint: deployment.chain.fingerprint() })
    }
    fn probe_point(&self) -> Option<ProbePoint> {
        Some(ProbePoint { endpoint: Endpoint { host: self.id.to_string(), port: 443 }, server_name: None })
    }
}

#[test]
fn agents_give_back_what_was_in_service_with_the_key_that_they_kept() {
    block_on(async {
        let plan = DeploymentWaves { on_failure: OnFailure::Rollback, ..waves(1, None) };
        let agents: [(&str, &[&str]); 2] = [("edge-1", &["t-1", "t-2"]), ("edge-2", &["t-3"])];
        let fleet = Fleet::new(Some(plan), &agents).await;
        let files = &fleet.world.fakes.files;
        let on_shelf = |target: &str| files.contents(format!("/shelf/{target}"));
        // t-2 goes on with what it had when it is told to refuse.
        let stuck: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
        let (shelves, refuses) = (files.clone(), Arc::clone(&stuck));
        fleet.world.fakes.tls.handle(move |request| {
            let held = shelves.contents(format!("/shelf/{}", request.endpoint.host))?;
            let old = refuses.lock().unwrap().clone().filter(|_| request.endpoint.host == "t-2");
            Some(Ok(vec![old.unwrap_or(held)]))
        });
        let mut running = Vec::new();
        for (agent, _) in agents {
            let control = Arc::new(InProcess::new(fleet.engine.clone(), agent.parse().unwrap()));
            let config = AgentConfig {
                verify_delay: Duration::ZERO,
                ..AgentConfig::new(agent.parse().unwrap(), format!("/var/lib/{agent}"))
            };
            let registry = Registry::new().target::<Shelf>();
            running.push(AgentRuntime::start(control, fleet.world.fakes.ports(), registry, config).await.unwrap());
        }
        let settle = async || {
            for _ in 0..8 {
                for agent in &running {
                    agent.step(Duration::ZERO).await.unwrap();
                    fleet.pass(1);
                }
            }
        };
        settle().await;
        assert_eq!(fleet.state().await, RolloutState::Finished);
        let first = ["t-1", "t-2", "t-3"].map(|id| (id, on_shelf(id).unwrap()));
        *stuck.lock().unwrap() = on_shelf("t-2");

        fleet.renew().await;
        settle().await;
        assert_eq!(fleet.state().await, RolloutState::RolledBack);
        for (target, leaf) in &first {
            assert_eq!(Fingerprint::of(&on_shelf(target).unwrap()), Fingerprint::of(leaf), "{target}");
        }
        assert_eq!(fleet.deployments("t-1").await.len(), 3, "the first version, the second, and the first again");
        assert!(fleet.told().await[0].message.contains("Given the version before it back"));
    });
}
