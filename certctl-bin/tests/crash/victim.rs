//! A child, as its parent sees it: started, armed, killed, and started again.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use libtest_mimic::Failed;

use super::CHILD;
use super::child::Order;
use super::points::{Arm, POINT};

pub(crate) struct Victim {
    order: Order,
    log: PathBuf,
    points: Arc<Mutex<BTreeSet<String>>>,
    running: Option<(Child, ChildStdin)>,
}

impl Victim {
    /// Starts it for the first time; what it writes to standard error goes to `log`.
    pub(crate) fn start(order: Order, log: PathBuf) -> Result<Self, Failed> {
        let mut victim = Self { order, log, points: Arc::default(), running: None };
        victim.restart(None)?;
        Ok(victim)
    }

    /// Starts it after it died.
    pub(crate) fn restart(&mut self, arm: Option<Arm>) -> Result<(), Failed> {
        let order = serde_json::to_string(&Order { arm, ..self.order.clone() })?;
        let mut child = Command::new(std::env::current_exe()?)
            .env(CHILD, order)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(&self.log)?)
            .spawn()?;
        let stdin = child.stdin.take().ok_or("the child has no input")?;
        let stdout = BufReader::new(child.stdout.take().ok_or("the child has no output")?);
        let points = Arc::clone(&self.points);
        std::thread::spawn(move || {
            let lines = stdout.lines().map_while(Result::ok);
            let names = lines.filter_map(|line| line.strip_prefix(POINT).map(str::to_owned));
            names.for_each(|name| drop(points.lock().map(|mut points| points.insert(name))));
        });
        self.running = Some((child, stdin));
        Ok(())
    }

    /// Where it shall die, or nowhere. It may be dead already.
    pub(crate) fn arm(&mut self, arm: Option<&Arm>) -> Result<(), Failed> {
        let wish = serde_json::to_string(&arm)? + "\n";
        if let Some((_, stdin)) = &mut self.running {
            drop(stdin.write_all(wish.as_bytes()));
        }
        Ok(())
    }

    /// SIGKILL, now.
    pub(crate) fn kill(&mut self) -> Result<(), Failed> {
        if let Some((child, _)) = &mut self.running {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Whether it was killed. One that ended in any other way has failed.
    pub(crate) fn is_dead(&mut self) -> Result<bool, Failed> {
        let Some((child, _)) = &mut self.running else { return Ok(true) };
        let Some(status) = child.try_wait()? else { return Ok(false) };
        if status.signal().is_none() {
            return Err(format!("the {:?} ended by itself, {status}: {}", self.order.part, self.last_words()).into());
        }
        self.running = None;
        Ok(true)
    }

    /// The points that it passed so far, in any of its lives.
    pub(crate) fn points(&self) -> Vec<String> {
        self.points.lock().map(|points| points.iter().cloned().collect()).unwrap_or_default()
    }

    /// The end of what it wrote to standard error.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(10).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        drop(self.kill());
    }
}
