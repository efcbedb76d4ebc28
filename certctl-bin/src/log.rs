//! The log: on standard error, coloured for people only.

use std::io::IsTerminal;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;
use crate::failure::Failure;

/// Starts the log. One that was started before goes on instead.
pub(crate) fn start(level: &str, format: LogFormat) -> Result<(), Failure> {
    let filter: Targets =
        level.parse().map_err(|error| Failure::during(format!("the log level `{level}` cannot be used"), error))?;
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    let log = tracing_subscriber::registry().with(filter);
    let _ = match format {
        LogFormat::Text => log.with(layer).try_init(),
        LogFormat::Json => log.with(layer.json()).try_init(),
    };
    Ok(())
}
