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
mod mcp;
mod migrate;
mod openapi;
mod operations;
mod output;
mod serve;
mod server_identity;
mod server_trust;
mod shutdown;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use config::{Environment, check_names};
use failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(code) => code,
        Err(failure) => {
            failure.report(&mut std::io::stderr());
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let environment = Environment::of(std::env::vars_os())?;
    let warnings = check_names(&environment)?;
    // Fails only when a provider is there already, which then serves as well.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    for warning in warnings {
        output::warn(&warning);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.command {
            Command::Serve(arguments) => serve::run(&arguments, &environment).await,
            Command::Agent(arguments) => agent::run(arguments, &environment).await,
            Command::Demo(arguments) => return demo::run(&arguments).await,
            Command::Migrate(arguments) => migrate::run(&arguments, &environment).await,
            Command::Openapi(arguments) => openapi::run(&arguments),
            Command::Mcp(arguments) => mcp::run(arguments, &environment).await,
            Command::Version => output::line(concat!("certctl ", env!("CARGO_PKG_VERSION"))),
            Command::Client(noun) => cli::run(noun, &environment).await,
        }?;
        Ok(ExitCode::SUCCESS)
    })
}
