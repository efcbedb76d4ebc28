//! Tools: operations as the Model Context Protocol describes them.

use certctl_core::ports::Method;
use serde_json::{Map, Value, json};

use crate::operations::{Operation, ParameterPlace};

/// Words in the names of operations that take something away for good or stop something.
const DESTRUCTIVE: &[&str] =
    &["archive", "cancel", "clear", "delete", "disable", "dismiss", "reject", "remove", "retire", "revoke"];

/// The description of an operation's tool; none where it has no tool.
pub(super) fn described(operation: &Operation) -> Option<Value> {
    let name = operation.tool.as_ref()?;
    let mut description = format!("{}.", operation.summary.trim_end_matches('.'));
    if !operation.description.is_empty() {
        description = format!("{description} {}", operation.description.replace('\n', " "));
    }
    if let Some(binary) = operation.media_types.iter().find(|media_type| !is_text(media_type)) {
        description = format!("{description} Answers with size and base64 of {binary}.");
    }
    Some(json!({
        "name": name,
        "title": operation.summary,
        "description": description,
        "inputSchema": input_schema(operation),
        "annotations": {
            "title": operation.summary,
            "readOnlyHint": operation.is_reading(),
            "destructiveHint": is_destructive(operation),
            "idempotentHint": operation.is_reading() || matches!(operation.method, Method::Put | Method::Delete),
        },
    }))
}

/// Whether answers of this media type are texts.
pub(super) fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/")
        || media_type == "application/json"
        || media_type.ends_with("+json")
        || matches!(media_type, "application/x-ndjson" | "application/ndjson" | "application/x-pem-file")
}

/// Whether it may do more than add: it overwrites, ends or removes something.
fn is_destructive(operation: &Operation) -> bool {
    let names_it = || {
        let id = operation.id.to_ascii_lowercase();
        DESTRUCTIVE.iter().any(|word| id.contains(word))
    };
    match operation.method {
        Method::Get | Method::Head => false,
        Method::Put | Method::Patch | Method::Delete => true,
        Method::Post => names_it(),
    }
}

/// One object of all that the operation takes: parameters of path, query and headers, and the members of the body.
fn input_schema(operation: &Operation) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for parameter in &operation.parameters {
        let mut schema = parameter.schema.clone();
        if let Some(members) = schema.as_object_mut()
            && !parameter.description.is_empty()
        {
            members.insert("description".into(), json!(parameter.description));
        }
        properties.insert(parameter.argument.clone(), schema);
        if parameter.required || parameter.place == ParameterPlace::Path {
            required.push(json!(parameter.argument));
        }
    }
    if operation.takes_whole_body() {
        if let Some(body) = &operation.body {
            properties.insert("body".into(), body.schema.clone());
            if body.required {
                required.push(json!("body"));
            }
        }
    } else {
        for (name, schema) in operation.members() {
            properties.insert(name.to_owned(), schema.clone());
            if operation.requires(name) {
                required.push(json!(name));
            }
        }
    }
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::operations;

    fn tool(name: &str) -> Value {
        let operations = operations().unwrap();
        let found = operations.iter().find(|operation| operation.tool.as_deref() == Some(name));
        described(found.unwrap_or_else(|| panic!("{name}"))).unwrap()
    }

    #[test]
    fn a_tool_takes_path_query_and_body_as_one_object() {
        let retire = tool("certctl_retire_agent");
        let properties = retire["inputSchema"]["properties"].as_object().unwrap();
        assert!(["id", "force", "reason"].iter().all(|name| properties.contains_key(*name)), "{retire}");
        assert_eq!(retire["inputSchema"]["required"], json!(["id"]));
        assert_eq!(retire["annotations"]["destructiveHint"], true);
        let csr = tool("certctl_agent_submit_csr");
        let properties = csr["inputSchema"]["properties"].as_object().unwrap();
        assert!(["agent_id", "csr_pem", "certificate_id"].iter().all(|name| properties.contains_key(*name)), "{csr}");
        let create = tool("certctl_create_certificate");
        assert_eq!(create["annotations"]["destructiveHint"], false);
        assert_eq!(create["annotations"]["idempotentHint"], false);
        let list = tool("certctl_list_certificates");
        assert_eq!(list["annotations"]["readOnlyHint"], true);
        assert!(list["inputSchema"]["properties"]["status"]["enum"].is_array(), "{list}");
    }

    #[test]
    fn no_tool_refers_to_what_its_reader_does_not_have() {
        for operation in operations().unwrap() {
            if let Some(tool) = described(&operation) {
                assert!(!tool.to_string().contains("$ref"), "{tool}");
                for name in tool["inputSchema"]["required"].as_array().unwrap() {
                    assert!(tool["inputSchema"]["properties"].get(name.as_str().unwrap()).is_some(), "{tool}");
                }
            }
        }
    }
}
