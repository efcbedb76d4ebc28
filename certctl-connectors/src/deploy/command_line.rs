//! Commands in a configuration: argument vectors, never shell lines (requirements F2).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A command as an operator writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum CommandLine {
    /// Program and arguments, split on spaces. Characters that mean something to a shell are refused.
    Text(String),
    /// Program and arguments, each as it is.
    Arguments(Vec<String>),
}

/// The longest command, in characters.
const MAX_CHARACTERS: usize = 1024;

/// What a shell would act upon. Nothing here runs a shell: who writes these expects one.
const SHELL: &[char] = &[';', '|', '&', '$', '`', '(', ')', '{', '}', '<', '>', '\\', '"', '\'', '\n', '\r', '\0'];

/// A command that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCommand {
    /// No program.
    #[error("the command is empty; name a program, such as `nginx -t`")]
    Empty,
    /// Too long.
    #[error("the command has {0} characters; at most {MAX_CHARACTERS} are allowed")]
    TooLong(usize),
    /// A character for a shell.
    #[error(
        "the command holds {0:?}, which only a shell understands, and no shell runs it; give a list of strings, or put \
         the steps into a script and name that"
    )]
    Shell(char),
    /// An argument with a NUL.
    #[error("an argument of the command holds a NUL character, which no program can be given")]
    Nul,
}

impl CommandLine {
    /// The argument vector.
    ///
    /// # Errors
    /// [`InvalidCommand`] when there is no program, it is too long, or has a character that it must not have.
    pub fn parse(&self) -> Result<Vec<String>, InvalidCommand> {
        let argv: Vec<String> = match self {
            Self::Text(text) => {
                check_length(text.chars().count())?;
                if let Some(character) = text.chars().find(|character| SHELL.contains(character)) {
                    return Err(InvalidCommand::Shell(character));
                }
                text.split_whitespace().map(ToOwned::to_owned).collect()
            }
            Self::Arguments(arguments) => {
                check_length(arguments.iter().map(|argument| argument.chars().count() + 1).sum())?;
                if arguments.iter().any(|argument| argument.contains('\0')) {
                    return Err(InvalidCommand::Nul);
                }
                arguments.clone()
            }
        };
        if argv.first().is_none_or(String::is_empty) { Err(InvalidCommand::Empty) } else { Ok(argv) }
    }
}

fn check_length(characters: usize) -> Result<(), InvalidCommand> {
    if characters > MAX_CHARACTERS { Err(InvalidCommand::TooLong(characters)) } else { Ok(()) }
}

/// A command that this host's owner has not allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this agent does not run `{}`: it is neither built into the connector nor allowed on this host; if it should, start \
     the agent with --allow-command {:?}", .0.join(" "), .0.join(" ")
)]
pub struct CommandNotAllowed(Vec<String>);

/// Whether a host may run this: one of the connector's own commands exactly, or one that begins with an allowed prefix.
///
/// # Errors
/// [`CommandNotAllowed`] with what to add. What a server says must not become root on its agents' hosts.
pub fn permit(argv: &[String], built_in: &[&[&str]], allowed: &[Vec<String>]) -> Result<(), CommandNotAllowed> {
    let is_built_in = built_in.iter().any(|known| known.iter().copied().eq(argv.iter().map(String::as_str)));
    let is_allowed = allowed.iter().any(|prefix| !prefix.is_empty() && argv.starts_with(prefix));
    if is_built_in || is_allowed { Ok(()) } else { Err(CommandNotAllowed(argv.to_vec())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Result<Vec<String>, InvalidCommand> {
        CommandLine::Text(text.to_owned()).parse()
    }

    #[test]
    fn a_text_is_split_on_spaces_and_a_list_is_taken_as_it_is() {
        assert_eq!(text(" nginx  -s reload ").unwrap(), ["nginx", "-s", "reload"]);
        let list = CommandLine::Arguments(vec!["printf".to_owned(), "a; b".to_owned()]);
        assert_eq!(list.parse().unwrap(), ["printf", "a; b"]);
        for json in [r#""nginx -t""#, r#"["nginx","-t"]"#] {
            let command: CommandLine = serde_json::from_str(json).unwrap();
            assert_eq!(command.parse().unwrap(), ["nginx", "-t"]);
        }
    }

    #[test]
    fn what_a_shell_would_act_upon_is_refused() {
        for character in SHELL {
            let error = text(&format!("nginx -t{character}")).unwrap_err();
            assert_eq!(error, InvalidCommand::Shell(*character));
        }
        assert_eq!(text("  "), Err(InvalidCommand::Empty));
        assert_eq!(text(&"x".repeat(1025)), Err(InvalidCommand::TooLong(1025)));
        assert_eq!(text(&"x".repeat(1024)).unwrap().len(), 1);
        assert_eq!(CommandLine::Arguments(vec![]).parse(), Err(InvalidCommand::Empty));
        assert_eq!(CommandLine::Arguments(vec!["a\0".to_owned()]).parse(), Err(InvalidCommand::Nul));
    }

    #[test]
    fn a_host_runs_built_in_commands_exactly_and_allowed_ones_by_prefix() {
        let argv = |text: &str| text.split(' ').map(ToOwned::to_owned).collect::<Vec<_>>();
        let built_in: &[&[&str]] = &[&["nginx", "-t"]];
        let allowed = [argv("systemctl reload"), vec![]];
        assert!(permit(&argv("nginx -t"), built_in, &allowed).is_ok());
        assert!(permit(&argv("systemctl reload nginx"), built_in, &allowed).is_ok());
        for refused in ["nginx -t -c /tmp/evil", "nginx", "systemctl start x", "sh"] {
            let error = permit(&argv(refused), built_in, &allowed).unwrap_err();
            assert!(error.to_string().contains(&format!("--allow-command \"{refused}\"")), "{error}");
        }
    }
}
