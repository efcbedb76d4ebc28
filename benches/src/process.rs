//! What the kernel says of processes: CPU time and memory, from `/proc` (proc(5)).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::Failure;

/// `USER_HZ`, which Linux fixes at 100 for programs.
const TICK: Duration = Duration::from_millis(10);

struct Stat {
    parent: u32,
    own: u32,
    /// With the children that were waited for.
    all: u32,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold blanks.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u32>().ok();
    let own = number(11)? + number(12)?;
    Some(Stat { parent: number(1)?, own, all: own + number(13)? + number(14)? })
}

/// User and system time of one process.
pub(crate) fn cpu(pid: u32) -> Duration {
    stat(pid).map_or(Duration::ZERO, |stat| TICK * stat.own)
}

/// The same of a process and all its children, also of those that have ended.
pub(crate) fn cpu_of_family(pid: u32) -> Duration {
    let Some(parent) = stat(pid) else { return Duration::ZERO };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let children: u32 = pids.filter_map(stat).filter(|child| child.parent == pid).map(|child| child.all).sum();
    TICK * (parent.all + children)
}

/// The PostgreSQL server that listens on this port.
pub(crate) fn postmaster(port: u16) -> Option<u32> {
    let port = port.to_string();
    let entries = std::fs::read_dir("/proc").ok()?.flatten();
    let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.find(|pid| {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let arguments: Vec<&str> = line.split('\0').collect();
        arguments.first().is_some_and(|program| program.ends_with("/postgres"))
            && arguments.windows(2).any(|pair| pair == ["-p", &port])
    })
}

/// Resident memory in KiB.
pub(crate) fn resident(pid: u32) -> Result<u64, Failure> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}

/// CPU time per operation in microseconds, between two readings.
pub(crate) fn per_operation(before: Duration, after: Duration, operations: usize) -> f64 {
    let used = after.saturating_sub(before).as_secs_f64();
    used * 1e6 / f64::from(u32::try_from(operations.max(1)).unwrap_or(u32::MAX))
}

/// The largest resident memory of this process, looked at all the time.
pub(crate) struct Peak {
    most: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Peak {
    pub(crate) fn watch() -> Self {
        let peak = Self { most: Arc::default(), over: Arc::default() };
        let (most, over) = (Arc::clone(&peak.most), Arc::clone(&peak.over));
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(resident(std::process::id()).unwrap_or(0), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        peak
    }

    /// In KiB.
    pub(crate) fn end(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.most.load(Ordering::Relaxed)
    }
}
