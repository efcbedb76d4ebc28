//! What must hold on both databases, seen from outside the program: the stream of events, also of what another server
//! committed, and the command line on a store that no server uses.

#![expect(clippy::disallowed_methods, reason = "the test runs the program")]
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

#[expect(dead_code, reason = "other tests need more of it")]
mod program;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use certctl_storage::testing::TemporaryPostgres;
use libtest_mimic::{Arguments, Failed, Trial};

use program::{KEY, Running, certctl};

const PASSPHRASE: &str = "a-passphrase-for-this-test";

/// A server that is there or not, shared by all trials.
type Server = Arc<Option<TemporaryPostgres>>;

fn main() -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    let server: Server = Arc::new(if arguments.list { None } else { TemporaryPostgres::start() });
    let mut trials = Vec::new();
    trials.extend(both(&server, "events_are_told_in_order_across_a_restart", events));
    trials.extend(both(&server, "the_command_line_works_on_a_store_without_a_server", commands));
    let (postgres, name) = (Arc::clone(&server), "what_another_server_did_is_told");
    let trial = Trial::test(format!("postgresql::{name}"), move || two_servers(&database(&postgres, "two_servers")?));
    trials.push(trial.with_ignored_flag(server.is_none()));
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(server);
    conclusion.exit_code()
}

/// The same test on both databases; without a URL it is SQLite in the data directory.
fn both(server: &Server, name: &'static str, test: fn(Option<&str>) -> Result<(), Failed>) -> [Trial; 2] {
    let postgres = Arc::clone(server);
    [
        Trial::test(format!("sqlite::{name}"), move || test(None)),
        Trial::test(format!("postgresql::{name}"), move || test(Some(&database(&postgres, name)?)))
            .with_ignored_flag(server.is_none()),
    ]
}

fn database(server: &Server, name: &str) -> Result<String, Failed> {
    let server = server.as_ref().as_ref().ok_or("there is no PostgreSQL")?;
    Ok(server.database(name).ok_or("the database cannot be made")?)
}

fn start(directory: &std::path::Path, url: Option<&str>) -> Running {
    let key = format!("me:{KEY}:admin");
    let mut variables = vec![
        ("CERTCTL_API_KEYS_NAMED", key.as_str()),
        ("CERTCTL_INSECURE_HTTP", "true"),
        ("CERTCTL_CONFIG_ENCRYPTION_KEY", PASSPHRASE),
    ];
    variables.extend(url.map(|url| ("CERTCTL_DATABASE_URL", url)));
    Running::start(directory, &variables)
}

/// The stream of events of a server.
struct Events(BufReader<TcpStream>);

impl Events {
    fn open(server: &Running, last: Option<i64>) -> Self {
        let address = server.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let last = last.map(|last| format!("last-event-id: {last}\r\n")).unwrap_or_default();
        let head =
            format!("GET /api/v1/events HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {KEY}\r\n{last}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        Self(BufReader::new(stream))
    }

    /// The places of what is told, up to an event with this name about this record.
    fn until(&mut self, name: &str, about: &str) -> Vec<i64> {
        let (mut ids, mut event) = (Vec::new(), String::new());
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream ended: {ids:?}");
            let line = line.trim_end();
            if let Some(text) = line.strip_prefix("event: ") {
                text.clone_into(&mut event);
            } else if let Some(id) = line.strip_prefix("id: ").filter(|_| !event.is_empty()) {
                ids.push(id.parse().unwrap());
            } else if line.starts_with("data: ") {
                if event == name && line.contains(about) {
                    return ids;
                }
                event.clear();
            }
        }
    }
}

fn team(server: &Running, id: &str) {
    server.answer(&["teams", "create", "--id", id, "--name", id]);
}

fn is_without_gap(ids: &[i64]) -> bool {
    ids.windows(2).all(|pair| pair[1] == pair[0] + 1)
}

fn events(url: Option<&str>) -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let server = start(directory.path(), url);
    let mut stream = Events::open(&server, Some(0));
    team(&server, "team-1");
    team(&server, "team-2");
    let told = stream.until("create_team", "team-2");
    assert!(told.len() >= 2 && told[0] == 1 && is_without_gap(&told), "{told:?}");
    drop(stream);
    server.terminate();
    // What happened while nobody listened is told to who comes back, from the place on where they were.
    let server = start(directory.path(), url);
    team(&server, "team-3");
    let last = *told.last().unwrap();
    let rest = Events::open(&server, Some(last)).until("create_team", "team-3");
    assert!(rest[0] == last + 1 && is_without_gap(&rest), "{last} {rest:?}");
    server.terminate();
    Ok(())
}

fn two_servers(url: &str) -> Result<(), Failed> {
    let (one, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (here, there) = (start(one.path(), Some(url)), start(other.path(), Some(url)));
    let mut stream = Events::open(&here, Some(0));
    team(&there, "team-there");
    team(&here, "team-here");
    let told = stream.until("create_team", "team-here");
    assert!(is_without_gap(&told), "{told:?}");
    team(&there, "team-late");
    stream.until("create_team", "team-late");
    there.terminate();
    here.terminate();
    Ok(())
}

fn commands(url: Option<&str>) -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let place = url.map_or_else(|| directory.path().display().to_string(), str::to_owned);
    let store = |arguments: &[&str]| -> Output {
        let mut command = certctl();
        command.args(arguments).args(["--store", &place]).current_dir(&directory).stdin(Stdio::null());
        command.env("CERTCTL_CONFIG_ENCRYPTION_KEY", PASSPHRASE).env("CERTCTL_DATA_DIR", directory.path());
        command.output().unwrap()
    };
    let text = |output: Output| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let server = start(directory.path(), url);
    team(&server, "team-server");
    server.terminate();
    text(store(&["certs", "create", "--id", "mc-store", "--common-name", "s.example", "--name", "by a store"]));
    assert!(text(store(&["certs", "get", "mc-store"])).contains("s.example"));
    assert!(text(store(&["teams", "list", "-o", "name"])).contains("team-server"));
    assert!(text(store(&["loops", "list"])).contains("renewal-check"));
    assert_eq!(store(&["certs", "get", "mc-none"]).status.code(), Some(3));
    let server = start(directory.path(), url);
    assert!(server.answer(&["certs", "get", "mc-store"]).contains("s.example"));
    server.terminate();
    Ok(())
}
