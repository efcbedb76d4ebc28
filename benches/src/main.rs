//! Measures certctl against the limits of the machine it runs on; prints Markdown tables.
//!
//! `certctl-bench all` does everything in order but `acme`, `bulk`, `crl`, `lists`, `notifications`, `ocsp` and `sweep`, most of which fill databases for minutes, with a calibration before and
//! after. `scripts/bench` builds and runs it.
//! `certctl-bench drive HOST:PORT CLIENTS COUNT` has a server that is running issue certificates, to look at it with perf.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement is made of real time, processes, files and sockets, and is printed"
)]

mod acme;
mod agents;
mod audit;
mod bulk;
mod calibrate;
mod closed_loop;
mod connection;
mod crl;
mod footprint;
mod issue;
mod jobs;
mod lists;
mod notifications;
mod ocsp;
mod process;
mod scan;
mod sealing;
mod server;
mod sweep;

use std::process::ExitCode;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How much is measured: `BENCH_SCALE=0.05` for a look whether it runs.
#[derive(Clone, Copy, Debug)]
struct Scale(f64);

impl Scale {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are small and positive")]
    fn of(self, count: u32) -> usize {
        (f64::from(count) * self.0).max(1.0) as usize
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let what = std::env::args().nth(1).unwrap_or_default();
    match run(&what).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "usage: certctl-bench acme | audit | agents | bulk | calibrate | crl | issue | jobs | lists | notifications | ocsp | scan | sealing | sweep | footprint | all | drive HOST:PORT CLIENTS COUNT";

async fn run(what: &str) -> Result<(), Failure> {
    let scale = std::env::var("BENCH_SCALE").ok().and_then(|text| text.parse().ok());
    let scale = Scale(scale.unwrap_or(1.0));
    match what {
        "acme" => acme::run(scale).await,
        "audit" => audit::run(scale).await,
        "bulk" => bulk::run(scale).await,
        "calibrate" => calibrate::run(scale).await,
        "issue" => issue::run(scale).await,
        "crl" => crl::run(scale).await,
        "jobs" => jobs::run(scale).await,
        "lists" => lists::run(scale).await,
        "notifications" => notifications::run(scale).await,
        "ocsp" => ocsp::run(scale).await,
        "sweep" => sweep::run(scale).await,
        "sealing" => sealing::run(scale).await,
        "footprint" => footprint::run(scale).await,
        "scan" => scan::run(scale).await,
        "agents" => agents::run(scale).await,
        "all" => {
            calibrate::run(scale).await?;
            footprint::run(scale).await?;
            issue::run(scale).await?;
            jobs::run(scale).await?;
            agents::run(scale).await?;
            audit::run(scale).await?;
            sealing::run(scale).await?;
            calibrate::run(scale).await
        }
        "static" => calibrate::serve_static().await,
        "drive" => {
            let arguments: Vec<String> = std::env::args().skip(2).collect();
            let [address, clients, count] = &*arguments else { return Err(USAGE.into()) };
            issue::drive(address, clients.parse()?, count.parse()?).await
        }
        _ => Err(USAGE.into()),
    }
}
