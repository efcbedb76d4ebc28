//! Secrets within connector configuration, found by schema: redacted in answers, kept on update.

use serde_json::Value;

use crate::ports::Secret;

/// The configuration as answers show it: each secret is `********`, an absent one stays absent.
pub fn redact(schema: &Value, config: &Value) -> Value {
    let mut shown = config.clone();
    visit(schema, schema, &mut shown, &mut |secret| *secret = Value::from(Secret::REDACTED), 0);
    shown
}

/// The configuration to store when `update` replaces `stored`: a secret sent as `********` keeps the stored value.
pub fn keep_redacted(schema: &Value, stored: &Value, update: &Value) -> Value {
    let mut merged = update.clone();
    keep(schema, schema, stored, &mut merged, 0);
    merged
}

/// Schemas of connectors are shallow; a deeper one is not followed.
const DEPTH: usize = 16;

fn visit(root: &Value, schema: &Value, value: &mut Value, change: &mut dyn FnMut(&mut Value), depth: usize) {
    if depth > DEPTH || value.is_null() {
        return;
    }
    let schema = resolve(root, schema);
    if is_secret(schema) {
        change(value);
        return;
    }
    for branch in branches(schema) {
        visit(root, branch, value, change, depth + 1);
    }
    if let (Some(properties), Some(members)) =
        (schema.get("properties").and_then(Value::as_object), value.as_object_mut())
    {
        for (name, property) in properties {
            if let Some(member) = members.get_mut(name) {
                visit(root, property, member, change, depth + 1);
            }
        }
    }
    if let (Some(items), Some(elements)) = (schema.get("items"), value.as_array_mut()) {
        for element in elements {
            visit(root, items, element, change, depth + 1);
        }
    }
    if let (Some(additional @ Value::Object(_)), Some(members)) =
        (schema.get("additionalProperties"), value.as_object_mut())
    {
        members.values_mut().for_each(|member| visit(root, additional, member, change, depth + 1));
    }
}

fn keep(root: &Value, schema: &Value, stored: &Value, update: &mut Value, depth: usize) {
    if depth > DEPTH {
        return;
    }
    let schema = resolve(root, schema);
    if is_secret(schema) {
        if update.as_str() == Some(Secret::REDACTED) && !stored.is_null() {
            *update = stored.clone();
        }
        return;
    }
    for branch in branches(schema) {
        keep(root, branch, stored, update, depth + 1);
    }
    let Some(members) = update.as_object_mut() else { return };
    let properties = schema.get("properties").and_then(Value::as_object);
    let additional = schema.get("additionalProperties").filter(|additional| additional.is_object());
    for (name, member) in members {
        let property = properties.and_then(|properties| properties.get(name)).or(additional);
        if let (Some(property), Some(before)) = (property, stored.get(name)) {
            keep(root, property, before, member, depth + 1);
        }
    }
}

fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/$defs/")) else {
        return schema;
    };
    root.get("$defs").and_then(|defs| defs.get(name)).unwrap_or(schema)
}

fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|word| schema.get(word)?.as_array()).flatten()
}

fn is_secret(schema: &Value) -> bool {
    schema.get("writeOnly").and_then(Value::as_bool).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::JsonSchema;
    use serde_json::json;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Sample {
        url: String,
        secret: Option<Secret>,
        nested: Nested,
        headers: std::collections::BTreeMap<String, Secret>,
    }
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Nested {
        token: Secret,
    }

    fn schema() -> Value {
        schemars::schema_for!(Sample).to_value()
    }

    #[test]
    fn secrets_are_redacted_at_every_depth() {
        let config = json!({
            "url": "https://a.test", "secret": "s1", "nested": {"token": "s2"}, "headers": {"x-api-key": "s3"}
        });
        let shown = json!({
            "url": "https://a.test", "secret": "********", "nested": {"token": "********"},
            "headers": {"x-api-key": "********"}
        });
        assert_eq!(redact(&schema(), &config), shown);
    }

    #[test]
    fn a_redacted_secret_keeps_the_stored_value() {
        let stored = json!({
            "url": "https://a.test", "secret": "s1", "nested": {"token": "s2"}, "headers": {"a": "s3", "b": "s4"}
        });
        let update = json!({
            "url": "https://b.test", "secret": "********", "nested": {"token": "new"},
            "headers": {"a": "********", "c": "s5"}
        });
        let merged = json!({
            "url": "https://b.test", "secret": "s1", "nested": {"token": "new"}, "headers": {"a": "s3", "c": "s5"}
        });
        assert_eq!(keep_redacted(&schema(), &stored, &update), merged);
    }
}
