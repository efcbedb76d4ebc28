//! `certctl completions` and `certctl man`: what shells and people want to know of the commands.

use std::path::Path;

use clap_complete::Shell;

use crate::cli::Plan;
use crate::failure::Failure;
use crate::output;

/// Prints the script that completes commands in a shell.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Plan::new()?.command(), "certctl", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end())
}

/// Writes a page per command: `certctl.1`, `certctl-certs-list.1`…
pub(crate) fn pages(dir: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::during(format!("cannot write man pages into {}", dir.display()), error);
    std::fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(Plan::new()?.command(), dir).map_err(failed)
}
