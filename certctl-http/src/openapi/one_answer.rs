//! For generators that know one type of answer per operation, such as progenitor.

use serde_json::{Map, Value, json};

/// The same document with one type of success per operation, one media type per body, and one type of problem.
///
/// Of several successes the first with JSON stays, or the first with a body; of several media types JSON, or the first. A
/// problem that says more than others is described as all are. Problems are called `application/json`, because progenitor
/// reads no other JSON. A client meets statuses that it was not told of.
pub fn one_answer(mut document: Value) -> Value {
    let components = document.pointer_mut("/components/responses").and_then(Value::as_object_mut);
    components.into_iter().flatten().for_each(|(_, response)| as_every_problem(response));
    let paths = document.pointer_mut("/paths").and_then(Value::as_object_mut);
    for (_, item) in paths.into_iter().flatten() {
        for (_, operation) in item.as_object_mut().into_iter().flatten() {
            if let Some(content) = operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut) {
                one_media_type(content);
            }
            if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
                one_success(responses);
            }
        }
    }
    document
}

const JSON: &str = "application/json";

fn as_every_problem(response: &mut Value) {
    let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) else { return };
    if content.remove("application/problem+json").is_some() {
        content.insert(JSON.to_owned(), json!({ "schema": { "$ref": "#/components/schemas/ErrorResponse" } }));
    }
}

fn one_success(responses: &mut Map<String, Value>) {
    let successes: Vec<String> = responses.keys().filter(|status| status.starts_with('2')).cloned().collect();
    let with = |pointer: &str| {
        successes
            .iter()
            .find(|status| responses.get(*status).is_some_and(|response| response.pointer(pointer).is_some()))
            .cloned()
    };
    let kept = with("/content/application~1json").or_else(|| with("/content")).or_else(|| successes.first().cloned());
    responses.retain(|status, _| !status.starts_with('2') || Some(status) == kept.as_ref());
    for (_, response) in responses {
        if let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) {
            one_media_type(content);
        }
    }
}

fn one_media_type(content: &mut Map<String, Value>) {
    let kept = if content.contains_key(JSON) { Some(JSON.to_owned()) } else { content.keys().next().cloned() };
    content.retain(|media_type, _| Some(media_type) == kept.as_ref());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_stays() {
        let document = json!({
            "components": { "responses": { "Blocked": { "content": {
                "application/problem+json": { "schema": { "$ref": "#/components/schemas/Blocked" } } } } } },
            "paths": { "/a": { "get": {
                "requestBody": { "content": { "application/json": {}, "text/plain": {} } },
                "responses": { "200": { "content": { "text/plain": {}, "application/json": {} } }, "202": {}, "204": {},
                               "409": { "$ref": "#/components/responses/Blocked" } },
            } } },
        });
        let one = one_answer(document);
        let operation = &one["paths"]["/a"]["get"];
        assert_eq!(operation["requestBody"]["content"], json!({ "application/json": {} }));
        let expected = json!({ "200": { "content": { "application/json": {} } },
                               "409": { "$ref": "#/components/responses/Blocked" } });
        assert_eq!(operation["responses"], expected);
        let content = &one["components"]["responses"]["Blocked"]["content"];
        let expected = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/ErrorResponse" } } });
        assert_eq!(*content, expected);
    }
}
