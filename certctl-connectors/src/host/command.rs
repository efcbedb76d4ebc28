//! Local processes without a shell.

use std::io::ErrorKind;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use certctl_core::ports::{CommandError, CommandOutput, CommandSpec, Commands};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// Where programs are looked up when this process has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long output is still read after the process has ended. A daemon that it left behind keeps the pipes open.
const DRAIN: Duration = Duration::from_millis(500);

/// Runs processes with `PATH` and `LANG=C`, what the command names, and nothing else of this process's environment.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemCommands;

#[async_trait]
impl Commands for SystemCommands {
    async fn run(&self, command: &CommandSpec) -> Result<CommandOutput, CommandError> {
        let (program, arguments) = command.argv.split_first().ok_or_else(|| CommandError::Start {
            program: String::new(),
            reason: "the argument vector is empty".to_owned(),
        })?;
        let mut child = spawn(program, arguments, &command.environment)?;
        let finished = tokio::time::timeout(command.timeout, finish(&mut child, command)).await;
        let start = |reason: String| CommandError::Start { program: program.clone(), reason };
        if let Ok(output) = finished {
            return output.map_err(|error| start(error.to_string()));
        }
        if let Err(error) = child.kill().await {
            tracing::warn!(%program, %error, "a process that took too long could not be killed");
        }
        Err(CommandError::Timeout { program: program.clone(), after: command.timeout })
    }
}

fn spawn(program: &str, arguments: &[String], environment: &[(String, String)]) -> Result<Child, CommandError> {
    Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into()))
        .env("LANG", "C")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => CommandError::NotFound { program: program.to_owned() },
            _ => CommandError::Start { program: program.to_owned(), reason: error.to_string() },
        })
}

async fn finish(child: &mut Child, command: &CommandSpec) -> std::io::Result<CommandOutput> {
    let stdin = child.stdin.take();
    let stdout = Output::of(child.stdout.take(), command.max_output);
    let stderr = Output::of(child.stderr.take(), command.max_output);
    let input = command.stdin.clone();
    let feeder = tokio::spawn(async move {
        if let Some(mut stdin) = stdin {
            // A process may well end without reading its input: that is its exit code's business.
            let _ = stdin.write_all(&input).await;
        }
    });
    let status = child.wait().await?;
    feeder.abort();
    let (stdout, stderr) = tokio::join!(stdout.collect(), stderr.collect());
    Ok(CommandOutput { code: status.code(), stdout, stderr })
}

/// What was read of one output, and the task that reads on.
struct Output {
    kept: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Output {
    fn of<R: AsyncRead + Unpin + Send + 'static>(pipe: Option<R>, limit: usize) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&kept);
        let reader = tokio::spawn(async move {
            let Some(mut pipe) = pipe else { return };
            let mut chunk = vec![0; 8 << 10];
            // Read on past the limit: a process whose pipe is full would never end.
            while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
                let mut kept = sink.lock().unwrap_or_else(PoisonError::into_inner);
                let room = limit.saturating_sub(kept.len()).min(count);
                kept.extend(chunk.iter().take(room));
            }
        });
        Self { kept, reader }
    }

    async fn collect(self) -> String {
        let abort = self.reader.abort_handle();
        if tokio::time::timeout(DRAIN, self.reader).await.is_err() {
            abort.abort();
        }
        String::from_utf8_lossy(&self.kept.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

/// Runs the programs that the operator of this process named, and no others: whoever may configure a connector need not be one who may
/// run programs on its host.
#[derive(Clone, Debug)]
pub struct AllowedCommands {
    programs: Vec<String>,
}

impl AllowedCommands {
    /// Only these, each by its absolute path.
    pub fn new(programs: Vec<String>) -> Self {
        Self { programs }
    }
}

#[async_trait]
impl Commands for AllowedCommands {
    async fn run(&self, command: &CommandSpec) -> Result<CommandOutput, CommandError> {
        let program = command.argv.first().cloned().unwrap_or_default();
        // Compared as written: a path with `..` or a link is another program until it is named itself.
        if !self.programs.contains(&program) {
            return Err(CommandError::Refused { program });
        }
        SystemCommands.run(command).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> CommandSpec {
        CommandSpec::new(["/bin/sh", "-c", script])
    }

    #[tokio::test]
    async fn outputs_exit_code_and_input_pass_through() {
        let mut command = shell("cat; echo problem >&2; exit 3");
        command.stdin = b"text".to_vec();
        let output = SystemCommands.run(&command).await.unwrap();
        assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (Some(3), "text", "problem\n"));
    }

    #[tokio::test]
    async fn the_environment_is_path_and_lang_only() {
        let output = SystemCommands.run(&CommandSpec::new(["env"])).await.unwrap();
        let mut names: Vec<&str> = output.stdout.lines().filter_map(|line| line.split('=').next()).collect();
        names.sort_unstable();
        assert_eq!(names, ["LANG", "PATH"]);
    }

    #[tokio::test]
    async fn what_a_command_names_stands_in_its_environment() {
        let mut command = shell("printf %s \"$CERTCTL_NAME\"");
        command.environment.push(("CERTCTL_NAME".to_owned(), "$(id) `id`; x".to_owned()));
        assert_eq!(SystemCommands.run(&command).await.unwrap().stdout, "$(id) `id`; x");
    }

    #[tokio::test]
    async fn only_what_was_named_runs_where_programs_are_named() {
        let allowed = AllowedCommands::new(vec!["/bin/echo".to_owned()]);
        assert_eq!(allowed.run(&CommandSpec::new(["/bin/echo", "hi"])).await.unwrap().stdout, "hi\n");
        for other in ["echo", "/bin/../bin/echo", "/bin/sh", "", "/bin/echo "] {
            let refused = allowed.run(&CommandSpec::new([other, "hi"])).await.unwrap_err();
            assert_eq!(refused, CommandError::Refused { program: other.to_owned() });
        }
        assert!(AllowedCommands::new(Vec::new()).run(&shell("true")).await.is_err());
    }

    #[tokio::test]
    async fn more_output_than_is_kept_is_read_and_dropped() {
        let mut command = shell("head -c 1000000 /dev/zero | tr '\\0' x; echo end >&2");
        command.max_output = 10;
        let output = SystemCommands.run(&command).await.unwrap();
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("xxxxxxxxxx", "end\n"));
        assert!(output.succeeded());
    }

    #[tokio::test]
    async fn what_cannot_run_and_what_does_not_end_say_so() {
        let absent = SystemCommands.run(&CommandSpec::new(["certctl-no-such-program"])).await.unwrap_err();
        assert!(matches!(absent, CommandError::NotFound { .. }), "{absent}");
        let empty = SystemCommands.run(&CommandSpec::new(Vec::<String>::new())).await.unwrap_err();
        assert!(matches!(empty, CommandError::Start { .. }), "{empty}");
        let mut endless = CommandSpec::new(["sleep", "1000"]);
        endless.timeout = Duration::from_millis(20);
        let killed = SystemCommands.run(&endless).await.unwrap_err();
        assert!(matches!(killed, CommandError::Timeout { .. }), "{killed}");
    }

    #[tokio::test]
    async fn a_daemon_left_behind_does_not_hold_the_answer() {
        let output = SystemCommands.run(&shell("echo started; sleep 30 &")).await.unwrap();
        assert_eq!(output.stdout, "started\n");
    }
}
