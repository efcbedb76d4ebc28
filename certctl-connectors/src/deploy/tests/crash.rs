//! A crash at every change, a crash at every change of the recovery from it, and an error at every change.

use certctl_core::ports::FileErrorKind;
use certctl_core::testing::Fault;

use super::world::{Before, Certificates, Pair, World};

const BEFORE: [Before; 3] = [Before::Nothing, Before::Plain, Before::Deployed];

/// More changes than any deployment makes.
const MANY: u64 = 200;

struct Run<'a> {
    world: World,
    certificates: &'a Certificates,
    old: Pair,
    new: Pair,
    what: String,
}

impl<'a> Run<'a> {
    fn start((links, before, refused): Arrangement, certificates: &'a Certificates, what: String) -> Self {
        let world = if links { World::new() } else { World::without_links() };
        world.prepare(before, &certificates.old);
        if refused {
            world.refuse(&certificates.new);
        }
        let (old, new) = (world.pair(), world.pair_of(&certificates.new));
        Self { world, certificates, old, new, what }
    }

    /// What a server would read is all old or all new: never the certificate of one with the key of the other.
    fn check_pair(&self) {
        let pair = self.world.pair();
        assert!(pair == self.old || pair == self.new, "{}: {:?}", self.what, self.world.files().log());
    }

    /// After a successful recovery nothing is half done, and the next deployment works.
    fn check_recovered(&self, refused: bool) {
        self.check_pair();
        if refused {
            assert_eq!(self.world.pair(), self.old, "{}: what the server refuses is not kept", self.what);
        }
        let layout = self.world.deploy.layout();
        assert_eq!(self.world.files().contents(layout.journal()), None, "{}", self.what);
        let next = &self.certificates.newer[0];
        self.world.deploy(next).unwrap_or_else(|error| panic!("{}: {error}", self.what));
        assert_eq!(self.world.pair(), self.world.pair_of(next), "{}", self.what);
        assert_eq!(self.world.loaded().as_deref(), Some(next.chain.leaf()), "{}", self.what);
        assert!(self.world.release_names().len() <= 3, "{}", self.what);
    }

    fn die(&self, power: bool) {
        if power {
            self.world.files().power_failure();
        } else {
            self.world.files().restart();
        }
        self.check_pair();
    }
}

/// With symbolic links; what is there before; whether the server refuses the new certificate.
type Arrangement = (bool, Before, bool);

/// Every way a deployment may be arranged.
fn arrangements() -> impl Iterator<Item = Arrangement> {
    let refusals =
        |links| BEFORE.into_iter().flat_map(move |before| [false, true].map(|refused| (links, before, refused)));
    refusals(true).chain(refusals(false))
}

#[test]
fn a_crash_at_every_change_leaves_a_pair_and_is_recovered_from() {
    let certificates = Certificates::make();
    let mut crashes = 0;
    for arrangement in arrangements() {
        let refused = arrangement.2;
        for fault in [Fault::StopBefore, Fault::StopAfter] {
            for power in [false, true] {
                for change in 0..MANY {
                    let what = format!("{arrangement:?} {fault:?} {power} {change}");
                    let run = Run::start(arrangement, &certificates, what);
                    run.world.files().fault_at(change, fault);
                    let outcome = run.world.deploy(&certificates.new);
                    if !run.world.files().is_stopped() {
                        assert_eq!(outcome.is_ok(), !refused, "{}", run.what);
                        break;
                    }
                    crashes += 1;
                    run.die(power);
                    run.world.recover().unwrap_or_else(|error| panic!("{}: {error}", run.what));
                    run.check_recovered(refused);
                }
            }
        }
    }
    assert!(crashes > 400, "{crashes}");
}

#[test]
fn a_crash_at_every_change_of_a_recovery_is_recovered_from() {
    let certificates = Certificates::make();
    let mut crashes = 0;
    for arrangement in arrangements() {
        let refused = arrangement.2;
        'changes: for change in 0..MANY {
            for again in 0..MANY {
                let what = format!("{arrangement:?} {change} {again}");
                let run = Run::start(arrangement, &certificates, what);
                run.world.files().fault_at(change, Fault::StopBefore);
                let _ = run.world.deploy(&certificates.new);
                if !run.world.files().is_stopped() {
                    break 'changes;
                }
                run.die(true);
                run.world.files().fault_at(again, Fault::StopAfter);
                let recovered = run.world.recover();
                if !run.world.files().is_stopped() {
                    recovered.unwrap_or_else(|error| panic!("{}: {error}", run.what));
                    break;
                }
                crashes += 1;
                run.die(true);
                run.world.recover().unwrap_or_else(|error| panic!("{}: {error}", run.what));
                run.check_recovered(refused);
            }
        }
    }
    assert!(crashes > 400, "{crashes}");
}

#[test]
fn an_error_at_every_change_leaves_the_old_pair_or_the_new_one_in_service() {
    let certificates = Certificates::make();
    for arrangement in arrangements() {
        let refused = arrangement.2;
        for kind in [FileErrorKind::DiskFull, FileErrorKind::Other] {
            let changes = {
                let run = Run::start(arrangement, &certificates, String::new());
                let start = run.world.files().changes();
                let _ = run.world.deploy(&certificates.new);
                run.world.files().changes() - start
            };
            for change in 0..changes {
                let what = format!("{arrangement:?} {kind:?} {change}");
                let run = Run::start(arrangement, &certificates, what);
                run.world.files().fault_at(change, Fault::Error(kind));
                match run.world.deploy(&certificates.new) {
                    Ok(_) => assert_eq!(run.world.pair(), run.new, "{}", run.what),
                    Err(error) if error.rolled_back => {
                        assert_eq!(run.world.pair(), run.old, "{}: {error}", run.what);
                    }
                    Err(_) => {
                        run.check_pair();
                        run.world.files().restart();
                        run.world.recover().unwrap_or_else(|error| panic!("{}: {error}", run.what));
                    }
                }
                run.world.recover().unwrap_or_else(|error| panic!("{}: {error}", run.what));
                run.check_recovered(refused && run.world.pair() == run.old);
            }
        }
    }
}
