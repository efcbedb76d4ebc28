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

/// A CAA record (RFC 8659 §4.1), as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaaRecord {
    /// Whether who does not know the tag must not issue.
    pub critical: bool,
    /// What the record is about, such as `issue`; compared without regard to case.
    pub tag: String,
    /// The value, whose form the tag decides.
    pub value: Vec<u8>,
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

    /// The CAA records of a name itself; none where it has none or does not exist, whatever the names above it have. Names and
    /// servers as for [`txt`](Self::txt).
    ///
    /// # Errors
    /// [`ResolveError`] when no server answered: then nobody knows whether there are records.
    async fn caa(&self, name: &str, servers: &[SocketAddr]) -> Result<Vec<CaaRecord>, ResolveError>;
}
