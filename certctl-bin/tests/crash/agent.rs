//! The agent: its runtime over HTTP.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use certctl_connectors::host::{self, EgressPolicy, HostConfig};
use certctl_core::agent::{AgentConfig, AgentRuntime};
use certctl_core::domain::Timestamp;
use certctl_core::ports::{Clock, Monotonic, Ports, Secret};
use certctl_http::client::{Client, RemoteControlPlane};
use futures_util::future::BoxFuture;

use super::child::{AGENT, Order};
use super::points::{PointedCommands, PointedControl, PointedFiles, PointedKeys, Points};

pub(crate) async fn work(order: &Order, points: Points) {
    let loopback = EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], ..EgressPolicy::default() };
    let ports = host::ports(&HostConfig { egress: loopback, ..HostConfig::default() }).unwrap();
    let (id, key, _) = AGENT;
    let url = format!("http://127.0.0.1:{}", order.port).parse().unwrap();
    let client = Client::new(ports.http.clone(), url).with_key(Secret::new(key));
    let inner = RemoteControlPlane::new(client, id.parse().unwrap());
    let control = Arc::new(PointedControl { inner, points: points.clone() });
    let ports = Ports {
        clock: Arc::new(Impatient(ports.clock.clone())),
        keys: Arc::new(PointedKeys { inner: ports.keys.clone(), points: points.clone() }),
        files: Arc::new(PointedFiles { inner: ports.files.clone(), points: points.clone() }),
        commands: Arc::new(PointedCommands { inner: ports.commands.clone(), points }),
        ..ports
    };
    let mut config = AgentConfig::new(id.parse().unwrap(), &order.agent_dir);
    config.allowed_commands.clone_from(&order.commands);
    config.allowed_paths.clone_from(&order.paths);
    (config.verify_delay, config.verify_attempts) = (Duration::from_millis(10), 200);
    let agent = AgentRuntime::start(control, ports, certctl_connectors::registry(), config).await.unwrap();
    agent.run_until(pending()).await;
}

/// A clock whose long pauses end after a twentieth: an agent that lost its server tries again soon. What is waited for
/// in small steps, such as a server that reloads, gets its time.
struct Impatient(Arc<dyn Clock>);

const LONG: Duration = Duration::from_millis(900);

impl Clock for Impatient {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
    fn monotonic(&self) -> Monotonic {
        self.0.monotonic()
    }
    fn sleep_until(&self, deadline: Monotonic) -> BoxFuture<'static, ()> {
        let pause = self.0.monotonic().until(deadline);
        self.0.sleep_until(if pause < LONG { deadline } else { self.0.monotonic() + pause / 20 })
    }
}
