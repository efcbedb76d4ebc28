//! What a client is answered, whatever carries it.

use std::time::Duration;

use serde_json::Value;

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Where what was made or found is.
    pub location: Option<String>,
    /// What it belongs to. Every answer also links to its directory.
    pub links: Vec<Link>,
    /// When to ask again.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Body,
}

/// A link to another resource (RFC 8288).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it is to this one.
    pub relation: &'static str,
    /// Where it is.
    pub url: String,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// None.
    Empty,
    /// A JSON object.
    Json(Value),
    /// Certificates (RFC 8555 §9.1).
    Pem(String),
}

impl Answer {
    /// A JSON object, 200.
    pub(super) fn json(body: Value) -> Self {
        Self { status: 200, location: None, links: Vec::new(), retry_after: None, body: Body::Json(body) }
    }

    pub(super) fn empty() -> Self {
        Self { body: Body::Empty, ..Self::json(Value::Null) }
    }

    pub(super) fn created(self, location: String) -> Self {
        Self { status: 201, ..self.at(location) }
    }

    pub(super) fn at(self, location: String) -> Self {
        Self { location: Some(location), ..self }
    }

    pub(super) fn up(mut self, url: String) -> Self {
        self.links.push(Link { relation: "up", url });
        self
    }

    pub(super) fn after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }
}
