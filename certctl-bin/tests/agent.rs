//! `certctl agent` as an operator meets it: it enrols once, comes back with its credential, and asks for certificates.

#![expect(clippy::disallowed_methods, reason = "the test runs the program and looks at its files")]
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod program;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use program::{Running, certctl, refusal};

/// How often a state is looked at before the test gives up; each look is a run of the program.
const LOOKS: usize = 400;

fn agent(server: &Running, id: &str, directory: &Path) -> Command {
    let mut command = certctl();
    command.args(["agent", "--server", &server.url, "--agent-id", id, "--key-dir"]).arg(directory);
    command.arg("--ca").arg(&server.ca).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn enrol_token(server: &Running, id: &str) -> String {
    let answer = server.answer(&["agents", "enrol-token", "--agent-id", id, "-o", "json"]);
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    answer["token"].as_str().unwrap().to_owned()
}

/// An agent that is ended with the test.
struct Working(Child);

impl Drop for Working {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Working {
    fn start(mut command: Command) -> Self {
        Self(command.stderr(Stdio::null()).spawn().unwrap())
    }

    fn terminate(mut self) {
        assert!(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }
}

fn wait_for(server: &Running, arguments: &[&str], state: &str) {
    let mut last = String::new();
    for _ in 0..LOOKS {
        last = server.answer(arguments);
        if last.contains(state) {
            return;
        }
    }
    panic!("never {state}: {last}");
}

#[test]
fn an_agent_enrols_once_and_comes_back_with_its_credential() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with_key(&directory.path().join("server"));
    let keys = directory.path().join("agent");
    let mut command = agent(&server, "edge-1", &keys);
    command.args(["--enrol-token", &enrol_token(&server, "edge-1")]);
    let working = Working::start(command);
    wait_for(&server, &["agents", "list", "--status", "Online"], "edge-1");
    server.answer(&["certs", "create", "--id", "mc-a", "--common-name", "a.example", "--agent-id", "edge-1"]);
    wait_for(&server, &["certs", "get", "mc-a"], "Active");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&keys.join("credential")), 0o600);
    let key_files: Vec<_> = std::fs::read_dir(keys.join("keys")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(key_files.iter().map(|key| mode(key)).collect::<Vec<_>>(), [0o600]);
    working.terminate();

    let working = Working::start(agent(&server, "edge-1", &keys));
    server.answer(&["certs", "renew", "mc-a"]);
    wait_for(&server, &["certs", "versions", "mc-a", "-o", "json"], "\"total\": 2");
    assert_eq!(std::fs::read_dir(keys.join("keys")).unwrap().count(), 2, "each version has a key of its own");
    working.terminate();
    server.terminate();
}

/// An agent that ends by itself; gives what it said.
fn ended(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    text
}

#[test]
fn an_agent_that_is_retired_stops_for_good() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with_key(&directory.path().join("server"));
    let keys = directory.path().join("agent");
    let mut command = agent(&server, "edge-1", &keys);
    command.args(["--enrol-token", &enrol_token(&server, "edge-1")]);
    let working = command.spawn().unwrap();
    wait_for(&server, &["agents", "list", "--status", "Online"], "edge-1");
    server.answer(&["certs", "create", "--id", "mc-a", "--common-name", "a.example", "--agent-id", "edge-1"]);
    wait_for(&server, &["certs", "get", "mc-a"], "Active");

    // Whoever forgets the reason is told so without a server.
    for more in [&["--force"][..], &["--force", "--reason", " "]] {
        let mut command = certctl();
        command.args(["agents", "retire", "edge-1", "--server", "https://192.0.2.1", "--api-key", "k"]).args(more);
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && text.contains("--reason"), "{text}");
    }
    let blocked = server.ask(&["agents", "retire", "edge-1"]);
    let text = String::from_utf8(blocked.stderr).unwrap();
    assert_eq!(blocked.status.code(), Some(5), "{text}");
    for part in ["active_targets 0", "active_certificates 1", "pending_jobs 0", "--force --reason"] {
        assert!(text.contains(part), "{part}: {text}");
    }

    let done = server.answer(&["agents", "retire", "edge-1", "--force", "--reason", "sold", "-o", "json"]);
    let done: serde_json::Value = serde_json::from_str(&done).unwrap();
    assert_eq!((&done["cascade"], &done["counts"]["active_certificates"]), (&true.into(), &1.into()));
    let text = ended(working);
    assert!(text.contains("this agent is retired"), "{text}");
    assert!(server.answer(&["agents", "retire", "edge-1"]).contains("retired before"));
    let retired = server.answer(&["agents", "list", "--retired"]);
    assert!(retired.contains("edge-1") && retired.contains("sold"), "{retired}");
    assert!(!server.answer(&["agents", "list"]).contains("edge-1"));
    // A service manager that starts it all the same achieves nothing.
    let text = ended(agent(&server, "edge-1", &keys).spawn().unwrap());
    assert!(text.contains("this agent is retired"), "{text}");
    server.terminate();
}

#[test]
fn an_agent_puts_files_only_where_its_host_allows() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with_key(&directory.path().join("server"));
    let mut command = agent(&server, "edge-1", &directory.path().join("agent"));
    let place = |name: &str| directory.path().join(name).join("site.pem");
    command.args(["--enrol-token", &enrol_token(&server, "edge-1")]);
    command.arg("--allow-path").arg(directory.path().join("flag"));
    command.env("CERTCTL_ALLOW_PATH", directory.path().join("variable")).env("CERTCTL_ALLOW_COMMAND", "/bin/true");
    let working = Working::start(command);
    wait_for(&server, &["agents", "list", "--status", "Online"], "edge-1");
    for name in ["flag", "variable", "neither"] {
        let config = serde_json::json!({
            "cert_path": place(name), "validate_command": ["/bin/true"], "reload_command": ["/bin/true", "reload"],
        });
        let target = ["--id", name, "--name", name, "--type", "NGINX", "--agent-id", "edge-1"];
        server.answer(&[&["targets", "create", "--config", &config.to_string()][..], &target].concat());
        let (id, common_name) = (format!("mc-{name}"), format!("{name}.example"));
        server.answer(&["certs", "create", "--id", &id, "--common-name", &common_name, "--target-id", name]);
        let end = if name == "neither" { "Failed" } else { "Completed" };
        wait_for(&server, &["jobs", "list", "--type", "Deployment", "--certificate-id", &id], end);
        assert_eq!(place(name).exists(), name != "neither");
    }
    let jobs = server.answer(&["jobs", "list", "--certificate-id", "mc-neither", "-o", "json"]);
    let add = format!("--allow-path \\\"{}\\\"", directory.path().canonicalize().unwrap().join("neither").display());
    assert!(jobs.contains("local_policy") && jobs.contains(&add), "{add}: {jobs}");
    working.terminate();
    server.terminate();
}

#[test]
fn an_agent_that_cannot_prove_itself_says_how_it_could() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with_key(&directory.path().join("server"));
    let keys = directory.path().join("agent");
    let text = refusal(agent(&server, "edge-1", &keys));
    assert!(text.contains("--enrol-token") && text.contains("credential"), "{text}");

    let mut command = agent(&server, "edge-1", &keys);
    command.args(["--enrol-token", &enrol_token(&server, "edge-2")]);
    let text = refusal(command);
    assert!(text.contains("another agent id"), "{text}");

    let mut command = certctl();
    command.args(["agent", "--server", "http://192.0.2.1:8080", "--agent-id", "edge-1", "--key-dir"]).arg(&keys);
    let text = refusal(command);
    assert!(text.contains("use https"), "{text}");
    server.terminate();
}

#[test]
fn an_agent_talks_to_the_server_of_its_root_alone() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with_key(&directory.path().join("server"));
    let other = Running::with_key(&directory.path().join("other"));
    let mut command = certctl();
    command.args(["agent", "--server", &server.url, "--agent-id", "edge-1", "--enrol-token"]);
    command
        .arg(enrol_token(&server, "edge-1"))
        .arg("--ca")
        .arg(&other.ca)
        .arg("--key-dir")
        .arg(directory.path().join("a"));
    let text = refusal(command);
    assert!(text.contains("root has the fingerprint"), "{text}");

    let mut command = certctl();
    command.args(["agent", "--server", &other.url, "--agent-id", "edge-1", "--enrol-token"]);
    command.arg(enrol_token(&server, "edge-1")).arg("--key-dir").arg(directory.path().join("b"));
    let text = refusal(command);
    assert!(text.contains("another server, or somebody is in between"), "{text}");
    server.terminate();
    other.terminate();
}

#[test]
fn a_token_is_enough_to_find_the_right_server() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with_key(&directory.path().join("server"));
    let keys = directory.path().join("agent");
    let without_root = |token: Option<String>| {
        let mut command = certctl();
        command.args(["agent", "--server", &server.url, "--agent-id", "edge-1", "--key-dir"]).arg(&keys);
        command.args(token.iter().flat_map(|token| ["--enrol-token", token])).stdout(Stdio::null());
        command
    };
    let working = Working::start(without_root(Some(enrol_token(&server, "edge-1"))));
    wait_for(&server, &["agents", "list", "--status", "Online"], "edge-1");
    working.terminate();
    assert_eq!(std::fs::read(keys.join("ca.pem")).unwrap(), std::fs::read(&server.ca).unwrap());
    server.answer(&["certs", "create", "--id", "mc-a", "--common-name", "a.example", "--agent-id", "edge-1"]);
    let working = Working::start(without_root(None));
    wait_for(&server, &["certs", "get", "mc-a"], "Active");
    working.terminate();
    server.terminate();
}
