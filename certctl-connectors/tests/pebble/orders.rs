//! Who orders: like the engine's runner, but each step in a process of its own, some of which die.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use certctl_connectors::host::{self, HostConfig};
use certctl_core::connector::{ConnectorContext, ConnectorError, Issuance, IssueOrder, Issuer, OrderState};
use certctl_core::domain::{Chain, Csr, EnforcedTerms, KeyAlgorithm, SubjectNames};
use certctl_core::pki::chain::{Expected, check};
use certctl_core::pki::csr;
use certctl_core::ports::Ports;
use certctl_core::testing::{MemoryChallenges, MemoryState, connector_context};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::answers::Answers;
use crate::ca::Pebble;

pub(crate) struct Client {
    pub(crate) pebble: Pebble,
    pub(crate) ports: Ports,
    pub(crate) answers: Answers,
    pub(crate) challenges: MemoryChallenges,
    state: MemoryState,
    programs: TempDir,
    deaths: AtomicUsize,
    attempts: AtomicUsize,
}

struct Wanted {
    id: String,
    names: SubjectNames,
    csr: Csr,
    terms: EnforcedTerms,
}

/// More steps, and more attempts, than any order takes.
const MOST_STEPS: usize = 400;
const MOST_ATTEMPTS: usize = 6;
/// Steps of an order at most at which a process dies.
const STEPS: usize = 13;

impl Client {
    pub(crate) async fn new(pebble: Pebble) -> Self {
        let challenges = MemoryChallenges::new();
        let answers = Answers::start(challenges.clone(), pebble.http, pebble.tls).await;
        let programs = tempfile::tempdir().unwrap();
        for (name, call) in [("present", "set-txt"), ("cleanup", "clear-txt")] {
            let script = format!(
                "#!/bin/sh\nexec curl -sf \"$1/{call}\" -d \"{{\\\"host\\\":\\\"$CERTCTL_DNS_FQDN.\\\",\\\"value\\\":\\\"$CERTCTL_DNS_VALUE\\\"}}\"\n"
            );
            let path = programs.path().join(name);
            std::fs::write(&path, script).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let named = ["present", "cleanup"].map(|name| programs.path().join(name).display().to_string());
        let egress = serde_json::from_value(json!({ "allow": ["127.0.0.0/8", "::1/128"] })).unwrap();
        let ports = host::ports(&HostConfig { egress, programs: Some(named.to_vec()) }).unwrap();
        let (deaths, attempts) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { pebble, ports, answers, challenges, state: MemoryState::new(), programs, deaths, attempts }
    }

    pub(crate) fn program(&self, name: &str) -> String {
        self.programs.path().join(name).display().to_string()
    }

    pub(crate) fn deaths(&self) -> usize {
        self.deaths.load(Ordering::Relaxed)
    }

    pub(crate) fn attempts(&self) -> usize {
        self.attempts.load(Ordering::Relaxed)
    }

    /// A new process.
    pub(crate) fn issuer(&self, more: &Value) -> Arc<dyn Issuer> {
        let mut config = json!({
            "directory_url": self.pebble.directory, "email": "ops@example.com", "roots_pem": self.pebble.root_pem,
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let cx = ConnectorContext {
            state: Arc::new(self.state.clone()),
            challenges: Arc::new(self.challenges.clone()),
            ..connector_context("iss-pebble", self.ports.clone())
        };
        certctl_connectors::registry().find_issuer("ACME").unwrap().build(&config, &cx).unwrap()
    }

    async fn wanted(&self, names: Vec<String>) -> Wanted {
        let id = names.concat();
        let names = SubjectNames::new("", &names).unwrap();
        let key = self.ports.keys.generate(KeyAlgorithm::EcdsaP256, &*self.ports.rng).await.unwrap();
        let csr = csr::build(&names, &*key.signer).await.unwrap();
        let terms = EnforcedTerms { lifetime: None, ekus: BTreeSet::new(), must_staple: false };
        Wanted { id, names, csr, terms }
    }

    async fn step(
        &self,
        config: &Value,
        wanted: &Wanted,
        state: Option<&OrderState>,
    ) -> Result<Issuance, ConnectorError> {
        let issuer = self.issuer(config);
        let order = IssueOrder {
            idempotency_key: &wanted.id,
            csr: &wanted.csr,
            names: &wanted.names,
            terms: &wanted.terms,
            replaces: None,
            now: self.ports.clock.now(),
        };
        match state {
            None => issuer.issue(order).await,
            Some(state) => issuer.resume(order, state).await,
        }
    }

    /// The first attempt alone.
    pub(crate) async fn attempt(&self, config: &Value, names: Vec<String>) -> Result<Issuance, ConnectorError> {
        let wanted = self.wanted(names).await;
        self.step(config, &wanted, None).await
    }

    /// Orders until there is a certificate that fits. The process of the order's step `dies_at` dies with what came of it.
    pub(crate) async fn fulfil(&self, config: &Value, names: Vec<String>, dies_at: usize) -> Chain {
        let wanted = self.wanted(names).await;
        let dies_at = if dies_at == usize::MAX { dies_at } else { dies_at % STEPS };
        let (mut state, mut attempts) = (None, 0);
        for number in 0..MOST_STEPS {
            if number == dies_at {
                drop(self.step(config, &wanted, state.as_ref()).await);
                self.deaths.fetch_add(1, Ordering::Relaxed);
            }
            match self.step(config, &wanted, state.as_ref()).await {
                Ok(Issuance::Issued(chain)) => {
                    let now = self.ports.clock.now();
                    let expected = Expected { spki: wanted.csr.spki(), names: &wanted.names, now };
                    check(&chain, &expected).unwrap();
                    return chain;
                }
                Ok(Issuance::Pending { state: next, retry_after, .. }) => {
                    state = Some(next);
                    tokio::time::sleep(retry_after).await;
                }
                Err(error) => {
                    attempts += 1;
                    self.attempts.fetch_add(1, Ordering::Relaxed);
                    assert!(error.kind.is_retryable() && attempts < MOST_ATTEMPTS, "{}", error.explained());
                    if error.begins_anew {
                        state = None;
                    }
                    tokio::time::sleep(error.retry_after.unwrap_or(Duration::from_millis(200))).await;
                }
            }
        }
        panic!("{}: still pending after {MOST_STEPS} steps", wanted.id)
    }
}
