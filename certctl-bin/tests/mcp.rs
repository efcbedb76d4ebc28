//! `certctl mcp` as an assistant meets it: a process that answers lines, before a real server.

#![expect(clippy::disallowed_methods, reason = "the test runs the program")]
#![expect(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod program;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use program::{KEY, Running, certctl, refusal};
use serde_json::{Value, json};

/// The program, and the two ends of its conversation.
struct Assistant {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    next: u64,
}

impl Assistant {
    fn of(server: &Running, key: &str) -> Self {
        let mut command = certctl();
        command.arg("mcp").env("CERTCTL_SERVER_URL", &server.url).env("CERTCTL_API_KEY", key);
        command.env("CERTCTL_SERVER_CA_BUNDLE_PATH", &server.ca);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output, next: 1 }
    }

    fn say(&mut self, line: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line).unwrap();
        input.write_all(b"\n").unwrap();
        input.flush().unwrap();
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.next;
        self.next += 1;
        self.say(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string().as_bytes());
        let answer = self.hear();
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(id)), "{answer}");
        answer
    }

    /// Whether the tool failed, and what it said.
    fn call(&mut self, tool: &str, arguments: Value) -> (bool, String) {
        let answer = self.ask("tools/call", json!({ "name": tool, "arguments": arguments }));
        let content = answer["result"]["content"].as_array().unwrap_or_else(|| panic!("{answer}"));
        assert_eq!((content.len(), &content[0]["type"]), (1, &json!("text")), "{answer}");
        (answer["result"]["isError"].as_bool().unwrap(), content[0]["text"].as_str().unwrap().to_owned())
    }

    /// What a tool that does not fail said, as JSON.
    fn get(&mut self, tool: &str, arguments: Value) -> Value {
        let (failed, text) = self.call(tool, arguments);
        assert!(!failed, "{tool}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{tool}: {error}: {text}"))
    }

    /// What a tool that fails said, as JSON.
    fn refused(&mut self, tool: &str, arguments: Value) -> Value {
        let (failed, text) = self.call(tool, arguments);
        assert!(failed, "{tool}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{tool}: {error}: {text}"))
    }

    /// Closes the input, upon which it ends.
    fn leave(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Assistant {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_assistant_greets_and_finds_a_tool_for_every_operation() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with_key(directory.path());
    let mut assistant = Assistant::of(&server, KEY);
    let greeting =
        json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
    let answer = assistant.ask("initialize", greeting);
    assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(answer["result"]["serverInfo"]["name"], "certctl");
    assert!(answer["result"]["capabilities"]["tools"].is_object());
    assistant.say(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    assert_eq!(assistant.ask("ping", json!({}))["result"], json!({}), "a notification is not answered");

    let listed = assistant.ask("tools/list", json!({}));
    let tools = listed["result"]["tools"].as_array().unwrap();
    let names: BTreeSet<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), tools.len(), "no name twice");
    let document: Value = serde_json::from_str(certctl_http::openapi::COMMITTED).unwrap();
    let mut expected = BTreeSet::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values().filter(|part| part.get("operationId").is_some()) {
            match operation["x-mcp-tool"].as_str() {
                Some(tool) => drop(expected.insert(tool)),
                None => assert!(operation["x-mcp-exempt"].is_string(), "no tool and no reason: {operation}"),
            }
        }
    }
    assert_eq!(names, expected);
    for tool in tools {
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        assert!(tool["annotations"]["readOnlyHint"].is_boolean(), "{tool}");
    }
    assistant.leave();
}

#[test]
fn an_agent_is_retired_by_its_tool_with_force_and_reason() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with_key(directory.path());
    let mut assistant = Assistant::of(&server, KEY);
    assistant.get("certctl_register_agent", json!({ "id": "edge-1", "name": "edge-1", "hostname": "edge-1.example" }));
    let target = json!({
        "id": "t-1", "name": "t-1", "type": "NGINX", "agent_id": "edge-1",
        "config": { "cert_path": "/etc/nginx/tls/a.pem", "key_path": "/etc/nginx/tls/a.key" },
    });
    assistant.get("certctl_create_target", target);

    let blocked = assistant.refused("certctl_retire_agent", json!({ "id": "edge-1" }));
    assert_eq!((&blocked["status"], &blocked["counts"]["active_targets"]), (&json!(409), &json!(1)), "{blocked}");
    let unsaid = assistant.refused("certctl_retire_agent", json!({ "id": "edge-1", "force": true }));
    assert_eq!(unsaid["status"], 400, "{unsaid}");
    let unknown = assistant.refused("certctl_retire_agent", json!({ "id": "nobody" }));
    assert_eq!(unknown["status"], 404, "{unknown}");

    let arguments = json!({ "id": "edge-1", "force": true, "reason": "sold & gone" });
    let retired = assistant.get("certctl_retire_agent", arguments.clone());
    assert_eq!((&retired["cascade"], &retired["already_retired"]), (&json!(true), &json!(false)), "{retired}");
    let (failed, text) = assistant.call("certctl_retire_agent", arguments);
    assert!(!failed && text.contains("204"), "{text}");
    let list = assistant.get("certctl_list_retired_agents", json!({}));
    assert_eq!(list["data"][0]["retired_reason"], "sold & gone", "{list}");
    let shown = server.answer(&["agents", "list", "--retired"]);
    assert!(shown.contains("sold & gone"), "{shown}");
    assistant.leave();
}

#[test]
fn what_cannot_be_meant_is_answered_and_the_conversation_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let server = Running::with_key(directory.path());
    let mut assistant = Assistant::of(&server, KEY);
    let mut code = |line: &[u8]| {
        assistant.say(line);
        assistant.hear()["error"]["code"].as_i64().unwrap()
    };
    assert_eq!(code(b"no json"), -32700);
    assert_eq!(code(b"\xff\xfe"), -32700);
    assert_eq!(code(&b"[".repeat(5000)), -32700);
    assert_eq!(code(b"[]"), -32600);
    assert_eq!(code(&b"x".repeat(5 << 20)), -32600);
    assert_eq!(code(br#"{"jsonrpc":"2.0","id":1,"method":"resources/list"}"#), -32601);
    assert_eq!(code(br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#), -32602);
    assert_eq!(code(br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"certctl_no"}}"#), -32602);

    for (tool, arguments, said) in [
        ("certctl_get_job", json!({}), "`id` is missing"),
        ("certctl_get_job", json!({ "id": "" }), "`id` must be a text that is not empty"),
        ("certctl_get_job", json!({ "id": ["a", "b"] }), "`id` must be"),
        ("certctl_get_job", json!({ "id": ".." }), "names nothing"),
        ("certctl_get_job", json!({ "id": "j", "force": true }), "there is no argument `force`"),
        ("certctl_list_jobs", json!({ "status": { "a": 1 } }), "`status` must be"),
        ("certctl_list_jobs", json!({ "status": "No" }), "\"status\":400"),
        ("certctl_create_team", json!({ "name": 3 }), "\"status\":400"),
        ("certctl_get_certificate", json!({ "id": "a/../../b" }), "\"status\":4"),
    ] {
        let (failed, text) = assistant.call(tool, arguments.clone());
        assert!(failed && text.contains(said), "{tool} {arguments}: {text}");
    }
    assistant.say(br#"[{"jsonrpc":"2.0","id":"a","method":"ping"},{"jsonrpc":"2.0","method":"x"}]"#);
    assert_eq!(assistant.hear(), json!([{ "jsonrpc": "2.0", "id": "a", "result": {} }]));
    assert_eq!(assistant.get("certctl_health", json!({}))["status"], "healthy");
    assistant.leave();

    let mut stranger = Assistant::of(&server, "a-key-that-nobody-has");
    assert_eq!(stranger.refused("certctl_list_agents", json!({}))["status"], 401);
    server.terminate();
    let (failed, text) = stranger.call("certctl_list_agents", json!({}));
    assert!(failed && text.contains("did not answer"), "{text}");
}

#[test]
fn a_key_is_not_shown_to_the_network() {
    for (url, said) in [("http://certctl.example", "use https"), ("ftp://certctl.example", "neither https nor http")] {
        let mut command = certctl();
        command.arg("mcp").env("CERTCTL_SERVER_URL", url).env("CERTCTL_API_KEY", KEY).stdin(Stdio::null());
        let text = refusal(command);
        assert!(text.contains(said), "{text}");
    }
}
