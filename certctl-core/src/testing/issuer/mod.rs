//! The conformance suite of issuers: every kind passes every case, also for what it says that it cannot do.
//!
//! A connector brings a [`Subject`]: its configuration, and the other side in a [`World`] of fakes.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a case fails by panicking, as tests do")]

mod issued;
mod life;
mod ordering;
mod refused;
mod revoked;

use std::sync::Arc;

use serde_json::Value;

use super::config::Configured;
use super::{FakePorts, MemoryAuthorities, MemoryChallenges, MemoryState};
use crate::connector::{ConnectorContext, ConnectorError, Issuer, IssuerEntry};

pub use super::config::Unusable;

/// The world of one case.
#[derive(Debug)]
pub struct World {
    /// The ports.
    pub fakes: FakePorts,
    /// The CA keys.
    pub authorities: MemoryAuthorities,
    /// What connectors keep.
    pub state: MemoryState,
    /// Answers to challenges.
    pub challenges: MemoryChallenges,
}

/// One kind of issuer under test.
pub trait Subject: Send + Sync {
    /// A configuration that works, with all its secrets.
    fn config(&self) -> Value;
    /// The secrets that stand in it; none unless told otherwise.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }
    /// Configurations that must be refused.
    fn unusable(&self) -> Vec<Unusable>;
    /// Sets up the other side, if there is one.
    fn prepare(&self, world: &World) {
        let _ = world;
    }
    /// The next order or connection test fails, and the one after it does not. Unless told otherwise the engine's CA keys are away.
    fn fail_once(&self, world: &World) {
        world.authorities.fail_next(ConnectorError::transient("the store is away"));
    }
}

/// One case of the suite.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its name, unique in the suite.
    pub name: &'static str,
    run: fn(&Bench<'_>),
}

impl Case {
    /// Runs the case. Panics when the issuer does not keep its contract.
    pub fn run(&self, entry: &IssuerEntry, subject: &dyn Subject) {
        let fakes = FakePorts::seeded(1);
        let authorities = MemoryAuthorities::new(fakes.ports());
        let (state, challenges) = (MemoryState::new(), MemoryChallenges::new());
        let world = World { fakes, authorities, state, challenges };
        subject.prepare(&world);
        (self.run)(&Bench { entry, subject, world });
    }
}

/// Every case.
pub const CASES: &[Case] = &[
    Case { name: "a_certificate_fits_its_order", run: issued::a_certificate_fits_its_order },
    Case { name: "every_kind_of_name_is_certified", run: issued::every_kind_of_name_is_certified },
    Case { name: "every_family_of_keys_is_certified", run: issued::every_family_of_keys_is_certified },
    Case { name: "every_usage_is_certified", run: issued::every_usage_is_certified },
    Case { name: "a_shorter_lifetime_is_kept", run: issued::a_shorter_lifetime_is_kept },
    Case { name: "the_longest_lifetime_is_kept", run: issued::the_longest_lifetime_is_kept },
    Case { name: "serial_numbers_do_not_repeat", run: issued::serial_numbers_do_not_repeat },
    Case { name: "a_renewal_is_another_certificate", run: issued::a_renewal_is_another_certificate },
    Case { name: "what_it_cannot_do_is_refused", run: refused::what_it_cannot_do_is_refused },
    Case { name: "a_state_of_somebody_else_is_refused", run: refused::a_state_of_somebody_else_is_refused },
    Case { name: "a_failure_passes", run: refused::a_failure_passes },
    Case {
        name: "a_connection_test_says_whether_orders_would_work",
        run: life::a_connection_test_says_whether_orders_would_work,
    },
    Case { name: "what_is_revoked_twice_is_revoked", run: revoked::what_is_revoked_twice_is_revoked },
    Case { name: "its_pace_is_as_it_says", run: life::its_pace_is_as_it_says },
    Case { name: "building_calls_nobody", run: life::building_calls_nobody },
    Case { name: "an_issuer_built_again_is_the_same_ca", run: life::an_issuer_built_again_is_the_same_ca },
    Case { name: "orders_at_once_share_one_ca", run: life::orders_at_once_share_one_ca },
    Case { name: "secrets_are_never_shown", run: life::secrets_are_never_shown },
    Case { name: "secrets_are_redacted_and_kept", run: |bench| bench.configured().secrets_are_redacted_and_kept() },
    Case { name: "only_what_is_known_is_accepted", run: |bench| bench.configured().only_what_is_known_is_accepted() },
    Case {
        name: "what_cannot_work_is_refused_with_its_place",
        run: |bench| bench.configured().what_cannot_work_is_refused_with_its_place(),
    },
    Case { name: "the_page_explains_every_member", run: |bench| bench.configured().the_page_explains_every_member() },
];

/// What a case works with.
struct Bench<'a> {
    entry: &'a IssuerEntry,
    subject: &'a dyn Subject,
    world: World,
}

impl Bench<'_> {
    fn issuer(&self) -> Arc<dyn Issuer> {
        let authorities = Arc::new(self.world.authorities.clone());
        let cx = ConnectorContext {
            id: "iss-suite".to_owned(),
            ports: self.world.fakes.ports(),
            authorities,
            state: Arc::new(self.world.state.clone()),
            challenges: Arc::new(self.world.challenges.clone()),
        };
        self.entry.build(&self.subject.config(), &cx).unwrap()
    }

    fn configured(&self) -> Configured<'_> {
        Configured {
            info: &self.entry.info,
            validate: Box::new(|config| self.entry.validate(config)),
            config: self.subject.config(),
            secrets: self.subject.secrets(),
            unusable: self.subject.unusable(),
        }
    }
}
