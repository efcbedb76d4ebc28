//! The operations of the API, read from its OpenAPI document: what the command line and the tools for assistants are made of.

mod document;
mod request;
mod schema;

use certctl_core::ports::Method;
use serde_json::Value;

pub(crate) use document::operations;
pub(crate) use request::{Arguments, BODY};

/// One operation.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// Its id in the document, such as `listAgents`.
    pub(crate) id: String,
    pub(crate) method: Method,
    /// Its path, such as `/api/v1/agents/{id}`.
    pub(crate) path: String,
    /// What its tag is about.
    pub(crate) tag: String,
    /// One line.
    pub(crate) summary: String,
    /// More than one line, or nothing.
    pub(crate) description: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    /// Whether it answers a list.
    pub(crate) lists: bool,
    /// The media types of what it answers when all goes well.
    pub(crate) media_types: Vec<String>,
    /// Its tool for assistants.
    pub(crate) tool: Option<String>,
}

/// A parameter in path, query or headers.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    /// Its name on the wire.
    pub(crate) name: String,
    /// The argument of a tool that gives it.
    pub(crate) argument: String,
    pub(crate) place: ParameterPlace,
    pub(crate) required: bool,
    pub(crate) description: String,
    /// Without references.
    pub(crate) schema: Value,
}

/// Where a parameter travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParameterPlace {
    Path,
    Query,
    Header,
}

/// What an operation reads.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) media_type: String,
    pub(crate) required: bool,
    /// Without references.
    pub(crate) schema: Value,
}

impl Operation {
    pub(crate) fn parameters_in(&self, place: ParameterPlace) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(move |parameter| parameter.place == place)
    }

    /// The members of its body that are given one by one: those that no parameter has the name of.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &Value)> {
        let properties = self.body.as_ref().and_then(|body| body.schema.get("properties")).and_then(Value::as_object);
        let members = properties.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema));
        members.filter(|(name, _)| !self.parameters.iter().any(|parameter| parameter.argument == *name))
    }

    /// Whether the body must have this member.
    pub(crate) fn requires(&self, member: &str) -> bool {
        let required = self.body.as_ref().and_then(|body| body.schema.get("required")).and_then(Value::as_array);
        required.is_some_and(|names| names.iter().any(|name| name == member))
    }

    /// Whether it only reads.
    pub(crate) fn is_reading(&self) -> bool {
        matches!(self.method, Method::Get | Method::Head)
    }
}
