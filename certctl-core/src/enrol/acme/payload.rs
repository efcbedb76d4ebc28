//! What clients send inside of their signed messages.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::identifier::WrittenIdentifier;
use super::problem::{Problem, ProblemType};
use crate::domain::EmailAddress;

/// Most contacts of one account.
const MOST_CONTACTS: usize = 10;

/// A request for an account (RFC 8555 §7.3).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub(super) struct NewAccount {
    pub(super) contact: Vec<String>,
    pub(super) terms_of_service_agreed: bool,
    pub(super) only_return_existing: bool,
    pub(super) external_account_binding: Option<Box<RawValue>>,
}

/// A change of an account (RFC 8555 §7.3.2, §7.3.6).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UpdateAccount {
    pub(super) contact: Option<Vec<String>>,
    pub(super) status: Option<String>,
}

/// A change of an authorization (RFC 8555 §7.5.2).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UpdateAuthorization {
    pub(super) status: Option<String>,
}

/// An order (RFC 8555 §7.4, RFC 9773 §5).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewOrder {
    pub(super) identifiers: Vec<WrittenIdentifier>,
    pub(super) not_before: Option<String>,
    pub(super) not_after: Option<String>,
    pub(super) replaces: Option<String>,
}

/// What finalizes an order (RFC 8555 §7.4).
#[derive(Debug, Deserialize)]
pub(super) struct Finalize {
    pub(super) csr: String,
}

/// The inner message of a change of keys (RFC 8555 §7.3.5). That the old key is there is all that the old key is asked for: the
/// outer message is signed with it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyChange {
    pub(super) account: String,
    pub(super) old_key: Box<RawValue>,
}

/// A revocation (RFC 8555 §7.6).
#[derive(Debug, Deserialize)]
pub(super) struct Revocation {
    pub(super) certificate: String,
    pub(super) reason: Option<u8>,
}

/// Reads a payload.
pub(super) fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(payload).map_err(|error| Problem::malformed(format!("the payload cannot be used: {error}")))
}

/// The payload of POST-as-GET is empty (RFC 8555 §6.3).
pub(super) fn none(payload: &[u8]) -> Result<(), Problem> {
    if payload.is_empty() {
        return Ok(());
    }
    Err(Problem::malformed("this is only read: send an empty payload (RFC 8555 section 6.3)"))
}

/// Checks contacts: `mailto:` URLs of one address each (RFC 8555 §7.3).
pub(super) fn contacts(written: Vec<String>) -> Result<Vec<String>, Problem> {
    if written.len() > MOST_CONTACTS {
        return Err(Problem::malformed(format!("an account has at most {MOST_CONTACTS} contacts")));
    }
    written
        .into_iter()
        .map(|contact| {
            let Some((scheme, address)) = contact.split_once(':') else {
                return Err(Problem::new(ProblemType::UnsupportedContact, "a contact is a `mailto:` URL"));
            };
            if !scheme.eq_ignore_ascii_case("mailto") {
                return Err(Problem::new(ProblemType::UnsupportedContact, "only `mailto:` contacts are kept"));
            }
            // Neither header fields nor several addresses.
            let address = EmailAddress::parse(address)
                .map_err(|error| Problem::new(ProblemType::InvalidContact, error.to_string()))?;
            Ok(format!("mailto:{address}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_one_address() {
        let one = |contact: &str| contacts(vec![contact.to_owned()]);
        assert_eq!(one("MailTo:Ops@Example.test").unwrap(), ["mailto:Ops@example.test"]);
        assert_eq!(one("tel:+123").unwrap_err().kind, ProblemType::UnsupportedContact);
        assert_eq!(one("ops@example.test").unwrap_err().kind, ProblemType::UnsupportedContact);
        for bad in ["mailto:", "mailto:a", "mailto:a@b.example?cc=c@d.example", "mailto:a@b.example,c@d.example"] {
            assert_eq!(one(bad).unwrap_err().kind, ProblemType::InvalidContact, "{bad}");
        }
        assert!(contacts(vec!["mailto:a@b.example".into(); 11]).is_err());
    }
}
