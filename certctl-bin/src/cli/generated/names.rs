//! Noun and verb of every operation: by its path, except where people say it otherwise.

use certctl_core::ports::Method;

use crate::operations::{Operation, ParameterPlace};

/// Where an operation is on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Placement {
    Command {
        noun: String,
        verb: String,
    },
    /// Nowhere, and why.
    Exempt(&'static str),
}

/// Paths that begin another noun than their first segment.
const NOUNS: &[(&str, &str)] = &[
    ("/api/v1/acme/eab-credentials", "acme-credentials"),
    ("/api/v1/auth/keys", "keys"),
    ("/api/v1/certificates", "certs"),
];

/// Operations that people call otherwise than their paths say.
const NAMES: &[(&str, &str, &str)] = &[
    ("agentSubmitCSR", "agents", "submit-csr"),
    ("archiveCertificate", "certs", "archive"),
    ("bulkRevokeEstCertificates", "est", "bulk-revoke"),
    ("createEnrolToken", "agents", "enrol-token"),
    ("createIntermediate", "intermediates", "create"),
    ("getCACertificate", "issuers", "ca-certificate"),
    ("getCrlCache", "crls", "list"),
    ("getDERCRL", "crls", "get"),
    ("getDeltaCRL", "crls", "get-delta"),
    ("getHealth", "server", "health"),
    ("getReady", "server", "ready"),
    ("getShardCRL", "crls", "get-shard"),
    ("handleOCSP", "ocsp", "check"),
    ("listEstProfiles", "est", "list"),
    ("listIntermediates", "intermediates", "list"),
    ("listScepProfiles", "scep", "list"),
    ("registerAgent", "agents", "register"),
    ("reloadEstTrust", "est", "reload-trust"),
    ("retireAgent", "agents", "retire"),
];

/// Verbs that are made by hand, of nouns that have others.
pub(super) const HAND_MADE: &[(&str, &str)] = &[
    ("agents", "enrol-token"),
    ("agents", "list"),
    ("agents", "retire"),
    ("audit", "export"),
    ("audit", "verify"),
    ("certs", "create"),
    ("certs", "csr"),
];

/// Operations that have no command, and why.
const EXEMPT: &[(&str, &str)] = &[
    ("answerOCSP", "the protocol has clients of its own; `certctl ocsp check` asks about a serial number"),
    ("getApiHealth", "the same as `certctl server health`"),
    ("getOpenApi", "`certctl openapi` prints the document"),
    ("importCertificates", "`certctl import` reads the files, and sends no keys"),
];

/// Paths of protocols that have clients of their own.
const PROTOCOLS: &[&str] = &["/.well-known/est", "/scep", "/acme"];

/// Words that mean something else right after `certctl`.
const TAKEN: &[&str] = &[
    "agent",
    "completions",
    "demo",
    "help",
    "import",
    "man",
    "mcp",
    "migrate",
    "openapi",
    "serve",
    "server",
    "status",
    "version",
];

/// Where the operation is.
pub(super) fn placement(operation: &Operation) -> Placement {
    if let Some((_, reason)) = EXEMPT.iter().find(|(id, _)| *id == operation.id) {
        return Placement::Exempt(reason);
    }
    if PROTOCOLS.iter().any(|protocol| operation.path.starts_with(protocol)) {
        return Placement::Exempt("the protocol has clients of its own");
    }
    if operation.media_types.iter().any(|media_type| media_type == "text/event-stream") {
        return Placement::Exempt("a stream has no end that a command could wait for");
    }
    let command = |noun: &str, verb: &str| Placement::Command { noun: noun.to_owned(), verb: verb.to_owned() };
    if let Some((_, noun, verb)) = NAMES.iter().find(|(id, ..)| *id == operation.id) {
        return command(noun, verb);
    }
    let (noun, rest) = noun(&operation.path);
    let verb = verb(operation, rest);
    if TAKEN.contains(&noun) {
        return match verb.as_str() {
            "get" | "list" => command("server", noun),
            verb => command("server", &format!("{noun}-{verb}")),
        };
    }
    command(noun, &verb)
}

/// A second name for an operation whose first one is taken by another method of the same path.
pub(super) fn by_method(operation: &Operation, verb: &str) -> String {
    let method = match operation.method {
        Method::Get | Method::Head => "get",
        Method::Post => "create",
        Method::Put | Method::Patch => "update",
        Method::Delete => "delete",
    };
    format!("{method}-{verb}")
}

/// The noun, and what of the path comes behind it.
fn noun(path: &str) -> (&str, &str) {
    for (prefix, noun) in NOUNS {
        if let Some(rest) = path.strip_prefix(prefix)
            && (rest.is_empty() || rest.starts_with('/'))
        {
            return (noun, rest);
        }
    }
    let path = path.strip_prefix("/api/v1/").unwrap_or_else(|| path.trim_start_matches('/'));
    let (noun, rest) = path.split_once('/').map_or((path, ""), |(noun, rest)| (noun, rest));
    (noun.trim_start_matches('.'), rest)
}

fn verb(operation: &Operation, rest: &str) -> String {
    let segments: Vec<&str> = rest.split('/').filter(|segment| !segment.is_empty()).collect();
    let words: Vec<&str> = segments.iter().copied().filter(|segment| !segment.starts_with('{')).collect();
    let ends_with_parameter = segments.last().is_some_and(|segment| segment.starts_with('{'));
    let word = words.join("-").replace('.', "-");
    let one = operation.parameters_in(ParameterPlace::Path).next().is_some();
    let whole = match operation.method {
        Method::Get | Method::Head if one || !operation.lists => "get",
        Method::Get | Method::Head => "list",
        Method::Post => "create",
        Method::Put | Method::Patch => "update",
        Method::Delete => "delete",
    };
    match (word.as_str(), operation.method) {
        ("", _) => whole.to_owned(),
        (word, Method::Post) => word.to_owned(),
        (word, Method::Get | Method::Head) if !ends_with_parameter => word.to_owned(),
        (word, _) => format!("{whole}-{word}"),
    }
}
