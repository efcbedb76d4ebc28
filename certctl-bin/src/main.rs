//! certctl: server, agent and command line in one binary, composed from the library crates.

#![expect(clippy::disallowed_methods, reason = "a program is where time, files, the environment and tasks come from")]

mod agent;
mod arguments;
mod cli;
mod compose;
mod config;
mod data_dir;
mod demo;
mod failure;
mod log;
mod manual;
mod mcp;
mod migrate;
mod openapi;
mod operations;
mod output;
mod scep;
mod serve;
mod server_identity;
mod server_trust;
mod shutdown;
mod simulate;

use std::process::ExitCode;

use clap::{ArgMatches, FromArgMatches, Parser};

use arguments::{Arguments, Command};
use cli::Plan;
use config::{Environment, check_names};
use failure::Failure;

fn main() -> ExitCode {
    match typed().and_then(run) {
        Ok(code) => code,
        Err(failure) => {
            failure.report(&mut std::io::stderr());
            ExitCode::from(failure.exit_code())
        }
    }
}

/// What somebody typed.
enum Typed {
    /// A command that is made by hand.
    Arguments(Box<Arguments>),
    /// One that is made from the OpenAPI document.
    Generated { plan: Plan, matches: ArgMatches },
}

/// Commands that run for long: they need nothing of the document, and should not carry it along.
const LONG_RUNNING: &[&str] = &["serve", "agent", "demo"];

fn typed() -> Result<Typed, Failure> {
    let first = std::env::args_os().nth(1).unwrap_or_default();
    if LONG_RUNNING.iter().any(|name| first == *name) {
        return Ok(Typed::Arguments(Box::new(Arguments::parse())));
    }
    let plan = Plan::new()?;
    let matches = plan.command().get_matches();
    if plan.chosen(&matches).unwrap_or_else(|error| error.exit()).is_some() {
        return Ok(Typed::Generated { plan, matches });
    }
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    Ok(Typed::Arguments(Box::new(arguments)))
}

fn run(typed: Typed) -> Result<ExitCode, Failure> {
    let environment = Environment::of(std::env::vars_os())?;
    let warnings = check_names(&environment)?;
    // Fails only when a provider is there already, which then serves as well.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    for warning in warnings {
        output::warn(&warning);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match typed {
            Typed::Generated { plan, matches } => {
                if let Some(chosen) = plan.chosen(&matches)? {
                    chosen.run(&environment).await?;
                }
            }
            Typed::Arguments(arguments) => match arguments.command {
                Command::Serve(arguments) => serve::run(&arguments, &environment).await?,
                Command::Agent(arguments) => agent::run(arguments, &environment).await?,
                Command::Demo(arguments) => return demo::run(&arguments).await,
                Command::Migrate(arguments) => migrate::run(&arguments, &environment).await?,
                Command::Simulate(arguments) => simulate::run(&arguments, &environment).await?,
                Command::Openapi(arguments) => openapi::run(&arguments)?,
                Command::Mcp(arguments) => mcp::run(arguments, &environment).await?,
                Command::Version => output::line(concat!("certctl ", env!("CARGO_PKG_VERSION")))?,
                Command::Completions { shell } => manual::completions(shell)?,
                Command::Man { dir } => manual::pages(&dir)?,
                Command::Client(noun) => return cli::run(noun, &environment).await,
            },
        }
        Ok(ExitCode::SUCCESS)
    })
}
