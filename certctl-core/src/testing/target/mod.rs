//! The conformance suite of targets: every kind passes every case.
//!
//! A connector brings a [`Subject`]: its configuration, and the [`Host`] that it deploys to, made of fakes.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a case fails by panicking, as tests do")]

mod deployed;
mod interrupted;
mod place;
mod refused;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::config::Configured;
use super::{FakePorts, ManualClock, TestAuthority, TestCertificate, block_on};
use crate::connector::{DeployError, DeployOutcome, Deployment, Target, TargetContext, TargetEntry};
use crate::domain::TargetId;

pub use super::config::Unusable;

/// What goes wrong on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The server's own test of its configuration fails.
    ConfigTest,
    /// The server does not load what it is told to load.
    Reload,
}

/// One kind of target under test.
pub trait Subject: Send + Sync {
    /// A configuration that works, with all its secrets. Its server's name is `shop.example.com`.
    fn config(&self) -> Value;
    /// The secrets that stand in it.
    fn secrets(&self) -> Vec<String>;
    /// Configurations that must be refused.
    fn unusable(&self) -> Vec<Unusable>;
    /// The same with its files below another directory, one that no connector uses unless its host allows it. `None` for a
    /// kind that has no files.
    fn config_below(&self, directory: &Path) -> Option<Value>;
    /// Sets up a host in the world, with that certificate in service if there is one. Whoever put it there was not this
    /// connector.
    fn install(&self, world: &FakePorts, before: Option<&TestCertificate>) -> Box<dyn Host>;
}

/// The host that a target deploys to, as somebody sees it who stands before it.
pub trait Host {
    /// What the server has loaded: the leaf, in DER.
    fn served(&self) -> Option<Vec<u8>>;
    /// What lies where the server looks, by place: the same places before and after a deployment.
    fn material(&self) -> BTreeMap<String, Vec<u8>>;
    /// The next deployment meets this, and only that one. False when this kind has no such trouble.
    fn trouble(&self, trouble: Trouble) -> bool;
}

/// One case of the suite.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its name, unique in the suite.
    pub name: &'static str,
    run: fn(&Bench<'_>),
}

impl Case {
    /// Runs the case. Panics when the target does not keep its contract.
    pub fn run(&self, entry: &TargetEntry, subject: &dyn Subject) {
        (self.run)(&Bench { entry, subject, certificates: Certificates::make() });
    }
}

/// Every case.
pub const CASES: &[Case] = &[
    Case { name: "a_certificate_comes_into_service", run: deployed::a_certificate_comes_into_service },
    Case { name: "a_certificate_follows_another", run: deployed::a_certificate_follows_another },
    Case { name: "the_same_again_is_unchanged", run: deployed::the_same_again_is_unchanged },
    Case { name: "what_was_put_aside_is_put_back", run: deployed::what_was_put_aside_is_put_back },
    Case { name: "the_key_of_another_is_refused", run: refused::the_key_of_another_is_refused },
    Case { name: "a_bad_chain_is_refused", run: refused::a_bad_chain_is_refused },
    Case { name: "a_failed_test_changes_nothing", run: refused::a_failed_test_changes_nothing },
    Case { name: "a_failed_reload_changes_nothing", run: refused::a_failed_reload_changes_nothing },
    Case { name: "building_touches_nothing", run: refused::building_touches_nothing },
    Case { name: "the_key_is_never_shown", run: refused::the_key_is_never_shown },
    Case { name: "a_place_that_is_not_allowed_is_refused", run: place::a_place_that_is_not_allowed_is_refused },
    Case { name: "a_place_that_the_host_allows_is_used", run: place::a_place_that_the_host_allows_is_used },
    Case { name: "no_link_leads_out_of_a_place", run: place::no_link_leads_out_of_a_place },
    Case { name: "no_dots_lead_out_of_a_place", run: place::no_dots_lead_out_of_a_place },
    Case { name: "recovery_without_need_changes_nothing", run: interrupted::recovery_without_need_changes_nothing },
    Case { name: "a_crash_leaves_one_of_the_two", run: interrupted::a_crash_leaves_one_of_the_two },
    Case { name: "a_power_failure_leaves_one_of_the_two", run: interrupted::a_power_failure_leaves_one_of_the_two },
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
    entry: &'a TargetEntry,
    subject: &'a dyn Subject,
    certificates: Certificates,
}

/// Certificates of one name.
struct Certificates {
    old: TestCertificate,
    new: TestCertificate,
    expired: TestCertificate,
}

impl Certificates {
    fn make() -> Self {
        let (now, hour) = (ManualClock::START, Duration::from_hours(1));
        block_on(async {
            let authority = TestAuthority::new(1, now).await;
            let name = ["shop.example.com"];
            Self {
                old: authority.issue(&name, now - hour, now + hour).await,
                new: authority.issue(&name, now, now + hour * 2).await,
                expired: authority.issue(&name, now - hour * 2, now - hour).await,
            }
        })
    }
}

/// One host with the target on it.
struct Site<'a> {
    bench: &'a Bench<'a>,
    world: FakePorts,
    host: Box<dyn Host>,
}

impl Bench<'_> {
    fn site(&self, before: Option<&TestCertificate>) -> Site<'_> {
        let world = FakePorts::seeded(1);
        let host = self.subject.install(&world, before);
        Site { bench: self, world, host }
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

impl Site<'_> {
    /// The target as a process that has just started sees it.
    fn target(&self) -> Arc<dyn Target> {
        self.target_with(&self.bench.subject.config(), Vec::new())
    }

    /// A target with that configuration, on a host whose owner allows these directories.
    fn target_with(&self, config: &Value, allowed_paths: Vec<PathBuf>) -> Arc<dyn Target> {
        let cx = TargetContext {
            id: TargetId::parse("t-suite").unwrap(),
            ports: self.world.ports(),
            state_dir: PathBuf::from("/var/lib/certctl"),
            allowed_commands: Vec::new(),
            allowed_paths,
        };
        self.bench.entry.build(config, &cx).unwrap()
    }

    fn deploy(&self, certificate: &TestCertificate) -> Result<DeployOutcome, DeployError> {
        deploy(&*self.target(), certificate)
    }

    fn serves(&self, certificate: &TestCertificate) -> bool {
        self.host.served().as_deref() == Some(certificate.chain.leaf())
    }
}

fn deploy(target: &dyn Target, certificate: &TestCertificate) -> Result<DeployOutcome, DeployError> {
    let deployment = Deployment { chain: &certificate.chain, key_pem: &certificate.key_pem, now: ManualClock::START };
    block_on(target.deploy(deployment))
}
