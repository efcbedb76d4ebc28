//! Reading the operations out of the document.

use certctl_core::ports::Method;
use serde_json::{Map, Value};

use super::schema::{followed, resolved};
use super::{Body, Operation, Parameter, ParameterPlace};

/// Every operation of the document that this program serves, in the order of their paths.
///
/// # Errors
/// When the document is no JSON.
pub(crate) fn operations() -> Result<Vec<Operation>, serde_json::Error> {
    Ok(operations_of(&serde_json::from_str(certctl_http::openapi::COMMITTED)?))
}

/// Every operation of a document.
pub(super) fn operations_of(document: &Value) -> Vec<Operation> {
    let paths = document.get("paths").and_then(Value::as_object);
    let mut operations = Vec::new();
    for (path, item) in paths.into_iter().flatten() {
        for (verb, operation) in item.as_object().into_iter().flatten() {
            if let Some(method) = method(verb) {
                operations.push(operation_of(document, path, method, operation));
            }
        }
    }
    operations
}

fn method(verb: &str) -> Option<Method> {
    Some(match verb {
        "get" => Method::Get,
        "head" => Method::Head,
        "post" => Method::Post,
        "put" => Method::Put,
        "patch" => Method::Patch,
        "delete" => Method::Delete,
        _ => return None,
    })
}

fn operation_of(document: &Value, path: &str, method: Method, operation: &Value) -> Operation {
    let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let renamed = operation.get("x-mcp-arguments");
    Operation {
        id: text(operation, "operationId"),
        method,
        path: path.to_owned(),
        tag: tag(document, operation),
        summary: text(operation, "summary"),
        description: text(operation, "description"),
        parameters: parameters.filter_map(|parameter| parameter_of(document, parameter, renamed)).collect(),
        body: body(document, operation),
        lists: contents(document, operation).any(|content| is_list(document, content)),
        media_types: contents(document, operation)
            .next()
            .into_iter()
            .flat_map(|content| content.keys().cloned())
            .collect(),
        tool: operation.get("x-mcp-tool").and_then(Value::as_str).map(str::to_owned),
    }
}

fn parameter_of(document: &Value, parameter: &Value, renamed: Option<&Value>) -> Option<Parameter> {
    let parameter = followed(document, parameter);
    let place = match parameter.get("in").and_then(Value::as_str)? {
        "path" => ParameterPlace::Path,
        "query" => ParameterPlace::Query,
        "header" => ParameterPlace::Header,
        _ => return None,
    };
    let name = text(parameter, "name");
    let argument = match renamed.and_then(|renamed| renamed.get(&name)).and_then(Value::as_str) {
        Some(argument) => argument.to_owned(),
        None if place == ParameterPlace::Header => name.to_ascii_lowercase().replace('-', "_"),
        None => name.clone(),
    };
    Some(Parameter {
        argument,
        place,
        required: parameter.get("required").and_then(Value::as_bool).unwrap_or(false),
        description: text(parameter, "description"),
        schema: resolved(document, parameter.get("schema").unwrap_or(&Value::Null)),
        name,
    })
}

fn body(document: &Value, operation: &Value) -> Option<Body> {
    let body = followed(document, operation.get("requestBody")?);
    let content = body.get("content")?.as_object()?;
    let (media_type, described) = content.get_key_value("application/json").or_else(|| content.iter().next())?;
    Some(Body {
        media_type: media_type.clone(),
        required: body.get("required").and_then(Value::as_bool).unwrap_or(false),
        schema: resolved(document, described.get("schema").unwrap_or(&Value::Null)),
    })
}

/// What it answers when all goes well, by media type.
fn contents<'a>(document: &'a Value, operation: &'a Value) -> impl Iterator<Item = &'a Map<String, Value>> {
    let responses = operation.get("responses").and_then(Value::as_object);
    let successes = responses.into_iter().flatten().filter(|(status, _)| status.starts_with('2'));
    let contents = successes.filter_map(|(_, response)| followed(document, response).get("content")?.as_object());
    contents.filter(|content| !content.is_empty())
}

/// Whether it is a page or a bare array.
fn is_list(document: &Value, content: &Map<String, Value>) -> bool {
    let schema = content.get("application/json").and_then(|json| json.get("schema"));
    let schema = schema.map(|schema| resolved(document, schema)).unwrap_or_default();
    schema.get("type").is_some_and(|name| name == "array") || schema.pointer("/properties/data").is_some()
}

/// What the operation's tag is about.
fn tag(document: &Value, operation: &Value) -> String {
    let name = operation.pointer("/tags/0").and_then(Value::as_str).unwrap_or_default();
    let mut tags = document.get("tags").and_then(Value::as_array).into_iter().flatten();
    let described = tags.find(|tag| tag.get("name").is_some_and(|tag| tag == name));
    described.map(|tag| text(tag, "description")).filter(|text| !text.is_empty()).unwrap_or_else(|| name.to_owned())
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
