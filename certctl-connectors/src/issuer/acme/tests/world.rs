//! An issuer, its CA, and what lies between.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use certctl_core::connector::{
    ConnectorContext, ConnectorError, Issuance, IssueOrder, Issuer, IssuerPlugin, OrderState, Predecessor,
};
use certctl_core::domain::{CertificateFacts, Chain, Csr, EnforcedTerms, KeyAlgorithm, SubjectNames};
use certctl_core::pki::{certificate, csr};
use certctl_core::ports::Clock;
use certctl_core::testing::{AcmeCa, FakePorts, MemoryChallenges, MemoryState, block_on, connector_context};
use serde_json::{Value, json};

use super::super::Acme;

pub(super) struct World {
    pub(super) fakes: FakePorts,
    pub(super) ca: AcmeCa,
    pub(super) state: MemoryState,
    pub(super) challenges: MemoryChallenges,
}

/// What is ordered.
pub(super) struct Wanted {
    pub(super) id: String,
    pub(super) names: SubjectNames,
    pub(super) csr: Csr,
    pub(super) terms: EnforcedTerms,
    pub(super) replaces: Option<Predecessor>,
}

/// More steps than any order here takes.
const MOST: usize = 60;

impl World {
    pub(super) fn new() -> Self {
        let fakes = FakePorts::seeded(3);
        let (state, challenges) = (MemoryState::new(), MemoryChallenges::new());
        let ca = AcmeCa::new(3, &fakes.clock, &challenges, &fakes.names);
        ca.attach(&fakes.http);
        Self { fakes, ca, state, challenges }
    }

    /// A new process.
    pub(super) fn issuer(&self, more: Value) -> Arc<dyn Issuer> {
        self.built(more).unwrap()
    }

    fn built(&self, more: Value) -> Result<Arc<dyn Issuer>, ConnectorError> {
        let mut config = json!({ "directory_url": AcmeCa::DIRECTORY, "email": "ops@example.com" });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let cx = ConnectorContext {
            state: Arc::new(self.state.clone()),
            challenges: Arc::new(self.challenges.clone()),
            ..connector_context("iss-acme", self.fakes.ports())
        };
        Acme::build(Acme::validate(serde_json::from_value(config).unwrap()).unwrap(), &cx)
    }

    pub(super) fn wanted(&self, sans: &[&str]) -> Wanted {
        let sans: Vec<String> = sans.iter().map(|&san| san.to_owned()).collect();
        let names = SubjectNames::new("", &sans).unwrap();
        let key = block_on(self.fakes.keys.generate(KeyAlgorithm::EcdsaP256, &*self.fakes.rng)).unwrap();
        let csr = block_on(csr::build(&names, &*key.signer)).unwrap();
        let terms = EnforcedTerms { lifetime: None, ekus: BTreeSet::new(), must_staple: false };
        Wanted { id: "job-1".to_owned(), names, csr, terms, replaces: None }
    }

    /// One step; the state is that of the step before.
    pub(super) fn step(
        &self,
        issuer: &dyn Issuer,
        wanted: &Wanted,
        state: Option<&OrderState>,
    ) -> Result<Issuance, ConnectorError> {
        let order = IssueOrder {
            idempotency_key: &wanted.id,
            csr: &wanted.csr,
            names: &wanted.names,
            terms: &wanted.terms,
            replaces: wanted.replaces.as_ref(),
            now: self.fakes.clock.now(),
        };
        block_on(async {
            match state {
                None => issuer.issue(order).await,
                Some(state) => issuer.resume(order, state).await,
            }
        })
    }

    /// Goes on from a state to the end, each step in a process of its own, waiting as long as is asked.
    pub(super) fn go_on(
        &self,
        config: &Value,
        wanted: &Wanted,
        mut state: Option<OrderState>,
    ) -> Result<Chain, (ConnectorError, Option<OrderState>)> {
        for _ in 0..MOST {
            match self.step(&*self.issuer(config.clone()), wanted, state.as_ref()) {
                Ok(Issuance::Issued(chain)) => return Ok(chain),
                Ok(Issuance::Pending { state: next, retry_after, .. }) => {
                    self.fakes.clock.advance(retry_after);
                    state = Some(next);
                }
                Err(error) => return Err((error, state)),
            }
        }
        panic!("the order is still pending after {MOST} steps")
    }

    pub(super) fn fulfil(&self, config: &Value, wanted: &Wanted) -> Result<Chain, ConnectorError> {
        self.go_on(config, wanted, None).map_err(|(error, _)| error)
    }

    /// As the engine does it: after a failure that passes the attempt is made again, anew where the error says so.
    pub(super) fn with_attempts(
        &self,
        config: &Value,
        wanted: &Wanted,
        attempts: usize,
    ) -> Result<Chain, ConnectorError> {
        let mut state = None;
        let mut last = None;
        for _ in 0..attempts {
            match self.go_on(config, wanted, state.take()) {
                Ok(chain) => return Ok(chain),
                Err((error, _)) if !error.kind.is_retryable() => return Err(error),
                Err((error, stood)) => {
                    self.fakes.clock.advance(error.retry_after.unwrap_or(Duration::from_secs(60)));
                    state = if error.begins_anew { None } else { stood };
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap())
    }

    /// The states of an order in their order, each as stored before the next step.
    pub(super) fn states(&self, config: &Value, wanted: &Wanted) -> Vec<OrderState> {
        let mut states: Vec<OrderState> = Vec::new();
        for _ in 0..MOST {
            match self.step(&*self.issuer(config.clone()), wanted, states.last()).unwrap() {
                Issuance::Issued(_) => return states,
                Issuance::Pending { state, retry_after, .. } => {
                    self.fakes.clock.advance(retry_after);
                    states.push(state);
                }
            }
        }
        panic!("the order is still pending after {MOST} steps")
    }
}

pub(super) fn leaf(chain: &Chain) -> CertificateFacts {
    certificate::parse(chain.leaf()).unwrap()
}
