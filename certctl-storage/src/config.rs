//! Which database, and how much of it.

use std::path::PathBuf;
use std::time::Duration;

use crate::OpenError;
use crate::dialect::Dialect;

/// Where the records are kept.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseConfig {
    /// `sqlite:PATH` (or `sqlite://PATH`) or `postgres://USER:PASSWORD@HOST/DATABASE`.
    pub url: String,
    /// Connections at most: readers of SQLite, all work on PostgreSQL. Two more are used on PostgreSQL to notify and to
    /// listen.
    pub max_connections: u32,
    /// How long a request waits for a connection before it is told that the store is unavailable.
    pub acquire_timeout: Duration,
}

/// A database that can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    Sqlite(PathBuf),
    Postgres(String),
}

impl DatabaseConfig {
    /// A database with 16 connections and 5 s to wait for one.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), max_connections: 16, acquire_timeout: Duration::from_secs(5) }
    }

    pub(crate) fn location(&self) -> Result<Location, OpenError> {
        let unusable = |reason| OpenError::UnusableUrl { url: self.redacted(), reason };
        let Some((scheme, rest)) = self.url.split_once(':') else {
            return Err(unusable("it has no scheme"));
        };
        match scheme {
            "postgres" | "postgresql" => Ok(Location::Postgres(self.url.clone())),
            "sqlite" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() || path.contains(":memory:") {
                    return Err(unusable("SQLite needs the path of a file"));
                }
                if path.contains('?') {
                    return Err(unusable("a SQLite path takes no parameters"));
                }
                Ok(Location::Sqlite(PathBuf::from(path)))
            }
            _ => Err(unusable("the scheme is neither sqlite nor postgres")),
        }
    }

    /// The URL as it may be shown: without a password.
    pub(crate) fn redacted(&self) -> String {
        let Some((scheme, rest)) = self.url.split_once("://") else { return self.url.clone() };
        let Some((credentials, host)) = rest.rsplit_once('@') else { return self.url.clone() };
        let user = credentials.split(':').next().unwrap_or_default();
        format!("{scheme}://{user}@{host}")
    }
}

impl std::fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseConfig")
            .field("url", &self.redacted())
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .finish()
    }
}

impl Location {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_chooses_the_database() {
        let location = |url: &str| DatabaseConfig::new(url).location();
        for url in ["sqlite:/var/lib/c.db", "sqlite:///var/lib/c.db"] {
            assert_eq!(location(url), Ok(Location::Sqlite("/var/lib/c.db".into())));
        }
        for url in ["postgres://h/d", "postgresql://h/d"] {
            assert_eq!(location(url), Ok(Location::Postgres(url.into())));
        }
        for url in ["", "c.db", "mysql://h/d", "sqlite:", "sqlite::memory:", "sqlite:c.db?mode=ro"] {
            assert!(matches!(location(url), Err(OpenError::UnusableUrl { .. })), "{url}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for url in ["postgres://u:geheim@h/d", "mysql://u:geheim@h/d", "postgres://u:ge@heim@h/d"] {
            let config = DatabaseConfig::new(url);
            assert!(!format!("{config:?}").contains("heim"), "{config:?}");
        }
        assert!(DatabaseConfig::new("postgres://u:geheim@h/d").redacted().contains("u@h/d"));
    }
}
