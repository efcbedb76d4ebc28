//! How fast `certctl serve` starts and ends, and how much it takes (W13).

use std::path::Path;
use std::time::{Duration, Instant};

use crate::server::{Server, binary};
use crate::{Failure, Scale, process};

pub(crate) async fn run(scale: Scale) -> Result<(), Failure> {
    println!("\n| Footprint of `certctl serve` (SQLite, plain HTTP) | |\n|---|---|");
    println!("| binary, all connectors | {:.1} MB |", mega(std::fs::metadata(binary()?)?.len()));
    let starts = scale.of(9);
    let (mut fresh, mut warm, mut ends, mut resident) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for turn in 0..starts {
        let directory = tempfile::tempdir()?;
        let (server, took) = start(directory.path()).await?;
        fresh.push(took);
        server.terminate()?;
        let (server, took) = start(directory.path()).await?;
        warm.push(took);
        if turn + 1 == starts {
            tokio::time::sleep(Duration::from_secs(3)).await;
            resident = process::resident(server.pid())?;
        }
        ends.push(server.terminate()?);
    }
    println!("| exec to `/ready` 200, fresh directory, median of {starts} | {:.0} ms |", median(&mut fresh));
    println!("| the same on an existing store | {:.0} ms |", median(&mut warm));
    println!("| resident after 3 s idle | {:.1} MB |", mega(resident * 1024));
    println!("| SIGTERM to exit, idle | {:.0} ms |", median(&mut ends));
    Ok(())
}

async fn start(directory: &Path) -> Result<(Server, Duration), Failure> {
    let begun = Instant::now();
    let server = Server::start(directory, None)?;
    server.ready().await?;
    Ok((server, begun.elapsed()))
}

/// In milliseconds.
fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
