//! Misfortunes: begun by the count of polls, because only a busy moment is worth a crash; ended by the clock.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Sim;
use super::config::{DAY, Pace};
use super::executor::Node;
use super::world::Mood;
use crate::ports::Clock;

/// The end of a misfortune.
#[derive(Clone, Copy, Debug)]
pub(super) enum Relief {
    BootEngine(Node),
    BootAgent(u16),
    Reconnect(Node),
    ClockRight(Node),
    AuthorityWell,
    MailboxEmpty,
    PlacesSeen,
}

impl Sim {
    pub(super) fn misfortune(&mut self) {
        self.misfortunes += 1;
        let engine = Node(1 + self.pick(self.site.config.engines));
        let agent = self.pick(self.site.config.agents);
        let what = self.chaos.below(if self.site.config.affairs { 14 } else { 12 });
        self.site.recorder.note(&format!("misfortune {what} n{} agent-{agent}", engine.0));
        match what {
            0..=2 => self.crash_engine(engine),
            3..=5 => {
                let moods = [Mood::Flaky, Mood::Stuck, Mood::Confused];
                self.site.world.authority.set_mood(self.chaos.of(&moods).copied().unwrap_or(Mood::Well));
                self.relieve_within(self.site.config.pace.outage(), Relief::AuthorityWell);
            }
            6 => {
                self.site.world.mailbox.set_full(true);
                self.relieve_within(self.site.config.pace.outage(), Relief::MailboxEmpty);
            }
            7 => {
                if let Some(machine) = self.engines.get(&engine) {
                    machine.cut.store(true, Ordering::SeqCst);
                }
                self.relieve_within(self.site.config.pace.outage() / 4, Relief::Reconnect(engine));
            }
            8 => {
                let skews = [400 * 86_400_000_000, -86_400_000_000, 3_600_000_000];
                if let Some(machine) = self.engines.get(&engine) {
                    machine.clock.set_skew(self.chaos.of(&skews).copied().unwrap_or_default());
                }
                self.relieve_within(DAY * 10, Relief::ClockRight(engine));
            }
            9 => self.crash_agent(agent, true),
            // For days, so that notices die.
            12 => {
                self.site.world.mailbox.set_full(true);
                self.relieve_within(self.site.config.pace.outage() * 5, Relief::MailboxEmpty);
            }
            13 => {
                self.site.served.set_veiled(true);
                self.relieve_within(self.site.config.pace.outage(), Relief::PlacesSeen);
            }
            _ => self.crash_agent(agent, false),
        }
    }

    fn pick(&self, bound: u16) -> u16 {
        u16::try_from(self.chaos.below(bound.into())).unwrap_or(0)
    }

    fn crash_engine(&mut self, node: Node) {
        if !self.site.servers.down(node) {
            return;
        }
        self.crashes += 1;
        self.site.executor.kill(node);
        self.relieve_within(Duration::from_secs(120), Relief::BootEngine(node));
    }

    /// The process dies, or the whole host with what was not durable yet.
    fn crash_agent(&mut self, number: u16, power: bool) {
        let Some(machine) = self.hosts.get(usize::from(number)) else { return };
        if self.down.contains(&number) {
            return;
        }
        self.crashes += 1;
        self.down.insert(number);
        self.site.executor.kill(Self::agent_node(number));
        if power {
            machine.disk.power_failure();
        }
        let short = Duration::from_secs(60);
        let longest = match self.site.config.pace {
            Pace::Slow if self.chaos.one_in(2) => self.site.config.pace.outage(),
            _ => short,
        };
        self.relieve_within(longest, Relief::BootAgent(number));
    }

    fn relieve_within(&mut self, longest: Duration, relief: Relief) {
        let at = self.truth.monotonic() + self.chaos.within(longest);
        self.reliefs.insert((at, self.misfortunes), relief);
    }

    pub(super) fn relieve(&mut self, relief: Relief) {
        self.site.recorder.note(&format!("relief {relief:?}"));
        match relief {
            Relief::BootEngine(node) => {
                if let Some(machine) = self.engines.get_mut(&node) {
                    self.site.boot_engine(node, machine);
                }
            }
            Relief::BootAgent(number) => {
                self.down.remove(&number);
                if let Some(machine) = self.hosts.get_mut(usize::from(number)) {
                    self.site.boot_agent(Self::agent_node(number), number, machine);
                }
            }
            Relief::Reconnect(node) => {
                if let Some(machine) = self.engines.get(&node) {
                    machine.cut.store(false, Ordering::SeqCst);
                }
            }
            Relief::ClockRight(node) => {
                if let Some(machine) = self.engines.get(&node) {
                    machine.clock.set_skew(0);
                }
            }
            Relief::AuthorityWell => self.site.world.authority.set_mood(Mood::Well),
            Relief::MailboxEmpty => self.site.world.mailbox.set_full(false),
            Relief::PlacesSeen => self.site.served.set_veiled(false),
        }
    }

    /// The storm is over: every misfortune ends now, and nothing breaks any more.
    pub(super) fn heal(&mut self) {
        self.site.weather.calm_down();
        for relief in std::mem::take(&mut self.reliefs).into_values() {
            self.relieve(relief);
        }
        self.site.recorder.note("the storm is over");
    }
}
