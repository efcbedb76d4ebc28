//! The headers that make a call conditional or repeatable, which many operations take alike.

use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{HeaderBuilder, Ref, RefOr, Required, ResponseBuilder};

/// Which of them an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reads one object.
    Read,
    /// Changes or deletes one object.
    Change,
    /// Does something.
    Post,
}

/// Operations that take none of them, though others like them do.
const WITHOUT: &[&str] = &["retireAgent", "bootstrapAuth", "scepPost", "scepProfilePost"];

/// What they make has no version.
const UNTAGGED: &[&str] = &["createEnrolToken", "createScepChallenge"];

/// Adds them, and what may be answered because of them.
pub(super) fn add(path: &str, kind: Kind, operation: &mut Operation) {
    let id = operation.operation_id.clone().unwrap_or_default();
    let one = path.ends_with("/{id}");
    if WITHOUT.contains(&id.as_str()) || (kind != Kind::Post && !one) {
        return;
    }
    match kind {
        Kind::Read => {
            parameter(
                operation,
                "If-None-Match",
                "The ETag of what the client has; if it is still that, the answer is 304",
            );
            tag(operation, "200");
            let unchanged = ResponseBuilder::new().description("The client has it already").build();
            operation.responses.responses.insert("304".into(), RefOr::T(unchanged));
        }
        Kind::Change => {
            parameter(
                operation,
                "If-Match",
                "The ETag of what the client has seen; if it is not that any more, the answer is 412",
            );
            tag(operation, "200");
            problems(operation, &[("400", "BadRequest"), ("412", "PreconditionFailed")]);
        }
        Kind::Post => {
            let text = "The client's name for this call, such as a UUID. Sent again with the same request within 24 hours, \
                        it gives the first answer, with the header `Idempotency-Replayed`";
            parameter(operation, "Idempotency-Key", text);
            if !UNTAGGED.contains(&id.as_str()) {
                tag(operation, "201");
            }
            let each =
                [("400", "BadRequest"), ("408", "RequestTimeout"), ("409", "Conflict"), ("413", "PayloadTooLarge")];
            problems(operation, &each);
        }
    }
}

fn parameter(operation: &mut Operation, name: &str, text: &str) {
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(text))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter.build()));
}

fn tag(operation: &mut Operation, status: &str) {
    if let Some(RefOr::T(response)) = operation.responses.responses.get_mut(status) {
        let text = "The stored version, as a strong entity tag (RFC 9110 §8.8.3)";
        response.headers.insert("ETag".into(), RefOr::T(HeaderBuilder::new().description(Some(text)).build()));
    }
}

fn problems(operation: &mut Operation, problems: &[(&str, &str)]) {
    for (status, name) in problems {
        let response = RefOr::Ref(Ref::from_response_name(*name));
        operation.responses.responses.entry((*status).to_owned()).or_insert(response);
    }
}
