//! Kills a server and its agent, two programs that talk over HTTP, at every named fail point of issue, renew and deploy, and
//! looks at what is left: no acknowledged certificate lost, no serial twice, never a certificate beside another's key, every
//! job finished.
//!
//! Both are this program itself, started again as a child. A fail point is a call of a port, of the store or of the control
//! plane, and the child dies there without running another instruction. Every third kill is a SIGKILL from outside at a
//! random moment. One of the places is served by a real nginx, where that is installed.

#![expect(clippy::disallowed_methods, reason = "a test of processes starts processes")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a child that cannot go on ends; its parent tells")]
#![expect(clippy::print_stdout, reason = "a child tells its parent on standard output")]

mod agent;
mod child;
mod desk;
mod grounds;
mod hunt;
mod place;
mod points;
mod server;
#[expect(dead_code, reason = "sabotage is for the test of nginx, whose site this is")]
#[path = "../nginx/site.rs"]
mod site;
mod slow_ca;
mod verdict;
mod victim;

use std::path::PathBuf;

use certctl_storage::testing::TemporaryPostgres;
use libtest_mimic::{Arguments, Failed, Trial};

use hunt::{Extent, Half, Hunt};

/// The environment variable that makes this program a child; its value is the order as JSON.
const CHILD: &str = "CRASH_CHILD";

/// The long form dies at every point, the short one at a part of them, another one on each database.
fn extent(half: Half) -> Extent {
    let long = std::env::var_os("CERTCTL_TEST_LONG").is_some();
    let (kills, orders) = if long { (240, 12) } else { (36, 8) };
    Extent { kills, orders, half, every_point: long }
}

fn main() -> std::process::ExitCode {
    if let Ok(order) = std::env::var(CHILD) {
        child::run(&serde_json::from_str(&order).expect("the parent writes the order"));
        return std::process::ExitCode::SUCCESS;
    }
    let arguments = Arguments::from_args();
    let postgres = if arguments.list { None } else { TemporaryPostgres::start() };
    let url = postgres.as_ref().and_then(|server| server.database("crash"));
    let absent = url.is_none();
    let trials = vec![
        Trial::test("a_certificate_beside_anothers_key_is_seen", || block_on(place::a_mismatch_is_seen())),
        Trial::test("sqlite", || {
            let dir = tempfile::tempdir()?;
            hunt("sqlite", &dir, &format!("sqlite:{}", dir.path().join("certctl.db").display()), extent(Half::First))
        }),
        Trial::test("postgresql", move || {
            let url = url.ok_or("there is no PostgreSQL")?;
            hunt("postgresql", &tempfile::tempdir()?, &url, extent(Half::Second))
        })
        .with_ignored_flag(absent),
    ];
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(postgres);
    conclusion.exit_code()
}

fn hunt(name: &str, dir: &tempfile::TempDir, database_url: &str, extent: Extent) -> Result<(), Failed> {
    block_on(async {
        let told = Hunt::begin(dir.path(), database_url, extent).await?.run().await?;
        eprintln!("{name}: {told}");
        Ok(())
    })
}

fn block_on(test: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(test)
}

/// Debian keeps nginx off the `PATH` of ordinary users.
fn nginx() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    directories.push("/usr/sbin".into());
    directories.into_iter().map(|directory| directory.join("nginx")).find(|program| program.is_file())
}

/// A failed test with a reason.
fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(Failed::from(reason())) }
}
