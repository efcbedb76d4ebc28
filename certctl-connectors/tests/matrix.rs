//! `docs/connectors.md` is what the registry says. `CERTCTL_BLESS=1 cargo test -p certctl-connectors --test matrix` writes
//! it anew.

#![expect(
    clippy::disallowed_methods,
    reason = "a test that reads the committed page, and writes it when it is told to"
)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(all(feature = "issuers-all", feature = "targets-all", feature = "notifiers-all", feature = "discovery-all"))]

use certctl_core::connector::{ConnectorInfo, IssuerCapabilities, Registry};
use certctl_core::testing::{FakePorts, connector_context};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

#[test]
fn the_matrix_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/connectors.md");
    let expected = matrix(&certctl_connectors::registry());
    if std::env::var_os("CERTCTL_BLESS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/connectors.md is out of date; write it anew with CERTCTL_BLESS=1");
}

const HEAD: &str = "# Connectors\n\n\
    What this program is built with, as its registry says, with an empty configuration where one will do. This page is\n\
    generated; each connector's own page explains more.\n";

fn matrix(registry: &Registry) -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n## Issuers\n\n");
    page.push_str("| kind | also | names | wildcards | keys | usages | longest lifetime | answers |\n");
    page.push_str("|---|---|---|---|---|---|---|---|\n");
    for info in registry.issuers() {
        let row = capabilities(registry, info.kind).map_or_else(|| vec!["as configured".to_owned(); 6], |c| row(&c));
        let _ = writeln!(page, "| `{}` | {} | {} |", info.kind, aliases(info), row.join(" | "));
    }
    page.push_str("\n## Targets\n\n| kind | also |\n|---|---|\n");
    for info in registry.target_specs() {
        let _ = writeln!(page, "| `{}` | {} |", info.kind, aliases(info));
    }
    page.push_str("\n## Notifiers\n\n| kind | also |\n|---|---|\n");
    for info in registry.notifiers() {
        let _ = writeln!(page, "| `{}` | {} |", info.kind, aliases(info));
    }
    page.push_str("\n## Discovery sources\n\n| kind | what it finds belongs to |\n|---|---|\n");
    for info in registry.discoveries() {
        let _ = writeln!(page, "| `{}` | `{}` |", info.kind, registry.discovery_agent(info.kind).unwrap());
    }
    page.push_str("\n## Configuration\n");
    for (what, info) in registry
        .issuers()
        .map(|info| ("issuer", info))
        .chain(registry.target_specs().map(|info| ("target", info)))
        .chain(registry.notifiers().map(|info| ("notifier", info)))
        .chain(registry.discoveries().map(|info| ("discovery source", info)))
    {
        let _ = write!(page, "\n### `{}` ({what})\n\n{}", info.kind, fields(&info.schema));
    }
    page
}

/// Those of an issuer for which an empty configuration is complete.
fn capabilities(registry: &Registry, kind: &str) -> Option<IssuerCapabilities> {
    let ports = FakePorts::seeded(1).ports();
    let cx = connector_context("matrix", ports);
    registry.find_issuer(kind).unwrap().build(&json!({}), &cx).ok().map(|issuer| issuer.capabilities())
}

fn row(capabilities: &IssuerCapabilities) -> Vec<String> {
    let lifetime = capabilities.max_lifetime.map(|limit| format!("{} days", limit.as_secs() / 86_400));
    vec![
        list(capabilities.san_kinds.iter().map(|kind| kind.name())),
        if capabilities.wildcards { "yes" } else { "no" }.to_owned(),
        list(capabilities.key_families.iter().map(|family| family.name())),
        list(capabilities.ekus.iter().map(|usage| usage.name())),
        lifetime.unwrap_or_else(|| "as the CA decides".to_owned()),
        capabilities.pace.name().to_owned(),
    ]
}

fn aliases(info: &ConnectorInfo) -> String {
    list(info.aliases.iter().map(|alias| format!("`{alias}`")))
}

fn list(items: impl Iterator<Item = impl AsRef<str>>) -> String {
    items.map(|item| item.as_ref().to_owned()).collect::<Vec<_>>().join(", ")
}

fn fields(schema: &Value) -> String {
    let mut table = "| field | type | default | meaning |\n|---|---|---|---|\n".to_owned();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let default = match &field["default"] {
            _ if required.contains(&json!(name)) => "required".to_owned(),
            Value::Null => String::new(),
            Value::Array(items) if items.is_empty() => String::new(),
            Value::Object(members) if members.is_empty() => String::new(),
            Value::String(text) => format!("`{text}`"),
            value => format!("`{value}`"),
        };
        let meaning = field["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|");
        let _ = writeln!(table, "| `{name}` | {} | {default} | {meaning} |", kind_of(schema, field));
    }
    table
}

fn kind_of(root: &Value, field: &Value) -> String {
    if let Some(name) = field["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        return kind_of(root, &root["$defs"][name]);
    }
    if field["writeOnly"] == json!(true) {
        return "secret".to_owned();
    }
    if let Some(values) = field["enum"].as_array() {
        return list(values.iter().filter_map(Value::as_str).map(|value| format!("`{value}`")));
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(branches) = field[word].as_array() {
            let known = branches.iter().filter(|branch| branch["type"] != json!("null"));
            return known.map(|branch| kind_of(root, branch)).collect::<Vec<_>>().join(" or ");
        }
    }
    let kind = match &field["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| **kind != json!("null")),
        kind => Some(kind),
    };
    match kind.and_then(Value::as_str) {
        Some("array") => format!("list of {}", kind_of(root, &field["items"])),
        Some("object") => match &field["additionalProperties"] {
            values @ Value::Object(_) => format!("{} by name", kind_of(root, values)),
            _ => "object".to_owned(),
        },
        Some(kind) => kind.to_owned(),
        None => "any".to_owned(),
    }
}
