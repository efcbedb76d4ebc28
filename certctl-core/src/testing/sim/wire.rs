//! Between a client and the engines: a connection that loses requests and answers, and repeats some.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::executor::{Executor, Node};
use super::link::Link;
use super::reply::reply;
use crate::agent::{
    ControlError, ControlPlane, CsrAnswer, DiscoveryFound, HeartbeatReport, InProcess, VerificationReport,
};
use crate::domain::{AgentId, CertificateId, Chain, JobId, VersionId};
use crate::engine::Engine;
use crate::ops::agent::{ReportedStatus, WorkItem};

/// The engines that listen.
#[derive(Clone, Default)]
pub(super) struct Servers(Arc<Mutex<BTreeMap<Node, Engine>>>);

impl Servers {
    pub(super) fn up(&self, node: Node, engine: Engine) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(node, engine);
    }

    /// False when it was down already.
    pub(super) fn down(&self, node: Node) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&node).is_some()
    }

    fn listening(&self) -> Vec<(Node, Engine)> {
        let servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        servers.iter().map(|(node, engine)| (*node, engine.clone())).collect()
    }
}

/// A client's side. Each call goes to one of the engines that listen, and runs on its node: when that dies, the client
/// sees a closed connection.
pub(super) struct Wire {
    pub(super) servers: Servers,
    pub(super) executor: Executor,
    pub(super) link: Link,
}

impl Wire {
    /// The answer; `None` when none came.
    pub(super) async fn call<T, F>(&self, request: impl Fn(Engine) -> F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        if !self.link.cross().await {
            return None;
        }
        let listening = self.servers.listening();
        let (node, engine) = self.link.chance.of(&listening)?.clone();
        let (answerer, answer) = reply();
        let work = request(engine.clone());
        self.executor.spawn(node, Box::pin(async move { answerer.give(work.await) }));
        if self.link.breaks_now() {
            // It arrives a second time, as from a client or proxy that repeats.
            let again = request(engine);
            self.executor.spawn(node, Box::pin(async move { drop(again.await) }));
        }
        let answer = answer.wait().await?;
        self.link.cross().await.then_some(answer)
    }
}

/// The control plane as one agent reaches it.
pub(super) struct RemoteControl {
    pub(super) wire: Wire,
    pub(super) agent: AgentId,
    /// The planted defect: the agent is given what it was given before.
    pub(super) stale: Option<Mutex<BTreeMap<CertificateId, Vec<Chain>>>>,
}

impl RemoteControl {
    async fn ask<T, F>(&self, request: impl Fn(InProcess) -> F) -> Result<T, ControlError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ControlError>> + Send + 'static,
    {
        let answer = self.wire.call(|engine| request(InProcess::new(engine, self.agent.clone()))).await;
        answer.unwrap_or_else(|| Err(ControlError::Unreachable("the connection broke".into())))
    }

    fn outdated(&self, certificate: &CertificateId, chain: Chain) -> Chain {
        let Some(stale) = &self.stale else { return chain };
        let mut given = stale.lock().unwrap_or_else(PoisonError::into_inner);
        let given = given.entry(certificate.clone()).or_default();
        if given.last() != Some(&chain) {
            given.push(chain.clone());
        }
        match given.len() {
            // Every third time the one before.
            length if length.is_multiple_of(3) => given.get(length - 2).cloned().unwrap_or(chain),
            _ => chain,
        }
    }
}

#[async_trait]
impl ControlPlane for RemoteControl {
    async fn heartbeat(&self, report: &HeartbeatReport) -> Result<(), ControlError> {
        self.ask(|control| {
            let report = report.clone();
            async move { control.heartbeat(&report).await }
        })
        .await
    }

    async fn work(&self, wait: Duration) -> Result<Vec<WorkItem>, ControlError> {
        self.ask(|control| async move { control.work(wait).await }).await
    }

    async fn submit_csr(&self, certificate: &CertificateId, csr_pem: &str) -> Result<CsrAnswer, ControlError> {
        self.ask(|control| {
            let (certificate, csr_pem) = (certificate.clone(), csr_pem.to_owned());
            async move { control.submit_csr(&certificate, &csr_pem).await }
        })
        .await
    }

    async fn pickup(&self, certificate: &CertificateId, version: Option<&VersionId>) -> Result<Chain, ControlError> {
        let chain = self
            .ask(|control| {
                let (certificate, version) = (certificate.clone(), version.cloned());
                async move { control.pickup(&certificate, version.as_ref()).await }
            })
            .await?;
        Ok(self.outdated(certificate, chain))
    }

    async fn report_status(
        &self,
        job: &JobId,
        status: ReportedStatus,
        error: Option<&str>,
    ) -> Result<(), ControlError> {
        self.ask(|control| {
            let (job, error) = (job.clone(), error.map(str::to_owned));
            async move { control.report_status(&job, status, error.as_deref()).await }
        })
        .await
    }

    async fn report_verification(&self, job: &JobId, report: &VerificationReport) -> Result<(), ControlError> {
        self.ask(|control| {
            let (job, report) = (job.clone(), report.clone());
            async move { control.report_verification(&job, &report).await }
        })
        .await
    }

    async fn report_discovery(&self, found: &DiscoveryFound) -> Result<(), ControlError> {
        self.ask(|control| {
            let found = found.clone();
            async move { control.report_discovery(&found).await }
        })
        .await
    }
}
