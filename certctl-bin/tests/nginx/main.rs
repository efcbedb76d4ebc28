//! Renewals with a real nginx in service, some of them sabotaged, while a second process shakes hands.
//!
//! No handshake may fail; every sabotaged deployment leaves the files as they were, byte for byte, is stored with its
//! cause, and succeeds when it is tried again after the sabotage has ended. Without nginx the test shows as ignored.

#![expect(clippy::disallowed_methods, reason = "a test of processes starts processes and looks at their files")]
#![expect(clippy::expect_used, reason = "the child has nobody to return an error to")]
#![expect(clippy::print_stdout, reason = "the child answers its parent there")]

mod handshaker;
mod sabotage;
mod site;
mod world;

use std::path::PathBuf;

use libtest_mimic::{Arguments, Failed, Trial};

use handshaker::Handshaker;
use sabotage::Sabotage;
use world::World;

/// How many renewals, and after how many of them one is sabotaged.
fn extent() -> (usize, usize) {
    if std::env::var_os("CERTCTL_TEST_LONG").is_some() { (50, 5) } else { (12, 3) }
}

fn main() -> std::process::ExitCode {
    if let Ok(order) = std::env::var(handshaker::CHILD) {
        handshaker::run(&serde_json::from_str(&order).expect("the parent writes the order"));
        return std::process::ExitCode::SUCCESS;
    }
    let arguments = Arguments::from_args();
    let program = nginx();
    let is_absent = program.is_none();
    let trial = Trial::test("no_handshake_fails_while_renewals_are_sabotaged", move || {
        let program = program.ok_or("there is no nginx")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(renewals(program))
    });
    libtest_mimic::run(&arguments, vec![trial.with_ignored_flag(is_absent)]).exit_code()
}

/// Debian keeps nginx off the `PATH` of ordinary users.
fn nginx() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    directories.push("/usr/sbin".into());
    directories.into_iter().map(|directory| directory.join("nginx")).find(|program| program.is_file())
}

async fn renewals(program: PathBuf) -> Result<(), Failed> {
    let mut world = World::start(program).await?;
    let mut handshaker = Handshaker::start(&world.handshakes().await?)?;
    let (renewals, distance) = extent();
    let mut sabotaged = Vec::new();
    for number in 1..=renewals {
        let sabotage = number.is_multiple_of(distance).then(|| Sabotage::nth(sabotaged.len()));
        let named = |failed: Failed| {
            let reason = failed.message().unwrap_or_default();
            Failed::from(format!("renewal {number} with {sabotage:?}: {reason}"))
        };
        world.renew(sabotage).await.map_err(named)?;
        sabotaged.extend(sabotage.map(Sabotage::cause));
    }
    // Whatever the last certificate is, it is met, too.
    handshaker.some_more()?;
    let tally = handshaker.end()?;
    ensure(tally.failed == 0, || format!("{} of {} handshakes failed: {:?}", tally.failed, tally.made, tally.reasons))?;
    ensure(tally.certificates > 1, || "the handshakes met one certificate only".to_owned())?;
    world.stored_causes_are(&sabotaged).await?;
    world.end()?;
    eprintln!(
        "{renewals} renewals, {} of them sabotaged and rolled back; {} handshakes met {} certificates, none failed",
        sabotaged.len(),
        tally.made,
        tally.certificates
    );
    Ok(())
}

/// A failed test with a reason.
fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(Failed::from(reason())) }
}
