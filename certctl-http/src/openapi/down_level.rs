//! From OpenAPI 3.1 to 3.0.3, mechanically: several generators read nothing newer.

use serde_json::{Map, Value, json};

/// The same document in OpenAPI 3.0.3.
///
/// What changes: `type` with several values, `null` among them, becomes `nullable`; `const` becomes a one-value `enum`;
/// `examples` of schemas becomes `example`; numeric exclusive bounds become flags; keywords beside a `$ref` move into an
/// `allOf`. What 3.0 cannot say (webhooks, the SPDX identifier of a license, `contentMediaType`, `patternProperties`,
/// `$schema`…) is left out.
pub fn down_level(mut document: Value) -> Value {
    if let Some(root) = document.as_object_mut() {
        root.insert("openapi".into(), json!("3.0.3"));
        for newer in ["webhooks", "jsonSchemaDialect"] {
            root.remove(newer);
        }
    }
    if let Some(info) = document.pointer_mut("/info").and_then(Value::as_object_mut) {
        info.remove("summary");
        if let Some(license) = info.get_mut("license").and_then(Value::as_object_mut) {
            license.remove("identifier");
        }
    }
    if let Some(components) = document.pointer_mut("/components").and_then(Value::as_object_mut) {
        components.remove("pathItems");
    }
    everywhere(&mut document);
    document
}

/// Finds the schemas: each value of `schemas`, and each value of `schema` wherever it is, but nothing inside examples.
fn everywhere(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match name.as_str() {
                    "schema" => schema(member),
                    "schemas" => each(member),
                    "example" | "examples" => {}
                    name if name.starts_with("x-") => {}
                    _ => everywhere(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(everywhere),
        _ => {}
    }
}

fn each(schemas: &mut Value) {
    if let Some(schemas) = schemas.as_object_mut() {
        schemas.values_mut().for_each(schema);
    }
}

fn schema(value: &mut Value) {
    // JSON Schema has `true` and `false`; 3.0 has neither.
    if let Value::Bool(allowed) = value {
        *value = if *allowed { json!({}) } else { json!({ "not": {} }) };
    }
    let Value::Object(members) = value else { return };
    for name in ["properties", "definitions"] {
        members.get_mut(name).into_iter().for_each(each);
    }
    for name in ["items", "not"] {
        members.get_mut(name).into_iter().for_each(schema);
    }
    if let Some(more) = members.get_mut("additionalProperties").filter(|more| more.is_object()) {
        schema(more);
    }
    for name in ["allOf", "oneOf", "anyOf"] {
        members.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten().for_each(schema);
    }
    nullable(members);
    bounds(members);
    if let Some(only) = members.remove("const") {
        members.insert("enum".into(), json!([only]));
    }
    if let Some(Value::Array(examples)) = members.remove("examples")
        && let Some(first) = examples.into_iter().next()
    {
        members.insert("example".into(), first);
    }
    for newer in NEWER {
        members.remove(*newer);
    }
    beside_reference(members);
}

/// Keywords of JSON Schema 2020-12 that OpenAPI 3.0 does not have. Without them a schema says less, never more.
const NEWER: &[&str] = &[
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

fn nullable(members: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = members.get("type") {
        let (null, named): (Vec<_>, Vec<_>) = types.iter().cloned().partition(|name| name == "null");
        let null = !null.is_empty();
        members.remove("type");
        match <[Value; 1]>::try_from(named) {
            Ok([one]) => drop(members.insert("type".into(), one)),
            Err(several) if several.is_empty() => {}
            // A list of types is an anyOf of each.
            Err(several) => {
                let each = several.into_iter().map(|name| json!({ "type": name })).collect();
                members.insert("anyOf".into(), Value::Array(each));
            }
        }
        if null {
            members.insert("nullable".into(), json!(true));
        }
    }
    for name in ["oneOf", "anyOf"] {
        let Some(Value::Array(choices)) = members.get_mut(name) else { continue };
        let before = choices.len();
        choices.retain(|choice| choice.get("type") != Some(&json!("null")));
        if choices.len() == before {
            continue;
        }
        if let [one] = choices.as_slice() {
            let one = one.clone();
            members.remove(name);
            members.insert("allOf".into(), json!([one]));
        }
        members.insert("nullable".into(), json!(true));
    }
}

fn bounds(members: &mut Map<String, Value>) {
    for (exclusive, plain) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if members.get(exclusive).is_some_and(Value::is_number)
            && let Some(bound) = members.insert(exclusive.into(), json!(true))
        {
            members.insert(plain.into(), bound);
        }
    }
}

/// OpenAPI 3.0 ignores whatever stands beside a `$ref`.
fn beside_reference(members: &mut Map<String, Value>) {
    if members.len() > 1
        && let Some(reference) = members.remove("$ref")
    {
        members.insert("allOf".into(), json!([{ "$ref": reference }]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lowered(schema: Value) -> Value {
        let document = json!({ "openapi": "3.1.0", "components": { "schemas": { "S": schema } } });
        down_level(document).pointer("/components/schemas/S").cloned().unwrap_or_default()
    }

    #[test]
    fn null_becomes_nullable() {
        assert_eq!(lowered(json!({ "type": ["string", "null"] })), json!({ "type": "string", "nullable": true }));
        let choice = json!({ "oneOf": [{ "type": "null" }, { "$ref": "#/x" }], "description": "d" });
        assert_eq!(lowered(choice), json!({ "allOf": [{ "$ref": "#/x" }], "nullable": true, "description": "d" }));
        let several = json!({ "type": ["string", "integer", "null"] });
        assert_eq!(
            lowered(several),
            json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }], "nullable": true })
        );
    }

    #[test]
    fn references_keep_what_stands_beside_them() {
        let described = json!({ "properties": { "a": { "$ref": "#/x", "description": "d" } } });
        let expected = json!({ "properties": { "a": { "allOf": [{ "$ref": "#/x" }], "description": "d" } } });
        assert_eq!(lowered(described), expected);
        assert_eq!(lowered(json!({ "$ref": "#/x" })), json!({ "$ref": "#/x" }));
    }

    #[test]
    fn newer_keywords_are_replaced_or_left_out() {
        assert_eq!(lowered(json!({ "const": "a" })), json!({ "enum": ["a"] }));
        assert_eq!(lowered(json!({ "examples": ["a", "b"] })), json!({ "example": "a" }));
        assert_eq!(lowered(json!({ "exclusiveMinimum": 3 })), json!({ "exclusiveMinimum": true, "minimum": 3 }));
        assert_eq!(lowered(json!({ "type": "object", "propertyNames": {} })), json!({ "type": "object" }));
        assert_eq!(lowered(json!({ "items": { "type": ["null", "boolean"] } }))["items"]["nullable"], json!(true));
    }

    #[test]
    fn a_property_called_schema_or_examples_is_no_keyword() {
        let named =
            json!({ "properties": { "examples": { "type": ["string", "null"] }, "const": { "type": "string" } } });
        let lowered = lowered(named);
        assert_eq!(lowered.pointer("/properties/examples/nullable"), Some(&json!(true)));
        assert_eq!(lowered.pointer("/properties/const/type"), Some(&json!("string")));
    }
}
