//! Asking before something is taken away.

use std::io::{BufRead, IsTerminal, Write};

use crate::failure::Failure;

/// Asks whether to go on, if a person is there to answer.
///
/// # Errors
/// When they do not say yes.
pub(super) fn confirm(what: &str, no_input: bool) -> Result<(), Failure> {
    let is_watched = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if no_input || !is_watched {
        return Ok(());
    }
    ask(what, &mut std::io::stdin().lock(), &mut std::io::stderr())
}

fn ask(what: &str, input: &mut dyn BufRead, out: &mut dyn Write) -> Result<(), Failure> {
    write!(out, "{what}: go on? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::new("nothing was done; say y, or give --no-input"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        let said = |answer: &str| ask("targets delete", &mut answer.as_bytes(), &mut Vec::new()).is_ok();
        assert!(said("y\n") && said("YES\n"));
        assert!(!said("\n") && !said("") && !said("n\n") && !said("yesterday\n"));
    }
}
