//! The names of one certificate: its common name and its subject alternative names.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::san::SubjectAltName;

/// The most subject alternative names of one certificate.
pub const MAX_NAMES: usize = 100;

/// The longest common name, in characters (RFC 5280 appendix A.1, ub-common-name).
pub const MAX_COMMON_NAME: usize = 64;

/// A name that no certificate can carry, with the offending text and how to fix it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Not a host name.
    #[error("`{text}` is not a DNS name: {why}")]
    Dns {
        /// What was given, shortened.
        text: String,
        /// What is wrong and how to fix it.
        why: &'static str,
    },
    /// Not an e-mail address.
    #[error("`{text}` is not an e-mail address: {why}")]
    Email {
        /// What was given, shortened.
        text: String,
        /// What is wrong and how to fix it.
        why: &'static str,
    },
    /// Not an absolute URI.
    #[error("`{text}` is not a URI: {why}")]
    Uri {
        /// What was given, shortened.
        text: String,
        /// What is wrong and how to fix it.
        why: &'static str,
    },
    /// Not a common name.
    #[error("`{text}` cannot be a common name: {why}")]
    CommonName {
        /// What was given, shortened.
        text: String,
        /// What is wrong and how to fix it.
        why: &'static str,
    },
    /// More names than one certificate carries.
    #[error("{count} names are too many: one certificate carries at most {MAX_NAMES}; split them over several")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// Neither a common name nor a SAN.
    #[error("a certificate needs a common name or a subject alternative name; give at least one")]
    None,
}

pub(super) fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

/// The names of a certificate or a request, in canonical form: equal names are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SubjectNames {
    /// The common name; canonical when it is itself a DNS name, an address or an e-mail address.
    pub common_name: Option<String>,
    /// The subject alternative names, each once.
    pub sans: BTreeSet<SubjectAltName>,
}

impl SubjectNames {
    /// From a common name (empty for none) and subject alternative names as text.
    ///
    /// The common name also becomes a SAN when it is an IP address, an e-mail address or a DNS name, because clients look
    /// at SANs alone (RFC 9525 §2). A name of one label, such as `localhost`, might as well be a person: it becomes a SAN
    /// unless all SANs given are e-mail addresses or URIs.
    ///
    /// # Errors
    /// [`NameError`] for the first name that is none, for more than [`MAX_NAMES`], and when there is no name.
    pub fn new(common_name: &str, sans: &[String]) -> Result<Self, NameError> {
        if sans.len() > MAX_NAMES {
            return Err(NameError::TooMany { count: sans.len() });
        }
        let sans = sans.iter().map(|san| SubjectAltName::parse(san)).collect::<Result<_, _>>()?;
        Self::from_parsed(common_name, sans)
    }

    /// As [`new`](Self::new), from names that were parsed before.
    ///
    /// # Errors
    /// [`NameError`] when the common name is none, for more than [`MAX_NAMES`], and when there is no name.
    pub fn from_parsed(common_name: &str, mut sans: BTreeSet<SubjectAltName>) -> Result<Self, NameError> {
        let common_name = CommonName::parse(common_name)?;
        if let Some(name) = common_name.as_ref().and_then(|name| name.implied_san(&sans)) {
            sans.insert(name);
        }
        if sans.len() > MAX_NAMES {
            return Err(NameError::TooMany { count: sans.len() });
        }
        if common_name.is_none() && sans.is_empty() {
            return Err(NameError::None);
        }
        Ok(Self { common_name: common_name.map(|name| name.text), sans })
    }

    /// The names exactly as a certificate has them: nothing is implied, and a common name that is none is kept.
    pub(crate) fn as_written(common_name: Option<&str>, sans: BTreeSet<SubjectAltName>) -> Self {
        let canonical = |text: &str| match CommonName::parse(text) {
            Ok(name) => name.map(|name| name.text),
            Err(_) => Some(text.to_owned()),
        };
        Self { common_name: common_name.and_then(canonical), sans }
    }

    /// Whether a certificate with the names `issued` is what these names asked for: the same SANs, and a common name
    /// that is absent (CAs may leave it out), the one asked for, or one of the SANs.
    pub fn are_met_by(&self, issued: &Self) -> bool {
        let common_name_fits = issued.common_name.as_ref().is_none_or(|name| {
            self.common_name.as_ref() == Some(name) || self.sans.iter().any(|san| san.to_string() == *name)
        });
        common_name_fits && self.sans == issued.sans
    }

    /// The SANs as text, in their order.
    pub fn san_texts(&self) -> Vec<String> {
        self.sans.iter().map(ToString::to_string).collect()
    }
}

/// A common name, and the SAN that it is, if it is one.
struct CommonName {
    text: String,
    san: Option<SubjectAltName>,
}

impl CommonName {
    fn parse(text: &str) -> Result<Option<Self>, NameError> {
        let text = text.trim();
        let refused = |why| Err(NameError::CommonName { text: shortened(text), why });
        if text.is_empty() {
            return Ok(None);
        }
        if text.chars().any(char::is_control) {
            return refused("it holds a control character");
        }
        let san = SubjectAltName::parse(text).ok().filter(|san| !matches!(san, SubjectAltName::Uri(_)));
        let text = san.as_ref().map_or_else(|| text.to_owned(), ToString::to_string);
        if text.chars().count() > MAX_COMMON_NAME {
            let why = "it has more than 64 characters (RFC 5280 appendix A.1); make it a SAN and choose a shorter one";
            return Err(NameError::CommonName { text: shortened(&text), why });
        }
        Ok(Some(Self { text, san }))
    }

    fn implied_san(&self, given: &BTreeSet<SubjectAltName>) -> Option<SubjectAltName> {
        let names_a_host = |san: &SubjectAltName| matches!(san, SubjectAltName::Dns(_) | SubjectAltName::Ip(_));
        match &self.san {
            Some(SubjectAltName::Dns(name)) if name.is_single_label() => {
                (given.is_empty() || given.iter().any(names_a_host)).then(|| SubjectAltName::Dns(name.clone()))
            }
            san => san.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(common_name: &str, sans: &[&str]) -> SubjectNames {
        SubjectNames::new(common_name, &sans.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_common_name_that_is_a_host_is_also_a_san() {
        assert_eq!(names("Shop.Example.com", &[]), names("shop.example.com", &["SHOP.example.com"]));
        assert_eq!(names("10.0.0.1", &[]).san_texts(), ["10.0.0.1"]);
        assert_eq!(names("localhost", &[]).san_texts(), ["localhost"]);
        assert_eq!(names("web1", &["10.0.0.1"]).san_texts(), ["web1", "10.0.0.1"]);
        assert_eq!(names("Alice", &["alice@example.com"]).san_texts(), ["alice@example.com"]);
        assert_eq!(names("Example Root", &[]).san_texts(), Vec::<String>::new());
        assert_eq!(SubjectNames::new(" ", &[]), Err(NameError::None));
        assert!(matches!(SubjectNames::new(&"a".repeat(65), &[]), Err(NameError::CommonName { .. })));
    }

    #[test]
    fn a_hundred_names_fit_and_no_more() {
        let many = |count: usize| (0..count).map(|n| format!("h{n}.example.com")).collect::<Vec<_>>();
        assert!(SubjectNames::new("h0.example.com", &many(100)).is_ok());
        assert_eq!(SubjectNames::new("other.example.com", &many(100)), Err(NameError::TooMany { count: 101 }));
    }

    #[test]
    fn a_certificate_may_lack_the_common_name_but_no_san() {
        let asked = names("a.example", &["b.example"]);
        let without = SubjectNames { common_name: None, ..asked.clone() };
        let swapped = SubjectNames { common_name: Some("b.example".into()), ..asked.clone() };
        let foreign = SubjectNames { common_name: Some("c.example".into()), ..asked.clone() };
        assert!(asked.are_met_by(&asked) && asked.are_met_by(&without) && asked.are_met_by(&swapped));
        assert!(!asked.are_met_by(&foreign));
        assert!(!asked.are_met_by(&names("a.example", &[])));
        assert!(!asked.are_met_by(&names("a.example", &["b.example", "c.example"])));
    }

    #[test]
    fn names_travel_as_text() {
        let asked = names("a.example", &["10.0.0.1", "ops@a.example"]);
        let json = serde_json::to_string(&asked).unwrap();
        assert_eq!(json, r#"{"common_name":"a.example","sans":["a.example","ops@a.example","10.0.0.1"]}"#);
        assert_eq!(serde_json::from_str::<SubjectNames>(&json).unwrap(), asked);
    }
}
