//! The document that the routes make: what every operation has in common is added here, mechanically.

use certctl_core::ops::Access;
use serde_json::Value;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ComponentsBuilder, Schema};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required,
};
use utoipa::{PartialSchema, ToResponse, ToSchema};

use super::preconditions::{self, Kind};
use super::tools::name_tool;
use super::webhooks::webhooks;
use crate::problem::PROBLEM_JSON;
use crate::public;
use crate::v1::{self, Errors, RouteAccess, TABLE};
use crate::wire;

const KEY: &str = "bearerAuth";

/// The OpenAPI 3.1 document of the routes, and of what the server calls itself.
pub fn document() -> Value {
    let mut document = serde_json::to_value(of_routes()).unwrap_or_default();
    if let Some(members) = document.as_object_mut() {
        members.insert("webhooks".to_owned(), webhooks());
    }
    document
}

fn of_routes() -> OpenApi {
    let (_, mut document) = v1::routes().merge(public::routes()).split_for_parts();
    for (path, item) in &mut document.paths.paths {
        let operations = [
            (Kind::Read, &mut item.get),
            (Kind::Change, &mut item.put),
            (Kind::Post, &mut item.post),
            (Kind::Change, &mut item.delete),
        ];
        for (kind, operation) in operations {
            let Some(operation) = operation else { continue };
            let id = operation.operation_id.clone().unwrap_or_default();
            if let Some(route) = TABLE.iter().find(|route| route.operation_id == id) {
                complete(operation, route);
            }
            preconditions::add(path, kind, operation);
            name_tool(path, operation);
        }
    }
    document
}

/// What the document says before any route.
pub(crate) fn base() -> OpenApi {
    let license = LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("certctl")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Issues, deploys, verifies and renews TLS certificates. Errors are problem documents (RFC 9457). Unknown \
             members of request bodies are ignored. Times are RFC 3339, UTC.",
        ))
        .license(Some(license));
    let key = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key, or an agent's credential"))
        .build();
    let components = PROBLEMS
        .iter()
        .fold(ComponentsBuilder::new(), |components, (_, name, text)| components.response(*name, problem(text)))
        .response(BLOCKED, blocked())
        .security_scheme(KEY, SecurityScheme::Http(key))
        .schema_from::<wire::Problem>()
        .schema_from::<wire::FieldProblem>()
        .schema_from::<wire::BlockedByDependencies>()
        .schema_from::<wire::WebhookNotice>();
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components.build()))
        .security(Some([SecurityRequirement::new(KEY, Vec::<String>::new())]))
        .tags(Some(TAGS.iter().map(|(name, text)| TagBuilder::new().name(*name).description(Some(*text)).build())))
        .build()
}

/// The statuses of problems, the names of their responses, and what they mean.
const PROBLEMS: &[(u16, &str, &str)] = &[
    (400, "BadRequest", "The request is wrong; `errors` says where"),
    (401, "Unauthorized", "No key was sent, or it is not valid"),
    (403, "Forbidden", "The key's role may not do this"),
    (404, "NotFound", "There is no such thing, or none that the key may see"),
    (408, "RequestTimeout", "The body did not arrive in time"),
    (409, "Conflict", "The state of things forbids it"),
    (410, "Gone", "It was, and will not be again"),
    (412, "PreconditionFailed", "The object is not what `If-Match` says; read it again"),
    (413, "PayloadTooLarge", "The body is too long"),
    (422, "UnprocessableEntity", "The request is right, but a policy rule or somebody else refused it"),
    (429, "TooManyRequests", "Too many calls in too short a time; `Retry-After` says when to try again"),
    (500, "InternalServerError", "The server failed; its log has the cause"),
    (503, "ServiceUnavailable", "The server cannot work now; `Retry-After` says when to try again"),
];

/// What statuses mean where errors are lines of text.
const LINES: &[(u16, &str)] = &[
    (400, "The request cannot be read, or asks for what is not granted"),
    (401, "The password is missing or wrong"),
    (403, "Whoever asks may not have this"),
    (404, "There is no such server or operation"),
    (408, "The body did not arrive in time"),
    (409, "The state of things forbids it"),
    (413, "The body is too long"),
    (415, "The body has another media type than this operation takes"),
    (426, "TLS 1.3 is needed"),
    (429, "Too many calls in too short a time; `Retry-After` says when to try again"),
    (500, "The server failed; its log has the cause"),
    (501, "The server is not made for this; the text says why"),
    (503, "The server cannot work now; `Retry-After` says when to try again"),
];

const TAGS: &[(&str, &str)] = &[
    ("ACME Server", "Machines that obtain certificates by ACME"),
    ("Agent Groups", "Agents by what they are, and by name"),
    ("API Keys", "What people and programs show to prove who they are"),
    ("Agents", "Programs on hosts that hold keys and deploy certificates"),
    ("Audit", "Who did what to what, when"),
    ("Certificates", "Certificates that are kept alive"),
    ("CRL & OCSP", "What relying parties ask of a CA"),
    ("Discovery", "Certificates that were found on disks, in networks and in clouds"),
    ("Digest", "How things stand, in one message"),
    ("EST", "Machines that enrol and renew by EST (RFC 7030); nobody's key is needed"),
    ("Events", "What happens, as it happens"),
    ("Health", "The server itself, and who is asking"),
    ("Health Monitoring", "Endpoints that are looked at, and what they serve"),
    ("Issuers", "Who issues certificates"),
    ("Jobs", "Durable work"),
    ("Metrics", "The server and its store in numbers, for monitoring"),
    ("Network Scan", "Networks that the server searches for certificates"),
    ("Notifications", "What was told to whom, and what could not be"),
    ("Owners", "Who answers for certificates"),
    ("Policies", "What an organisation asks of certificates, and which do not keep to it"),
    ("Profiles", "What certificates must look like"),
    ("Renewal Policies", "When certificates are renewed"),
    ("SCEP", "Devices that ask for certificates by SCEP (RFC 8894), which needs no key"),
    ("Stats", "How many there are of what, now and over time"),
    ("Targets", "Where certificates are deployed"),
    ("Teams", "Whose owners they are"),
    ("Verification", "Whether what was deployed is served"),
];

/// The name of the response of an agent that is not retired because something depends on it.
const BLOCKED: &str = "BlockedByDependencies";

impl<'r> ToResponse<'r> for wire::BlockedByDependencies {
    fn response() -> (&'r str, RefOr<Response>) {
        (BLOCKED, blocked().into())
    }
}

fn blocked() -> Response {
    let text = "Something depends on the agent; `counts` says how much. Or it was changed at the same moment";
    problem_of::<wire::BlockedByDependencies>(text)
}

fn problem(text: &str) -> Response {
    problem_of::<wire::Problem>(text)
}

fn problem_of<T: ToSchema>(text: &str) -> Response {
    let schema = Ref::from_schema_name(T::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(text).content(PROBLEM_JSON, content).build()
}

/// How a status is answered.
fn failure(errors: Errors, status: u16) -> RefOr<Response> {
    if errors == Errors::Lines {
        let text = LINES.iter().find(|line| line.0 == status).map_or("", |line| line.1);
        let content = ContentBuilder::new().schema(Some(<String as PartialSchema>::schema())).build();
        return RefOr::T(ResponseBuilder::new().description(text).content("text/plain", content).build());
    }
    let name = PROBLEMS.iter().find(|problem| problem.0 == status).map_or("", |problem| problem.1);
    RefOr::Ref(Ref::from_response_name(name))
}

fn complete(operation: &mut Operation, route: &RouteAccess) {
    let parameters = || {
        operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter.parameter_in.clone()),
            RefOr::Ref(_) => None,
        })
    };
    let mut statuses = vec![429, 500, 503];
    if route.errors == Errors::Own {
        // What the operation says of a status is right; of others it is never asked.
        let own = |status: &u16| operation.responses.responses.contains_key(&status.to_string());
        statuses.retain(|status| !own(status));
    } else if parameters().any(|place| matches!(place, ParameterIn::Path)) {
        statuses.extend([400, 404]);
    }
    if route.errors != Errors::Own && parameters().any(|place| matches!(place, ParameterIn::Query)) {
        statuses.push(400);
    }
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        name_optional(body);
        statuses.extend([400, 408, 413]);
    }
    if route.access.is_some() {
        statuses.extend([401, 403]);
    }
    statuses.extend(route.problems);
    let mut responses = std::mem::take(&mut operation.responses.responses);
    for status in statuses {
        // A protocol with errors of its own has said how it answers.
        responses.entry(status.to_string()).or_insert_with(|| failure(route.errors, status));
    }
    for response in responses.values_mut() {
        if let RefOr::T(response) = response {
            response.headers.insert(
                "X-Request-ID".into(),
                RefOr::T(HeaderBuilder::new().description(Some("The request, as the server's log names it")).build()),
            );
        }
    }
    operation.responses.responses = responses;
    match route.access {
        None => operation.security = Some(Vec::new()),
        Some(access) => {
            operation.extensions = Some(Extensions::builder().add("x-roles", roles(access)).build());
        }
    }
}

/// An optional body is one that is not required, rather than one that is null: generators make better types of it.
fn name_optional(body: &mut RequestBody) {
    for content in body.content.values_mut() {
        let RefOr::T(content) = content else { continue };
        let Some(RefOr::T(Schema::OneOf(choice))) = &content.schema else { continue };
        let named = choice.items.iter().find(|item| matches!(item, RefOr::Ref(_))).cloned();
        content.schema = named.or(content.schema.take());
        body.required = Some(Required::False);
    }
}

fn roles(Access(roles): Access) -> Value {
    roles.iter().map(|role| role.name()).collect()
}
