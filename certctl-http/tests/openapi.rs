//! The committed OpenAPI document is what the routes say, and generators can use it.

#![expect(clippy::unwrap_used, reason = "a test's helper may fail the test")]
#![expect(clippy::disallowed_methods, reason = "the committed document is written here, when asked to")]

use std::collections::BTreeSet;

use certctl_http::openapi;
use serde_json::Value;

fn document() -> Value {
    serde_json::to_value(openapi::document()).unwrap()
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let each = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(|(verb, operation)| (path.clone(), verb.clone(), operation.clone()))
    });
    each.filter(|(_, verb, _)| ["get", "put", "post", "delete", "patch"].contains(&verb.as_str())).collect()
}

/// Set `CERTCTL_BLESS=1` to write the document after the routes were changed on purpose.
#[test]
fn the_committed_document_is_what_the_routes_say() {
    let generated = format!("{}\n", serde_json::to_string_pretty(&document()).unwrap());
    if std::env::var_os("CERTCTL_BLESS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json"), &generated).unwrap();
        return;
    }
    assert!(
        generated == openapi::COMMITTED,
        "openapi.json is not what the routes say; run this test with CERTCTL_BLESS=1 and look at the difference"
    );
}

#[test]
fn every_operation_has_an_id_of_its_own_one_tag_and_problem_responses() {
    let document = document();
    let declared: BTreeSet<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut ids = BTreeSet::new();
    for (path, verb, operation) in operations(&document) {
        let at = format!("{verb} {path}");
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{at} has no operationId"));
        assert!(id.chars().next().unwrap().is_lowercase() && !id.contains(['_', '-', ' ']), "{at}: {id}");
        assert!(ids.insert(id.to_owned()), "{at}: {id} is taken");
        let tags = operation["tags"].as_array().unwrap();
        assert!(tags.len() == 1 && declared.contains(tags[0].as_str().unwrap()), "{at}: tags {tags:?}");
        assert!(operation["summary"].is_string(), "{at} has no summary");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.contains_key("500") && responses.contains_key("503"), "{at} says nothing of failures");
        let open = operation["security"] == serde_json::json!([]);
        // SCEP's lightweight form refuses a wrong challenge password with 403.
        let of_protocol = ["/.well-known/", "/scep"].iter().any(|prefix| path.starts_with(prefix));
        assert!(of_protocol || open != responses.contains_key("403"), "{at}: roles and security disagree");
        assert_eq!(open, operation.get("x-roles").is_none(), "{at} names no roles");
        for (status, response) in responses {
            // Protocols for machines have errors of their own, in plain text or in a form of theirs.
            let is_door = path.starts_with("/.well-known/") || path.starts_with("/scep");
            let own_form = is_door && response["content"].is_object();
            if status.starts_with(['4', '5']) && !own_form {
                assert!(response["$ref"].as_str().unwrap().starts_with("#/components/responses/"), "{at} {status}");
            }
        }
    }
    assert_eq!(ids.len(), openapi::OPERATIONS, "the table of roles names other operations than the routes");
    for (name, response) in document["components"]["responses"].as_object().unwrap() {
        let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
        // One problem says more than others; its schema holds that of every problem.
        let expected = if name == "BlockedByDependencies" { "BlockedByDependenciesResponse" } else { "ErrorResponse" };
        assert_eq!(schema, &format!("#/components/schemas/{expected}"), "{name}");
    }
}

/// `docs/roles.md` is the table of roles, as the document has it.
#[test]
fn the_committed_page_of_roles_is_the_table() {
    const ROLES: [&str; 5] = ["admin", "operator", "viewer", "auditor", "agent"];
    let mut text = String::from(
        "# Roles\n\nWho may call what. Made from `certctl-http/src/v1/roles.rs`; renew it with `CERTCTL_BLESS=1 cargo test \
         -p certctl-http --all-features --test openapi`.\n\nAn agent may call its routes for itself alone; another agent's \
         are answered 404. What needs no key says so.\n",
    );
    let document = document();
    let mut operations = operations(&document);
    operations.sort_by_key(|(path, verb, operation)| {
        (operation["tags"][0].as_str().unwrap_or_default().to_owned(), path.clone(), verb.clone())
    });
    let mut tag = String::new();
    for (path, verb, operation) in operations {
        let its = operation["tags"][0].as_str().unwrap();
        if its != tag {
            let heads = ROLES.join(" | ");
            text.push_str(&format!("\n## {its}\n\n| | route | {heads} |\n|---|---|{}\n", "---|".repeat(ROLES.len())));
            its.clone_into(&mut tag);
        }
        let id = operation["operationId"].as_str().unwrap();
        let may = |role: &str| match operation.get("x-roles") {
            None => "no key",
            Some(roles) if roles.as_array().unwrap().contains(&role.into()) => "yes",
            Some(_) => "",
        };
        let cells = ROLES.map(may).join(" | ");
        text.push_str(&format!("| `{id}` | `{} {path}` | {cells} |\n", verb.to_uppercase()));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/roles.md");
    if std::env::var_os("CERTCTL_BLESS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == text, "docs/roles.md is not the table of roles; run this test with CERTCTL_BLESS=1");
}

#[test]
fn every_operation_is_a_tool_or_says_why_not() {
    let mut tools = BTreeSet::new();
    for (path, verb, operation) in operations(&document()) {
        let at = format!("{verb} {path}");
        match (operation["x-mcp-tool"].as_str(), operation["x-mcp-exempt"].as_str()) {
            (Some(tool), None) => {
                assert!(tools.insert(tool.to_owned()), "{at}: {tool} is taken");
                let readable = tool.chars().all(|character| matches!(character, 'a'..='z' | '0'..='9' | '_'));
                assert!(readable && tool.starts_with("certctl_") && tool.len() <= 64, "{at}: {tool}");
            }
            (None, Some(reason)) => assert!(reason.len() > 10, "{at}: {reason}"),
            other => panic!("{at}: a tool, or a reason why not: {other:?}"),
        }
        for (parameter, _) in operation["x-mcp-arguments"].as_object().into_iter().flatten() {
            let known = operation["parameters"].as_array().unwrap().iter().any(|known| known["name"] == **parameter);
            assert!(known, "{at} has no parameter {parameter}");
        }
    }
    assert!(!tools.is_empty());
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut missing = BTreeSet::new();
    walk(&document, &mut |node| {
        if let Some(reference) = node.get("$ref").and_then(Value::as_str)
            && document.pointer(reference.trim_start_matches('#')).is_none()
        {
            missing.insert(reference.to_owned());
        }
    });
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn down_levelled_it_holds_nothing_that_3_0_does_not_have() {
    let lowered = openapi::down_level(document());
    assert_eq!(lowered["openapi"], "3.0.3");
    walk(&lowered, &mut |node| {
        if let Some(kind) = node.get("type").filter(|_| node.get("name").is_none()) {
            assert!(!kind.is_array(), "several types: {node:?}");
            assert_ne!(kind, "null", "{node:?}");
        }
        assert!(node.get("$ref").is_none() || node.len() == 1, "beside a reference: {node:?}");
        assert!(!node.contains_key("const") && !node.contains_key("prefixItems"), "{node:?}");
    });
    assert!(lowered.get("webhooks").is_none());
    let expires_at = lowered.pointer("/components/schemas/ManagedCertificate/properties/expires_at").unwrap();
    assert_eq!((&expires_at["type"], &expires_at["nullable"]), (&"string".into(), &true.into()));
}

#[test]
fn what_the_server_calls_itself_is_described() {
    let document = document();
    let notice = &document["webhooks"]["notice"]["post"];
    let reference = notice["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
    let schema = document.pointer(reference.trim_start_matches('#')).unwrap();
    assert!(schema["properties"]["attempt"].is_object(), "{schema}");
    assert!(notice["responses"]["default"].is_object());
}

fn walk(value: &Value, see: &mut dyn FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            see(members);
            members.values().for_each(|member| walk(member, see));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, see)),
        _ => {}
    }
}
