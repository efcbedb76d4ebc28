//! Processes that never start: scripted answers.

use async_trait::async_trait;

use super::script::Script;
use crate::ports::{CommandError, CommandOutput, CommandSpec, Commands};

/// Answers commands by rules, the first that fits, and records them. A command without a rule fails as not found. Clones
/// share one script.
#[derive(Clone, Debug, Default)]
pub struct ScriptedCommands(Script<CommandSpec, Result<CommandOutput, CommandError>>);

impl ScriptedCommands {
    /// A script without rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every command that begins with these arguments ends like this.
    pub fn on(&self, argv: &[&str], output: CommandOutput) {
        let prefix: Vec<String> = argv.iter().map(|&argument| argument.to_owned()).collect();
        self.handle(move |command| command.argv.starts_with(&prefix).then(|| Ok(output.clone())));
    }

    /// Every command that begins with these arguments succeeds in silence.
    pub fn succeed(&self, argv: &[&str]) {
        self.on(argv, Self::output(0, "", ""));
    }

    /// Asks this rule; `None` leaves the command to the next one. The rule may look at files, count, and change its mind.
    pub fn handle(
        &self,
        rule: impl FnMut(&CommandSpec) -> Option<Result<CommandOutput, CommandError>> + Send + 'static,
    ) {
        self.0.add(rule);
    }

    /// Forgets the rules; what was recorded stays.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// The commands run so far.
    pub fn calls(&self) -> Vec<CommandSpec> {
        self.0.calls()
    }

    /// An output with that exit code.
    pub fn output(code: i32, stdout: &str, stderr: &str) -> CommandOutput {
        CommandOutput { code: Some(code), stdout: stdout.to_owned(), stderr: stderr.to_owned() }
    }
}

#[async_trait]
impl Commands for ScriptedCommands {
    async fn run(&self, command: &CommandSpec) -> Result<CommandOutput, CommandError> {
        let program = command.argv.first().cloned().unwrap_or_default();
        self.0.answer(command).unwrap_or(Err(CommandError::NotFound { program }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::block_on;

    #[test]
    fn the_first_fitting_rule_answers_and_nothing_else_runs() {
        let commands = ScriptedCommands::new();
        commands.succeed(&["nginx", "-t"]);
        commands.on(&["nginx"], ScriptedCommands::output(1, "", "no"));
        let run = |argv: &[&str]| block_on(commands.run(&CommandSpec::new(argv.iter().copied())));
        assert!(run(&["nginx", "-t", "-q"]).unwrap().succeeded());
        assert_eq!(run(&["nginx", "-s", "reload"]).unwrap().stderr, "no");
        assert_eq!(run(&["sh"]), Err(CommandError::NotFound { program: "sh".to_owned() }));
        assert_eq!(commands.calls().len(), 3);
    }
}
