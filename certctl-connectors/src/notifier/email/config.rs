//! Which mail server, how it is spoken to, from whom and to whom.

use certctl_core::connector::ConfigError;
use certctl_core::ports::Secret;
use lettre::Address;
use lettre::message::Mailbox;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Configuration of a mail server, as written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// The mail server: a name or an address.
    pub smtp_host: String,
    /// Its port: 587 for STARTTLS, 465 for TLS from the first octet.
    #[serde(default = "port")]
    pub smtp_port: u16,
    /// How the way to it is encrypted; `implicit` on port 465 and `starttls` on others when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// Whom to sign in as; nobody when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password of that user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// The sender: an address, or `Name <address>`.
    pub from_address: String,
    /// Who gets every notice; the owner of the certificate when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// PEM certificates to trust instead of the public roots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots_pem: Option<String>,
    /// The name that this server calls itself in EHLO; an address literal when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hello_name: Option<String>,
}

/// How the way to a mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "variants with texts of their own would be no plain values in the schema")]
pub enum Encryption {
    Starttls,
    Implicit,
    None,
}

/// A checked mail server.
#[derive(Clone)]
pub struct MailServer {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) encryption: Encryption,
    pub(super) credentials: Option<Credentials>,
    pub(super) from: Mailbox,
    /// Unique.
    pub(super) to: Vec<Address>,
    pub(super) roots_pem: Option<String>,
    pub(super) hello_name: String,
}

/// Whom to sign in as.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) username: String,
    pub(super) password: Secret,
}

/// Recipients at most: each is an outbox row of every notice.
const MAX_RECIPIENTS: usize = 50;

fn port() -> u16 {
    587
}

impl EmailConfig {
    pub(super) fn validate(self) -> Result<MailServer, ConfigError> {
        let host = self.smtp_host.trim().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() || host.len() > 253 || !host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c))
        {
            return Err(ConfigError::at(
                "/smtp_host",
                "it must be a host name or an IP address, without port and scheme",
            ));
        }
        if self.smtp_port == 0 {
            return Err(ConfigError::at("/smtp_port", "it must be 1 to 65535; 587 and 465 are usual"));
        }
        let usual = if self.smtp_port == 465 { Encryption::Implicit } else { Encryption::Starttls };
        let encryption = self.encryption.unwrap_or(usual);
        let credentials = credentials(self.username, self.password)?;
        if encryption == Encryption::None && credentials.is_some() {
            let message = "without encryption the password would be shown to the network; use starttls or implicit";
            return Err(ConfigError::at("/encryption", message));
        }
        let from = mailbox(&self.from_address).map_err(|why| ConfigError::at("/from_address", why))?;
        if self.to.len() > MAX_RECIPIENTS {
            return Err(ConfigError::at("/to", format!("at most {MAX_RECIPIENTS} addresses; use a mailing list")));
        }
        let mut to = Vec::new();
        for (place, text) in self.to.iter().enumerate() {
            let address = address(text).map_err(|why| ConfigError::at(format!("/to/{place}"), why))?;
            if !to.contains(&address) {
                to.push(address);
            }
        }
        if let Some(pem) = &self.roots_pem {
            let found = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
            if !found.is_ok_and(|found| !found.is_empty()) {
                return Err(ConfigError::at("/roots_pem", "it must hold PEM certificates (BEGIN CERTIFICATE)"));
            }
        }
        Ok(MailServer {
            host,
            port: self.smtp_port,
            encryption,
            credentials,
            from,
            to,
            roots_pem: self.roots_pem,
            hello_name: hello_name(self.hello_name)?,
        })
    }
}

impl std::fmt::Debug for MailServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailServer")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("encryption", &self.encryption)
            .field("signs_in", &self.credentials.is_some())
            .finish_non_exhaustive()
    }
}

fn credentials(username: Option<String>, password: Option<Secret>) -> Result<Option<Credentials>, ConfigError> {
    // NUL is what separates them on the way (RFC 4616 §2).
    let unusable = |text: &str| text.is_empty() || text.len() > 512 || text.contains('\0');
    match (username, password) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(ConfigError::at("/password", "a username needs a password; give both or none")),
        (None, Some(_)) => Err(ConfigError::at("/username", "a password needs a username; give both or none")),
        (Some(username), _) if unusable(&username) => {
            Err(ConfigError::at("/username", "it must have 1 to 512 octets and no NUL"))
        }
        (_, Some(password)) if unusable(password.expose()) => {
            Err(ConfigError::at("/password", "it must have 1 to 512 octets and no NUL"))
        }
        (Some(username), Some(password)) => Ok(Some(Credentials { username, password })),
    }
}

/// A domain or an address literal (RFC 5321 §4.1.1.1).
fn hello_name(name: Option<String>) -> Result<String, ConfigError> {
    let Some(name) = name else { return Ok("[127.0.0.1]".to_owned()) };
    if name.is_empty() || name.len() > 253 || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-.[]:".contains(c)) {
        return Err(ConfigError::at("/hello_name", "it must be a host name, or an address in brackets"));
    }
    Ok(name)
}

/// `Name <address>`, or an address.
fn mailbox(text: &str) -> Result<Mailbox, String> {
    if text.chars().any(char::is_control) {
        return Err("it must be one line".to_owned());
    }
    let (name, inner) = match text.trim().strip_suffix('>').and_then(|text| text.split_once('<')) {
        Some((name, inner)) => (name.trim().trim_matches('"'), inner),
        None => ("", text),
    };
    let name = if name.is_empty() { None } else { Some(name.to_owned()) };
    Ok(Mailbox::new(name, address(inner)?))
}

/// An address as mail servers take it: without a name, in ASCII (RFC 5321 §4.1.2), on one line by its grammar.
pub(super) fn address(text: &str) -> Result<Address, String> {
    let wrong = || "it must be an e-mail address in ASCII, such as ops@example.com".to_owned();
    let text = text.trim();
    // Quoted and bracketed parts may hold nearly anything; nobody's mailbox needs them.
    let plain = |c: char| c.is_ascii_graphic() && !"\"<>()[]\\,;:".contains(c);
    if text.len() > 254 || !text.chars().all(plain) {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}
