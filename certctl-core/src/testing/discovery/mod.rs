//! The conformance suite of discovery sources: every kind passes every case.
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
use crate::connector::{DiscoveryEntry, DiscoverySource};
use crate::ports::Keys;

pub use super::config::Unusable;

/// What the other side does with what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It answers.
    Answer,
    /// It refuses the credentials.
    RefuseCredentials,
    /// It wants to be left alone for so long.
    Throttle(Duration),
    /// It has a fault that passes.
    Fail,
    /// It answers with something that nobody documented.
    Babble,
    /// It is not there.
    Vanish,
}

/// One kind of discovery source under test.
///
/// The other side [answers](Reaction::Answer) with two pages. On the first is [`FIRST`], on the second [`SECOND`] and one that
/// cannot be had.
pub trait Subject: Send + Sync {
    /// A configuration that works, with all its secrets.
    fn config(&self) -> Value;
    /// The secrets that stand in it.
    fn secrets(&self) -> Vec<String>;
    /// Configurations that must be refused.
    fn unusable(&self) -> Vec<Unusable>;
    /// Keys that open what the configuration holds, where it holds any.
    fn keys(&self) -> Arc<dyn Keys> {
        Arc::new(super::TestKeys)
    }
    /// From now on the other side does this.
    fn react(&self, world: &FakePorts, reaction: Reaction);
}

/// What the first item holds.
pub const FIRST: &[u8] = &[0x30, 0x03, 0x02, 0x01, 0x05];
/// What the second item holds.
pub const SECOND: &[u8] = &[0x30, 0x03, 0x02, 0x01, 0x06];

/// One case of the suite.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its name, unique in the suite.
    pub name: &'static str,
    run: fn(&Bench<'_>),
}

impl Case {
    /// Runs the case. Panics when the source does not keep its contract.
    pub fn run(&self, entry: &DiscoveryEntry, subject: &dyn Subject) {
        (self.run)(&Bench { entry, subject, world: FakePorts::new(1, subject.keys()) });
    }
}

/// Every case.
pub const CASES: &[Case] = &[
    Case { name: "all_pages_are_fetched_and_they_end", run: cases::all_pages_are_fetched_and_they_end },
    Case { name: "a_second_search_finds_the_same_places", run: cases::a_second_search_finds_the_same_places },
    Case { name: "a_failure_says_of_what_kind_it_is", run: cases::a_failure_says_of_what_kind_it_is },
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
    entry: &'a DiscoveryEntry,
    subject: &'a dyn Subject,
    world: FakePorts,
}

impl Bench<'_> {
    fn source(&self) -> Arc<dyn DiscoverySource> {
        let ports = self.world.ports();
        let cx = connector_context("suite", ports);
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

    fn hides_secrets(&self, value: &dyn Debug) {
        self.configured().hides_secrets("Debug", &format!("{value:?} {value:#?}"));
    }
}
