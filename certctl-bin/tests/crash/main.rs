//! Kills a process with engine and agent at every named fail point of issue, renew and deploy, and looks at what is left:
//! no acknowledged certificate lost, no serial twice, never a certificate beside another's key, every job finished.
//!
//! The process is this program itself, started again as a child. A fail point is a call of a port or of the store, and the
//! child dies there without running another instruction. Every third kill is a SIGKILL from outside at a random moment.

#![expect(clippy::disallowed_methods, reason = "a test of processes starts processes")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a child that cannot go on ends; its parent tells")]
#![expect(clippy::print_stdout, reason = "a child tells its parent on standard output")]

mod child;
mod points;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use certctl_storage::testing::TemporaryPostgres;
use libtest_mimic::{Arguments, Failed, Trial};

/// The environment variable that makes this program the child; its value is the work order as JSON.
const CHILD: &str = "CRASH_CHILD";

/// Kills per database: enough for every point in the short form.
fn kills() -> usize {
    if std::env::var_os("CERTCTL_TEST_LONG").is_some() { 240 } else { 36 }
}

fn main() {
    if let Ok(order) = std::env::var(CHILD) {
        child::run(&serde_json::from_str(&order).expect("the parent writes the order"));
        return;
    }
    let arguments = Arguments::from_args();
    let postgres = TemporaryPostgres::start();
    let url = postgres.as_ref().and_then(|server| server.database("crash"));
    let absent = url.is_none();
    let trials = vec![
        Trial::test("sqlite", || {
            let dir = tempfile::tempdir()?;
            hunt(dir.path(), &format!("sqlite:{}", dir.path().join("certctl.db").display()))
        }),
        Trial::test("postgresql", move || {
            let dir = tempfile::tempdir()?;
            hunt(dir.path(), &url.ok_or("there is no PostgreSQL")?)
        })
        .with_ignored_flag(absent),
    ];
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(postgres);
    conclusion.exit();
}

/// What a child is to do.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Order {
    pub(crate) dir: PathBuf,
    pub(crate) url: String,
    /// Die at the n-th call of this point.
    pub(crate) die_at: Option<(String, u64)>,
    /// Renew this often, then end; 0 to finish what is open.
    pub(crate) renewals: u32,
}

fn hunt(dir: &Path, url: &str) -> Result<(), Failed> {
    let order = |die_at, renewals| Order { dir: dir.into(), url: url.into(), die_at, renewals };
    let mut verdict = verdict::Verdict::new(dir);
    // The first run makes everything and tells which points there are.
    let first = start(&order(None, 1))?.wait_with_output()?;
    if !first.status.success() {
        return Err(format!("the first run failed: {}", String::from_utf8_lossy(&first.stderr)).into());
    }
    verdict.hear(&first.stdout);
    verdict.look()?;
    let points = points::names(&String::from_utf8_lossy(&first.stdout));
    if points.len() < 10 {
        return Err(format!("only {points:?} were reached").into());
    }
    let (mut killed, mut run) = (0, 0);
    while killed < kills() {
        run += 1;
        if run > kills() * 4 {
            return Err(format!("{killed} kills in {run} runs: the points are not reached").into());
        }
        let output = if run % 3 == 0 {
            let mut child = start(&order(None, 50))?;
            // Spread over the first second, so that start, issue, renew and deploy are all hit.
            std::thread::sleep(Duration::from_millis((run as u64 * 97) % 1000));
            child.kill()?;
            child.wait_with_output()?
        } else {
            let name = points[run % points.len()].clone();
            let nth = 1 + (run / points.len()) as u64 * 3 % 7;
            start(&order(Some((name, nth)), 3))?.wait_with_output()?
        };
        if !output.status.success() {
            killed += 1;
        }
        verdict.hear(&output.stdout);
        verdict
            .look()
            .map_err(|error| format!("after kill {killed} (run {run}): {}", error.message().unwrap_or("")))?;
    }
    let last = start(&order(None, 0))?.wait_with_output()?;
    if !last.status.success() {
        return Err(format!("the last run failed: {}", String::from_utf8_lossy(&last.stderr)).into());
    }
    verdict.hear(&last.stdout);
    verdict.look()?;
    verdict.end(&String::from_utf8_lossy(&last.stdout))?;
    eprintln!("{killed} kills at {} points and at random moments, in {run} runs", points.len());
    Ok(())
}

fn start(order: &Order) -> Result<std::process::Child, Failed> {
    let order = serde_json::to_string(order)?;
    let child = Command::new(std::env::current_exe()?)
        .env(CHILD, order)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    Ok(child)
}
