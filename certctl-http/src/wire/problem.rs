//! Errors on the wire: problem details (RFC 9457) with the members that older clients read.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::AgentDependencyCounts;
use super::names::reference;

/// What went wrong (RFC 9457 §3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ErrorResponse)]
pub struct Problem {
    /// Always `about:blank`: the status says what kind of problem it is, and `code` says more.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The reason phrase of the status.
    pub title: Cow<'static, str>,
    /// The status code.
    pub status: u16,
    /// What went wrong and how to mend it, for people.
    pub detail: String,
    /// A stable word for programs. New ones may be added.
    pub code: Cow<'static, str>,
    /// The members of the request that are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// The same as `title`, or a stable word where the contract has one.
    pub error: Cow<'static, str>,
    /// The same as `detail`.
    pub message: String,
    /// The request, as the server's log names it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    /// What stands in the way of a retirement; see [`BlockedByDependencies`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub counts: Option<AgentDependencyCounts>,
}

/// The problem of an agent that is not retired, because something depends on it: a [`Problem`] whose `error` is
/// `blocked_by_dependencies`, with `counts`. This type is its name in the OpenAPI document.
#[derive(Clone, Copy, Debug)]
pub struct BlockedByDependencies;

impl BlockedByDependencies {
    /// What `error` and `code` say.
    pub const CODE: &'static str = "blocked_by_dependencies";
}

impl PartialSchema for BlockedByDependencies {
    fn schema() -> RefOr<Schema> {
        let counts = ObjectBuilder::new().property("counts", reference::<AgentDependencyCounts>());
        AllOfBuilder::new()
            .item(reference::<Problem>())
            .item(counts)
            .description(Some(
                "Something depends on the agent; `counts` says how much, and `error` is `blocked_by_dependencies`",
            ))
            .into()
    }
}

impl ToSchema for BlockedByDependencies {
    fn name() -> Cow<'static, str> {
        "BlockedByDependenciesResponse".into()
    }
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((AgentDependencyCounts::name().into(), AgentDependencyCounts::schema()));
    }
}

/// One member of a request that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// Where it is: a JSON pointer (RFC 6901) into the body, or `/` and the name of a query parameter.
    pub pointer: String,
    /// A stable word for programs.
    pub code: String,
    /// What is wrong with it, for people.
    pub detail: String,
}
