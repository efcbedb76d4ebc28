//! Schemas without references.

use serde_json::{Map, Value};

/// How deep references are followed. A schema that refers to itself ends there, as one that allows everything.
const DEEPEST: usize = 12;

/// What a reference leads to, or the value itself.
pub(super) fn followed<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let mut value = value;
    for _ in 0..DEEPEST {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { break };
        let Some(found) = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer)) else { break };
        value = found;
    }
    value
}

/// A schema with what it refers to in place of its references; what stands beside a reference wins.
pub(super) fn resolved(document: &Value, schema: &Value) -> Value {
    merged(inline(document, schema, 0))
}

fn inline(document: &Value, schema: &Value, depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::Object(Map::new());
    }
    match schema {
        Value::Object(members) => {
            let mut all = match members.get("$ref") {
                Some(_) => match inline(document, followed(document, schema), depth + 1) {
                    Value::Object(found) => found,
                    _ => Map::new(),
                },
                None => Map::new(),
            };
            for (name, member) in members.iter().filter(|(name, _)| *name != "$ref") {
                all.insert(name.clone(), inline(document, member, depth + 1));
            }
            Value::Object(all)
        }
        Value::Array(items) => items.iter().map(|item| inline(document, item, depth + 1)).collect(),
        other => other.clone(),
    }
}

/// With the properties of its `allOf` beside its own.
fn merged(mut schema: Value) -> Value {
    let Some(members) = schema.as_object_mut() else { return schema };
    let Some(Value::Array(parts)) = members.remove("allOf") else { return schema };
    for part in parts.into_iter().map(merged) {
        let Value::Object(part) = part else { continue };
        for (name, value) in part {
            match (members.get_mut(&name), value) {
                (Some(Value::Object(own)), Value::Object(more)) => own.extend(more),
                (Some(Value::Array(own)), Value::Array(more)) => own.extend(more),
                (Some(_), _) => {}
                (None, value) => drop(members.insert(name, value)),
            }
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_replaced_and_circles_end() {
        let document = json!({ "components": { "schemas": {
            "Leaf": { "type": "string", "description": "a leaf" },
            "Tree": { "properties": { "leaf": { "$ref": "#/components/schemas/Leaf", "description": "this leaf" },
                                      "left": { "$ref": "#/components/schemas/Tree" } } },
            "Loop": { "$ref": "#/components/schemas/Loop" },
        }}});
        let tree = resolved(&document, &json!({ "$ref": "#/components/schemas/Tree" }));
        assert_eq!(tree["properties"]["leaf"], json!({ "type": "string", "description": "this leaf" }));
        assert!(tree["properties"]["left"]["properties"]["leaf"].is_object());
        assert!(!tree.to_string().contains("$ref"));
        assert_eq!(resolved(&document, &json!({ "$ref": "#/components/schemas/Loop" })), json!({}));
        assert_eq!(resolved(&document, &json!({ "$ref": "#/nowhere" })), json!({}));
    }

    #[test]
    fn the_parts_of_a_whole_lie_side_by_side() {
        let parts = json!({ "allOf": [
            { "properties": { "a": { "type": "string" } }, "required": ["a"] },
            { "properties": { "b": { "type": "integer" } }, "required": ["b"] },
        ]});
        let whole = resolved(&json!({}), &parts);
        assert_eq!(whole["required"], json!(["a", "b"]));
        assert!(whole["properties"]["a"].is_object() && whole["properties"]["b"].is_object());
    }
}
