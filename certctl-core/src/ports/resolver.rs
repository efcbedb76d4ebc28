//! Looking up names in the DNS.

use std::net::SocketAddr;

use async_trait::async_trait;

/// A name could not be looked up. That it does not exist is no error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot look up {name}: {reason}")]
pub struct ResolveError {
    /// The name.
    pub name: String,
    /// What went wrong.
    pub reason: String,
}

/// Looks up names in the DNS (RFC 1035). Answers are never older than the question: nothing is kept between two of them.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The TXT records of a name, each with its character strings put together (RFC 1035 §3.3.14); none where the name does not
    /// exist. CNAME records are followed. `servers` are asked in turn; none stands for those that this host is configured
    /// with.
    ///
    /// # Errors
    /// [`ResolveError`] when no server answered.
    async fn txt(&self, name: &str, servers: &[SocketAddr]) -> Result<Vec<String>, ResolveError>;
}
