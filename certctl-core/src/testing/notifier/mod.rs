//! The conformance suite of notifiers: every kind passes every case.
//!
//! A connector brings a [`Subject`]: its configuration, and the other side in a world of fakes.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a case fails by panicking, as tests do")]

mod cases;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::config::Configured;
use super::{FakePorts, connector_context};
use crate::connector::{Notifier, NotifierEntry};

pub use super::config::Unusable;

/// What the other side does with what it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It takes it.
    Accept,
    /// It refuses the credentials.
    RefuseCredentials,
    /// It wants to be left alone for so long.
    Throttle(Duration),
    /// It has a fault that passes.
    Fail,
    /// It will not take this, however often it comes.
    Reject,
    /// It is not there.
    Vanish,
}

/// One kind of notifier under test.
pub trait Subject: Send + Sync {
    /// A configuration that works, with all its secrets.
    fn config(&self) -> Value;
    /// The secrets that stand in it.
    fn secrets(&self) -> Vec<String>;
    /// Configurations that must be refused.
    fn unusable(&self) -> Vec<Unusable>;
    /// Whether the other side can say for how long it wants to be left alone.
    fn says_how_long(&self) -> bool {
        true
    }
    /// From now on the other side does this.
    fn react(&self, world: &FakePorts, reaction: Reaction);
    /// What reached the other side so far, whether it took it or not, as text. What it does not see when it
    /// [vanishes](Reaction::Vanish) may be missing.
    fn received(&self, world: &FakePorts) -> Vec<String>;
}

/// One case of the suite.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its name, unique in the suite.
    pub name: &'static str,
    run: fn(&Bench<'_>),
}

impl Case {
    /// Runs the case. Panics when the notifier does not keep its contract.
    pub fn run(&self, entry: &NotifierEntry, subject: &dyn Subject) {
        (self.run)(&Bench { entry, subject, world: FakePorts::seeded(1) });
    }
}

/// Every case.
pub const CASES: &[Case] = &[
    Case { name: "a_notice_is_delivered_once", run: cases::a_notice_is_delivered_once },
    Case { name: "every_notice_can_be_told", run: cases::every_notice_can_be_told },
    Case { name: "a_repetition_can_be_told_by_its_id", run: cases::a_repetition_can_be_told_by_its_id },
    Case { name: "a_failure_says_of_what_kind_it_is", run: cases::a_failure_says_of_what_kind_it_is },
    Case { name: "a_failure_is_not_repeated_by_the_notifier", run: cases::a_failure_is_not_repeated_by_the_notifier },
    Case { name: "building_calls_nobody", run: cases::building_calls_nobody },
    Case { name: "secrets_are_never_shown", run: cases::secrets_are_never_shown },
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
    entry: &'a NotifierEntry,
    subject: &'a dyn Subject,
    world: FakePorts,
}

impl Bench<'_> {
    fn notifier(&self) -> Arc<dyn Notifier> {
        let ports = self.world.ports();
        let cx = connector_context("suite", ports);
        self.entry.build(&self.subject.config(), &cx).unwrap()
    }

    fn received(&self) -> Vec<String> {
        self.subject.received(&self.world)
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

    fn hides_secrets(&self, value: &dyn Debug) {
        self.configured().hides_secrets("Debug", &format!("{value:?} {value:#?}"));
    }
}
