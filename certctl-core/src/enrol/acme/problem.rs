//! How the server refuses (RFC 8555 §6.7).

use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::AcmeIdentifier;
use crate::error::{Error, ErrorKind, Retry};
use crate::text_enum;

text_enum! {
    /// The types of problems, each `urn:ietf:params:acme:error:` and this (RFC 8555 §6.7, RFC 9773 §7.4).
    pub enum ProblemType {
        /// There is no account with this key.
        AccountDoesNotExist = "accountDoesNotExist",
        /// The certificate is replaced by another order already.
        AlreadyReplaced = "alreadyReplaced",
        /// The certificate is revoked already.
        AlreadyRevoked = "alreadyRevoked",
        /// The request for a certificate cannot be used.
        BadCsr = "badCSR",
        /// The nonce is none of ours, too old, or was used.
        BadNonce = "badNonce",
        /// The key cannot be used.
        BadPublicKey = "badPublicKey",
        /// No such reason of revocation, or none that clients may give.
        BadRevocationReason = "badRevocationReason",
        /// The algorithm of the signature is none that is accepted.
        BadSignatureAlgorithm = "badSignatureAlgorithm",
        /// CAA records forbid it (RFC 8659).
        Caa = "caa",
        /// The client's server could not be reached.
        Connection = "connection",
        /// The DNS did not answer.
        Dns = "dns",
        /// An account needs a credential here.
        ExternalAccountRequired = "externalAccountRequired",
        /// What was found is not what was asked for.
        IncorrectResponse = "incorrectResponse",
        /// A contact is no address.
        InvalidContact = "invalidContact",
        /// The request is wrong.
        Malformed = "malformed",
        /// The order is not ready to be finalized.
        OrderNotReady = "orderNotReady",
        /// Too often.
        RateLimited = "rateLimited",
        /// No certificates of this name.
        RejectedIdentifier = "rejectedIdentifier",
        /// The server failed.
        ServerInternal = "serverInternal",
        /// No TLS with the client's server.
        Tls = "tls",
        /// Whoever asks may not.
        Unauthorized = "unauthorized",
        /// A contact is of a kind that is not used.
        UnsupportedContact = "unsupportedContact",
        /// Names of this kind are not certified.
        UnsupportedIdentifier = "unsupportedIdentifier",
        /// The terms of service have to be agreed to first.
        UserActionRequired = "userActionRequired",
    }
}

/// A refusal, as the client is told.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What kind.
    pub kind: ProblemType,
    /// What is wrong and what to do.
    pub detail: String,
    /// Which names it is about, if there are several.
    pub subproblems: Vec<Subproblem>,
    /// When to ask again.
    pub retry_after: Option<Duration>,
    /// Where what stands in the way is.
    pub location: Option<String>,
    /// The HTTP status, where it is not the usual one of the kind.
    status: Option<u16>,
    /// The engine's error behind it, for the log.
    pub cause: Option<Box<Error>>,
}

/// What is wrong with one name (RFC 8555 §6.7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subproblem {
    /// What kind.
    pub kind: ProblemType,
    /// What is wrong.
    pub detail: String,
    /// With which name.
    pub identifier: AcmeIdentifier,
}

/// What every type begins with.
const NAMESPACE: &str = "urn:ietf:params:acme:error:";
/// The signature algorithms that accounts may use, for those who used another (RFC 8555 §6.2).
const ALGORITHMS: [&str; 4] = ["ES256", "ES384", "EdDSA", "RS256"];

impl Problem {
    /// A problem of this kind.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        let (detail, subproblems) = (detail.into(), Vec::new());
        Self { kind, detail, subproblems, retry_after: None, location: None, status: None, cause: None }
    }

    /// A wrong request.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(ProblemType::Malformed, detail)
    }

    /// There is no such thing, or none that the account may see.
    pub fn not_found(what: &str) -> Self {
        Self { status: Some(404), ..Self::malformed(format!("there is no such {what}")) }
    }

    /// Too often; `after` tells when again.
    pub fn rate_limited(detail: impl Into<String>, after: Duration) -> Self {
        Self { retry_after: Some(after), ..Self::new(ProblemType::RateLimited, detail) }
    }

    /// The same with another status.
    pub fn with_status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    /// The same with where what stands in the way is.
    pub fn located(self, location: String) -> Self {
        Self { location: Some(location), ..self }
    }

    /// The same with when to ask again.
    pub fn after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }

    /// The same with the engine's error behind it.
    pub fn because(self, error: Error) -> Self {
        Self { cause: Some(Box::new(error)), ..self }
    }

    /// The same with the names that it is about.
    pub fn about(self, subproblems: Vec<Subproblem>) -> Self {
        Self { subproblems, ..self }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        use ProblemType as P;
        self.status.unwrap_or(match self.kind {
            P::Unauthorized => 401,
            P::Caa | P::OrderNotReady | P::UserActionRequired | P::ExternalAccountRequired => 403,
            P::AlreadyReplaced => 409,
            P::RateLimited => 429,
            P::ServerInternal => 500,
            _ => 400,
        })
    }

    /// The document (RFC 9457).
    pub fn document(&self) -> Value {
        let mut document = json!({
            "type": format!("{NAMESPACE}{}", self.kind), "detail": self.detail, "status": self.status(),
        });
        if let Some(members) = document.as_object_mut() {
            if !self.subproblems.is_empty() {
                let subproblems = self.subproblems.iter().map(|sub| {
                    json!({
                        "type": format!("{NAMESPACE}{}", sub.kind), "detail": sub.detail, "identifier": sub.identifier,
                    })
                });
                members.insert("subproblems".into(), subproblems.collect());
            }
            if self.kind == ProblemType::BadSignatureAlgorithm {
                members.insert("algorithms".into(), json!(ALGORITHMS));
            }
        }
        document
    }
}

impl From<Error> for Problem {
    /// What the engine refuses besides what the protocol knows of.
    fn from(error: Error) -> Self {
        let retry_after = match error.retry() {
            Retry::After(after) => Some(after),
            Retry::No => None,
        };
        let problem = match error.kind() {
            ErrorKind::Unavailable => Self::new(ProblemType::ServerInternal, error.message()).with_status(503),
            // Somebody changed the same thing at the same moment.
            ErrorKind::Conflict => Self::new(ProblemType::ServerInternal, error.message()).with_status(409),
            ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Unprocessable => Self::malformed(error.message()),
            ErrorKind::Forbidden | ErrorKind::Gone => Self::new(ProblemType::Unauthorized, error.message()),
            _ => Self::new(ProblemType::ServerInternal, "the server failed; its log has the cause"),
        };
        Self { retry_after, cause: Some(Box::new(error)), ..problem }
    }
}

impl From<crate::storage::StorageError> for Problem {
    fn from(error: crate::storage::StorageError) -> Self {
        Error::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::AcmeIdentifierType;

    #[test]
    fn a_problem_is_told_with_its_names() {
        let identifier = AcmeIdentifier { kind: AcmeIdentifierType::Dns, value: "a.example".into() };
        let sub = Subproblem { kind: ProblemType::RejectedIdentifier, detail: "not here".into(), identifier };
        let problem = Problem::new(ProblemType::RejectedIdentifier, "some names are refused").about(vec![sub]);
        assert_eq!(
            problem.document(),
            json!({
                "type": "urn:ietf:params:acme:error:rejectedIdentifier", "detail": "some names are refused",
                "status": 400,
                "subproblems": [{
                    "type": "urn:ietf:params:acme:error:rejectedIdentifier", "detail": "not here",
                    "identifier": { "type": "dns", "value": "a.example" },
                }],
            })
        );
        assert_eq!(Problem::not_found("order").status(), 404);
        let algorithms = Problem::new(ProblemType::BadSignatureAlgorithm, "x").document();
        assert_eq!(algorithms["algorithms"][0], "ES256");
    }
}
