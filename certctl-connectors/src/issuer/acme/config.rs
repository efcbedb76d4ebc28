//! Which CA is asked, under which account, and how it is shown that the names are ours.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use certctl_core::connector::ConfigError;
use certctl_core::domain::{Chain, DnsName};
use certctl_core::ports::{Endpoint, Secret};
use certctl_core::text_enum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use crate::deploy::CommandLine;

text_enum! {
    /// How it is shown that a name is ours.
    pub enum AcmeChallenge {
        /// By a page that every replica of this server serves on port 80 of the name (RFC 8555 §8.3).
        Http01 = "http-01",
        /// By a TXT record that is made for the order (RFC 8555 §8.4).
        Dns01 = "dns-01",
        /// By a TXT record that stays (draft-ietf-acme-dns-persist).
        DnsPersist01 = "dns-persist-01",
        /// By a certificate that every replica of this server shows on port 443 of the name (RFC 8737).
        TlsAlpn01 = "tls-alpn-01",
    }
}

text_enum! {
    /// How DNS updates are signed (RFC 8945 §6).
    pub enum TsigAlgorithm {
        /// HMAC with SHA-256.
        HmacSha256 = "hmac-sha256",
        /// HMAC with SHA-384.
        HmacSha384 = "hmac-sha384",
        /// HMAC with SHA-512.
        HmacSha512 = "hmac-sha512",
    }
}

/// Configuration of an ACME issuer, as written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AcmeConfig {
    /// The CA's directory: an https URL.
    pub directory_url: String,
    /// Whom the CA writes to.
    pub email: String,
    /// The key identifier of an account that one has at the CA outside of ACME.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eab_kid: Option<String>,
    /// Its key, base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eab_hmac: Option<Secret>,
    /// Where `eab_kid` and `eab_hmac` are fetched instead, as ZeroSSL has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eab_url: Option<String>,
    /// A key of ZeroSSL's API, with which they are fetched; by the e-mail address without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zerossl_api_key: Option<Secret>,
    /// How it is shown that a name is ours.
    pub challenge_type: AcmeChallenge,
    /// Understood only where it says what is so anyway: see the documentation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub http_port: Option<u16>,
    /// A program that makes a TXT record, and its arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_present_script: Option<CommandLine>,
    /// A program that takes it away again, and its arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_cleanup_script: Option<CommandLine>,
    /// A DNS server that makes records, instead of programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_update: Option<DnsUpdateConfig>,
    /// Seconds from making a TXT record to the first look for it.
    #[schemars(range(max = 3600))]
    pub dns_propagation_wait: u32,
    /// Whether the CA is asked to look only when the record is seen here.
    pub dns_check: bool,
    /// The DNS servers that are asked for it, as addresses with or without a port; those of the host when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns_servers: Vec<String>,
    /// The name of the CA in standing records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_persist_issuer_domain: Option<String>,
    /// The CA's profile to order by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The common name of the issuer at the end of the chain to take, where the CA offers several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_chain: Option<String>,
    /// Whether the CA is asked when to renew.
    pub ari_enabled: bool,
    /// Whether the lifetime of the profile stands in the order. Many CAs refuse orders that say one.
    pub request_lifetime: bool,
    /// Which key of the account is used: a higher number has the account's key changed.
    pub account_key_number: u32,
    /// PEM certificates to trust instead of the public roots when the CA is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roots_pem: Option<String>,
    /// The longest that is waited for the CA to decide on one order, in seconds.
    #[schemars(range(min = 10, max = 86400))]
    pub poll_max_wait_seconds: u32,
    /// Understood only to be refused: see the documentation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub insecure: Option<bool>,
}

/// A DNS server that takes updates (RFC 2136) signed with a shared key (RFC 8945).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsUpdateConfig {
    /// The server: a name or an address, with or without a port.
    pub server: String,
    /// The zones that it has.
    pub zones: Vec<String>,
    /// The name of the key.
    pub key_name: String,
    /// How the key signs.
    #[serde(default = "hmac_sha256")]
    pub key_algorithm: TsigAlgorithm,
    /// The key, base64.
    pub key_secret: Secret,
}

const fn hmac_sha256() -> TsigAlgorithm {
    TsigAlgorithm::HmacSha256
}

impl Default for AcmeConfig {
    fn default() -> Self {
        Self {
            directory_url: String::new(),
            email: String::new(),
            eab_kid: None,
            eab_hmac: None,
            eab_url: None,
            zerossl_api_key: None,
            challenge_type: AcmeChallenge::Http01,
            http_port: None,
            dns_present_script: None,
            dns_cleanup_script: None,
            dns_update: None,
            dns_propagation_wait: 30,
            dns_check: true,
            dns_servers: Vec::new(),
            dns_persist_issuer_domain: None,
            profile: None,
            preferred_chain: None,
            ari_enabled: false,
            request_lifetime: false,
            account_key_number: 0,
            roots_pem: None,
            poll_max_wait_seconds: 600,
            insecure: None,
        }
    }
}

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct AcmeTerms {
    pub(super) directory: Url,
    pub(super) email: String,
    pub(super) binding: Binding,
    pub(super) challenge: AcmeChallenge,
    pub(super) dns: DnsTerms,
    pub(super) persist_issuer: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) preferred_chain: Option<String>,
    pub(super) renewal_info: bool,
    pub(super) request_lifetime: bool,
    pub(super) key_number: u32,
    pub(super) roots_pem: Option<String>,
    pub(super) longest_wait: Duration,
}

/// How the account is bound to another one at the CA (RFC 8555 §7.3.4).
#[derive(Clone, Debug)]
pub(super) enum Binding {
    None,
    Given { key_id: String, key: Zeroizing<Vec<u8>> },
    Fetched { url: Url, api_key: Option<Secret> },
}

/// How TXT records are made and looked for.
#[derive(Clone, Debug)]
pub(super) struct DnsTerms {
    pub(super) maker: Maker,
    pub(super) wait: Duration,
    pub(super) check: bool,
    pub(super) servers: Vec<SocketAddr>,
}

#[derive(Clone, Debug)]
pub(super) enum Maker {
    /// Nobody: only for standing records that are there already.
    Nobody,
    Programs {
        present: Vec<String>,
        cleanup: Option<Vec<String>>,
    },
    Update(UpdateTerms),
}

#[derive(Clone, Debug)]
pub(super) struct UpdateTerms {
    pub(super) server: Endpoint,
    /// Without a dot at the end, in lower case.
    pub(super) zones: Vec<String>,
    pub(super) key_name: String,
    pub(super) algorithm: TsigAlgorithm,
    pub(super) key: Zeroizing<Vec<u8>>,
}

const ZEROSSL: &str = "acme.zerossl.com";
const ZEROSSL_BY_EMAIL: &str = "https://api.zerossl.com/acme/eab-credentials-email";
const ZEROSSL_BY_KEY: &str = "https://api.zerossl.com/acme/eab-credentials";
const HTTP_PORT: u16 = 80;
const DNS_PORT: u16 = 53;
const MAX_PROPAGATION_WAIT: u32 = 3_600;
const MAX_TEXT: usize = 255;
const MAX_SERVERS: usize = 8;
const MAX_ZONES: usize = 100;

impl AcmeConfig {
    pub(super) fn validate(self) -> Result<AcmeTerms, ConfigError> {
        no_predecessors(&self)?;
        let directory = https("/directory_url", &self.directory_url, "the URL of the CA's directory")?;
        let email = email(&self.email)?;
        let binding = binding(&self, &directory)?;
        if !(10..=86_400).contains(&self.poll_max_wait_seconds) {
            return Err(ConfigError::at("/poll_max_wait_seconds", "give 10 to 86400 seconds; leave it out for 600"));
        }
        let dns = dns(&self)?;
        let persist = self.challenge_type == AcmeChallenge::DnsPersist01;
        let persist_issuer = match self.dns_persist_issuer_domain.as_deref().map(str::trim).filter(|d| !d.is_empty()) {
            Some(domain) => Some(domain_name("/dns_persist_issuer_domain", domain)?),
            None if persist => {
                let message = "dns-persist-01 needs the name that the CA has in such records, such as letsencrypt.org";
                return Err(ConfigError::at("/dns_persist_issuer_domain", message));
            }
            None => None,
        };
        if self.challenge_type == AcmeChallenge::Dns01 && matches!(dns.maker, Maker::Nobody) {
            let message = "dns-01 needs somebody who makes TXT records: dns_present_script or dns_update";
            return Err(ConfigError::at("/challenge_type", message));
        }
        if let Some(pem) = &self.roots_pem {
            // A chain is a list of certificates, too.
            Chain::from_pem(pem).map_err(|error| ConfigError::at("/roots_pem", error.to_string()))?;
        }
        Ok(AcmeTerms {
            directory,
            email,
            binding,
            challenge: self.challenge_type,
            dns,
            persist_issuer,
            profile: text("/profile", self.profile)?,
            preferred_chain: text("/preferred_chain", self.preferred_chain)?,
            renewal_info: self.ari_enabled,
            request_lifetime: self.request_lifetime,
            key_number: self.account_key_number,
            roots_pem: self.roots_pem,
            longest_wait: Duration::from_secs(self.poll_max_wait_seconds.into()),
        })
    }
}

/// What the predecessor had and means something else here.
fn no_predecessors(config: &AcmeConfig) -> Result<(), ConfigError> {
    if config.insecure == Some(true) {
        let message = "the CA's certificate is always verified; put the root that signed it into roots_pem";
        return Err(ConfigError::at("/insecure", message));
    }
    if config.http_port.is_some_and(|port| port != HTTP_PORT) {
        let message = "CAs come to port 80; the server answers on the address of its setting issuers.acme_http_listen, and on \
                       its own listener; leave it out";
        return Err(ConfigError::at("/http_port", message));
    }
    Ok(())
}

fn https(pointer: &str, text: &str, what: &str) -> Result<Url, ConfigError> {
    let url = Url::parse(text.trim()).ok();
    let url = url.filter(|url| url.scheme() == "https" && url.has_host() && url.username().is_empty());
    url.ok_or_else(|| ConfigError::at(pointer, format!("give {what}; it begins with https://")))
}

fn email(text: &str) -> Result<String, ConfigError> {
    let text = text.trim();
    let text = text.strip_prefix("mailto:").unwrap_or(text);
    let usable = text.len() <= MAX_TEXT
        && text.is_ascii()
        && !text.contains([',', '?', ' '])
        && !text.chars().any(char::is_control)
        && text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'));
    if usable {
        Ok(text.to_owned())
    } else {
        Err(ConfigError::at("/email", "give one e-mail address, which the CA writes to"))
    }
}

fn text(pointer: &str, text: Option<String>) -> Result<Option<String>, ConfigError> {
    let Some(text) = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > MAX_TEXT || text.chars().any(char::is_control) {
        return Err(ConfigError::at(pointer, format!("give at most {MAX_TEXT} characters on one line")));
    }
    Ok(Some(text))
}

fn binding(config: &AcmeConfig, directory: &Url) -> Result<Binding, ConfigError> {
    let key_id = config.eab_kid.as_deref().map(str::trim).filter(|kid| !kid.is_empty());
    let key = config.eab_hmac.as_ref().filter(|key| !key.expose().trim().is_empty());
    let api_key = config.zerossl_api_key.clone().filter(|key| !key.expose().trim().is_empty());
    match (key_id, key) {
        (Some(key_id), Some(key)) => {
            // CAs write them with and without padding, and some in the other alphabet.
            let plain = key.expose().trim().trim_end_matches('=').replace('+', "-").replace('/', "_");
            let key = URL_SAFE_NO_PAD.decode(plain).ok().filter(|key| !key.is_empty());
            let key =
                key.ok_or_else(|| ConfigError::at("/eab_hmac", "it is no base64url; copy it as the CA shows it"))?;
            Ok(Binding::Given { key_id: key_id.to_owned(), key: Zeroizing::new(key) })
        }
        (Some(_), None) => Err(ConfigError::at("/eab_hmac", "give the key that belongs to eab_kid, too")),
        (None, Some(_)) => Err(ConfigError::at("/eab_kid", "give the identifier that belongs to eab_hmac, too")),
        (None, None) => {
            let url = config.eab_url.as_deref().filter(|url| !url.trim().is_empty());
            let zerossl = directory.host_str() == Some(ZEROSSL);
            if url.is_none() && !zerossl {
                return match api_key {
                    Some(_) => {
                        Err(ConfigError::at("/zerossl_api_key", "it is for the directory of ZeroSSL; leave it out"))
                    }
                    None => Ok(Binding::None),
                };
            }
            let known = if api_key.is_some() { ZEROSSL_BY_KEY } else { ZEROSSL_BY_EMAIL };
            let url = https("/eab_url", url.unwrap_or(known), "the URL that gives out key identifiers and keys")?;
            Ok(Binding::Fetched { url, api_key })
        }
    }
}

fn dns(config: &AcmeConfig) -> Result<DnsTerms, ConfigError> {
    if config.dns_propagation_wait > MAX_PROPAGATION_WAIT {
        let message = format!("at most {MAX_PROPAGATION_WAIT} seconds; leave it out for 30");
        return Err(ConfigError::at("/dns_propagation_wait", message));
    }
    let program = |pointer: &str, line: &Option<CommandLine>| -> Result<Option<Vec<String>>, ConfigError> {
        match line {
            Some(CommandLine::Text(text)) if text.trim().is_empty() => Ok(None),
            Some(line) => {
                let argv = line.parse().map_err(|error| ConfigError::at(pointer, error.to_string()))?;
                if argv.first().is_some_and(|program| program.starts_with('/')) {
                    return Ok(Some(argv));
                }
                Err(ConfigError::at(
                    pointer,
                    "name the program by its whole path, as the server's setting issuers.programs does",
                ))
            }
            None => Ok(None),
        }
    };
    let present = program("/dns_present_script", &config.dns_present_script)?;
    let cleanup = program("/dns_cleanup_script", &config.dns_cleanup_script)?;
    let maker = match (present, &config.dns_update) {
        (Some(_), Some(_)) => {
            return Err(ConfigError::at(
                "/dns_update",
                "either programs make the records or a DNS server; leave one out",
            ));
        }
        (Some(present), None) => Maker::Programs { present, cleanup },
        (None, _) if cleanup.is_some() => {
            return Err(ConfigError::at("/dns_present_script", "give the program that makes the record, too"));
        }
        (None, Some(update)) => Maker::Update(update.validate()?),
        (None, None) => Maker::Nobody,
    };
    if config.dns_servers.len() > MAX_SERVERS {
        return Err(ConfigError::at("/dns_servers", format!("at most {MAX_SERVERS} servers are asked")));
    }
    let servers = config.dns_servers.iter().enumerate().map(|(position, server)| {
        let with_port = server.parse::<SocketAddr>().ok();
        let alone = || server.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, DNS_PORT));
        let message = "give an address, such as 192.0.2.53 or [2001:db8::53]:5353";
        with_port.or_else(alone).ok_or_else(|| ConfigError::at(format!("/dns_servers/{position}"), message))
    });
    Ok(DnsTerms {
        maker,
        wait: Duration::from_secs(config.dns_propagation_wait.into()),
        check: config.dns_check,
        servers: servers.collect::<Result<_, _>>()?,
    })
}

impl DnsUpdateConfig {
    fn validate(&self) -> Result<UpdateTerms, ConfigError> {
        let server = endpoint(self.server.trim()).ok_or_else(|| {
            ConfigError::at("/dns_update/server", "give a name or an address, such as ns1.example.com:53")
        })?;
        if self.zones.is_empty() || self.zones.len() > MAX_ZONES {
            return Err(ConfigError::at(
                "/dns_update/zones",
                format!("give 1 to {MAX_ZONES} zones that the server has"),
            ));
        }
        let zones = self.zones.iter().enumerate();
        let zones = zones.map(|(position, zone)| domain_name(&format!("/dns_update/zones/{position}"), zone));
        let key = STANDARD.decode(self.key_secret.expose().trim()).ok().filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| {
            ConfigError::at("/dns_update/key_secret", "it is no base64; copy it as tsig-keygen writes it")
        })?;
        Ok(UpdateTerms {
            server,
            zones: zones.collect::<Result<_, _>>()?,
            key_name: domain_name("/dns_update/key_name", &self.key_name)?,
            algorithm: self.key_algorithm,
            key: Zeroizing::new(key),
        })
    }
}

fn endpoint(text: &str) -> Option<Endpoint> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(Endpoint { host: address.ip().to_string(), port: address.port() });
    }
    let alone = text.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = alone.parse::<IpAddr>() {
        return Some(Endpoint { host: address.to_string(), port: DNS_PORT });
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (text, DNS_PORT),
    };
    DnsName::parse(host).ok().filter(|name| !name.is_wildcard())?;
    Some(Endpoint { host: host.to_owned(), port })
}

/// A name of labels that may be longer than host names are, and may have underscores.
fn domain_name(pointer: &str, text: &str) -> Result<String, ConfigError> {
    let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if name.len() <= 253 && name.split('.').all(label) {
        return Ok(name);
    }
    Err(ConfigError::at(pointer, "give a domain name, such as example.com"))
}
