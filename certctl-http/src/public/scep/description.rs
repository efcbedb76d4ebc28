//! How the answers are described in the OpenAPI document: alike for the profile `default` and the others.

use std::collections::BTreeMap;

use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use super::{CA_CERTIFICATE, CA_RA_CERTIFICATES, MESSAGE};
use crate::wire::Octets;

/// What is answered to GET.
pub(super) enum ToGet {}

/// What is answered to POST.
pub(super) enum ToPost {}

const TEXT: &str = "text/plain";

/// What is answered in lines of text.
const LINES: [(u16, &str); 7] = [
    (202, "Somebody has to approve first (lightweight form)"),
    (400, "The request cannot be read, or is refused (lightweight form)"),
    (403, "The challenge password is missing or wrong (lightweight form)"),
    (404, "There is no such profile"),
    (429, "Too many requests, or too many wrong challenge passwords"),
    (500, "The server failed"),
    (503, "The server cannot work now"),
];

type Responses = BTreeMap<String, RefOr<Response>>;

impl IntoResponses for ToGet {
    fn responses() -> Responses {
        let text = "The capabilities, the certificates, or the answer to the message";
        all((200, text), &[TEXT, CA_CERTIFICATE, CA_RA_CERTIFICATES, MESSAGE])
    }
}

impl IntoResponses for ToPost {
    fn responses() -> Responses {
        let mut responses = all((200, "The answer to the message"), &[MESSAGE]);
        responses.extend([
            one((408, "The body did not arrive in time"), &[TEXT]),
            one((413, "The body is too long"), &[TEXT]),
        ]);
        responses
    }
}

/// A success in these media types, and all lines of text.
fn all(success: (u16, &str), media_types: &[&str]) -> Responses {
    let lines = LINES.into_iter().map(|line| one(line, &[TEXT]));
    std::iter::once(one(success, media_types)).chain(lines).collect()
}

fn one((status, text): (u16, &str), media_types: &[&str]) -> (String, RefOr<Response>) {
    let response = media_types.iter().fold(ResponseBuilder::new().description(text), |response, media_type| {
        let schema = if *media_type == TEXT {
            <String as PartialSchema>::schema()
        } else {
            RefOr::Ref(Ref::from_schema_name(Octets::name()))
        };
        response.content(*media_type, ContentBuilder::new().schema(Some(schema)).build())
    });
    (status.to_string(), RefOr::T(response.build()))
}
