//! A search of 16 networks of 4,096 addresses each, with a crowd in them (goals W10).

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use certctl_connectors::host::{self, HostConfig};
use certctl_core::discovery::{NetworkPlan, NetworkSearch, ScanPolicy, ScanRange};

use crate::{Failure, Scale};

#[path = "../../certctl-connectors/tests/scan/endpoints.rs"]
mod endpoints;

use endpoints::{Crowd, Endpoints};

const TIMEOUT: Duration = Duration::from_secs(5);

/// Prints what was found, how fast, and in how much memory.
pub(crate) async fn run(scale: Scale) -> Result<(), Failure> {
    let crowd =
        Crowd { tls: scale.of(1_000), stalled: scale.of(50), plain: scale.of(50), endless: scale.of(10).max(2) };
    let count = crowd.tls + crowd.stalled + crowd.plain + crowd.endless;
    let networks = scale.of(16).max(1);
    // Spread evenly, so that every network has some of each kind.
    let room = networks * 4_096;
    let address = |number: usize| -> Result<Ipv4Addr, Failure> {
        let place = u32::try_from(1 + number * (room - 2) / count)?;
        Ok(Ipv4Addr::from_bits(Ipv4Addr::new(127, 0, 0, 0).to_bits() + place))
    };
    // The kinds come one after the other; a step that has no common factor with their number mixes them.
    let step = [7, 11, 13].into_iter().find(|step| !count.is_multiple_of(*step)).unwrap_or(1);
    let addresses = (0..count).map(|number| address(number * step % count)).collect::<Result<Vec<_>, _>>()?;
    let endpoints = Endpoints::open(crowd, &addresses).await?;
    let before = memory("VmRSS:")?;
    let config = HostConfig {
        egress: serde_json::from_value(serde_json::json!({ "allow": ["127.0.0.0/8"] }))?,
        ..HostConfig::default()
    };
    let ports = host::ports(&config)?;
    let ranges = (0..networks)
        .map(|number| ScanRange::parse(&format!("127.0.{}.0/20", number * 16), ScanPolicy::with_loopback()))
        .collect::<Result<Vec<_>, _>>()?;
    let plan = NetworkPlan::new(ranges, vec![endpoints.port], TIMEOUT);
    let mut search = NetworkSearch::new(&*ports.tls, &plan);
    let begun = Instant::now();
    let (mut found, mut problems, mut last) = (BTreeSet::new(), 0, Duration::ZERO);
    while let Some(seen) = search.next().await {
        problems += seen.problems.len();
        if let Some(leaf) = seen.findings.first() {
            found.insert((leaf.source_path.clone(), leaf.fingerprint));
            last = begun.elapsed();
        }
    }
    let took = begun.elapsed();
    let right = found.intersection(&endpoints.served).count();
    let probes = u32::try_from(plan.endpoints())?;
    println!("\n| Search of {networks} networks of /20 | |\n|---|---|");
    println!("| addresses | {probes} |");
    println!("| found, of {} that serve | {right}, and {} that do not |", endpoints.served.len(), found.len() - right);
    println!("| others told with their cause, of {} | {problems} |", count - crowd.tls);
    println!("| the last found after | {:.2} s |", last.as_secs_f64());
    println!("| all over after | {:.2} s, with a limit of {TIMEOUT:?} for each |", took.as_secs_f64());
    println!(
        "| connections per second until the last was found | {:.0} |",
        f64::from(probes) / last.as_secs_f64().max(0.001)
    );
    println!("| memory before, and the most | {before} MB, {} MB: the crowd among it |", memory("VmHWM:")?);
    if found != endpoints.served || problems != count - crowd.tls {
        return Err("not everything was found".into());
    }
    Ok(())
}

/// A line of `/proc/self/status`, in MB.
fn memory(name: &str) -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such line")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? / 1_024)
}
