//! Which CA signs, and what its certificates say.

use std::time::Duration;

use certctl_core::connector::{AuthorityOrigin, ConfigError, CrlPublication, LintScope};
use certctl_core::domain::{CaKeyAlgorithm, Chain, IntermediateCaId, MAX_COMMON_NAME};
use certctl_core::pki::certificate::Authority;
use certctl_core::pki::chain::{Root, assemble, check_constraints};
use certctl_core::pki::{key, private_key};
use certctl_core::ports::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

/// Configuration of a local CA, as written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LocalCaConfig {
    /// The name of a root that is made here, 1 to 64 characters.
    pub ca_common_name: String,
    /// The longest lifetime of a certificate, in days.
    #[schemars(range(min = 1, max = 36500))]
    pub validity_days: u32,
    /// The lifetime of a root that is made here, in days.
    #[schemars(range(min = 1, max = 36500))]
    pub ca_validity_days: u32,
    /// The key of a root that is made here.
    pub ca_key_algorithm: CaKeyAlgorithm,
    /// A CA certificate to sign with, and those above it, in PEM; then nothing is made here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_cert_pem: Option<String>,
    /// The key of that CA certificate in PEM, not encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_key_pem: Option<Secret>,
    /// The id of an intermediate CA of this issuer that signs in place of the CA itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_ca: Option<String>,
    /// Understood only to be refused: see the documentation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub ca_cert_path: Option<String>,
    /// Understood only to be refused: see the documentation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub ca_key_path: Option<String>,
    /// The rules that a certificate must keep to be signed.
    pub lint: LintScope,
    /// How long before the order a certificate begins, in seconds: clocks of its users may be behind.
    #[schemars(range(max = 86400))]
    pub backdate_seconds: u32,
    /// Where the CRL is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub crl_urls: Vec<String>,
    /// Where the OCSP responder is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ocsp_urls: Vec<String>,
    /// Where the CA certificate is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ca_issuer_urls: Vec<String>,
    /// Into how many CRLs certificates are divided when they are issued, besides the one that lists all; 0 for none. Needs the
    /// server's public URL.
    #[schemars(range(max = 1024))]
    pub crl_shards: u16,
    /// Whether there is a CRL of what changed.
    pub crl_deltas: bool,
}

impl Default for LocalCaConfig {
    fn default() -> Self {
        Self {
            ca_common_name: "CertCtl Local CA".to_owned(),
            validity_days: 90,
            ca_validity_days: 3650,
            ca_key_algorithm: CaKeyAlgorithm::EcdsaP256,
            ca_cert_pem: None,
            ca_key_pem: None,
            signing_ca: None,
            ca_cert_path: None,
            ca_key_path: None,
            lint: LintScope::Private,
            backdate_seconds: 60,
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuer_urls: Vec::new(),
            crl_shards: 0,
            crl_deltas: false,
        }
    }
}

/// What a local CA signs with and what it signs.
#[derive(Clone, Debug)]
pub struct LocalCaTerms {
    pub(super) origin: AuthorityOrigin,
    /// The given CA certificate and those above it, in order.
    pub(super) given_chain: Option<Chain>,
    /// The intermediate CA that signs in its place.
    pub(super) signing_ca: Option<IntermediateCaId>,
    pub(super) max_lifetime: Duration,
    pub(super) backdate: Duration,
    pub(super) lint: LintScope,
    pub(super) crl_urls: Vec<String>,
    pub(super) ocsp_urls: Vec<String>,
    pub(super) ca_issuer_urls: Vec<String>,
    pub(super) crl: CrlPublication,
}

/// A century; longer than any key should live, and far from overflow.
const MAX_DAYS: u32 = 36_500;
const MAX_BACKDATE_SECONDS: u32 = 86_400;
/// Enough for 100 million certificates in lists of 4 MB.
const MAX_SHARDS: u16 = 1_024;
const MAX_URLS: usize = 8;
const MAX_URL: usize = 2048;

impl LocalCaConfig {
    pub(super) fn validate(self) -> Result<LocalCaTerms, ConfigError> {
        no_paths(&self)?;
        if self.backdate_seconds > MAX_BACKDATE_SECONDS {
            let message = format!("at most {MAX_BACKDATE_SECONDS}, a day; leave it out for 60");
            return Err(ConfigError::at("/backdate_seconds", message));
        }
        if self.crl_shards > MAX_SHARDS {
            return Err(ConfigError::at("/crl_shards", format!("at most {MAX_SHARDS}; leave it out for one CRL")));
        }
        if self.crl_shards > 0 && !self.crl_urls.is_empty() {
            let message = "crl_urls names where the CRL is, and so leaves no choice of shards; leave out one of them";
            return Err(ConfigError::at("/crl_shards", message));
        }
        let max_lifetime = days("/validity_days", self.validity_days)?;
        let ca_validity = days("/ca_validity_days", self.ca_validity_days)?;
        let certificate = self.ca_cert_pem.as_deref().filter(|pem| !pem.trim().is_empty());
        let private_key = self.ca_key_pem.as_ref().filter(|pem| !pem.expose().trim().is_empty());
        let (origin, given_chain) = match (certificate, private_key) {
            (None, None) => {
                let common_name = common_name(&self.ca_common_name)?;
                let algorithm = self.ca_key_algorithm.into();
                (AuthorityOrigin::SelfSigned { common_name, algorithm, validity: ca_validity }, None)
            }
            (Some(certificate), Some(private_key)) => {
                let (chain, key_pem) = provided(certificate, private_key)?;
                (AuthorityOrigin::Provided { chain_pem: chain.to_pem(), key_pem }, Some(chain))
            }
            (Some(_), None) => {
                return Err(ConfigError::at("/ca_key_pem", "give the key that belongs to ca_cert_pem, too"));
            }
            (None, Some(_)) => {
                return Err(ConfigError::at("/ca_cert_pem", "give the certificate that belongs to ca_key_pem, too"));
            }
        };
        let signing_ca = self.signing_ca.filter(|id| !id.is_empty()).map(IntermediateCaId::parse).transpose();
        Ok(LocalCaTerms {
            origin,
            given_chain,
            signing_ca: signing_ca.map_err(|error| ConfigError::at("/signing_ca", error.to_string()))?,
            max_lifetime,
            backdate: Duration::from_secs(self.backdate_seconds.into()),
            lint: self.lint,
            crl_urls: urls("/crl_urls", self.crl_urls)?,
            ocsp_urls: urls("/ocsp_urls", self.ocsp_urls)?,
            ca_issuer_urls: urls("/ca_issuer_urls", self.ca_issuer_urls)?,
            crl: CrlPublication { shards: self.crl_shards, deltas: self.crl_deltas },
        })
    }
}

/// Whoever may configure an issuer need not be one who may read the server's files.
fn no_paths(config: &LocalCaConfig) -> Result<(), ConfigError> {
    let given = |path: &Option<String>| path.as_ref().is_some_and(|path| !path.is_empty());
    let refused = |path: &str, pem: &str| {
        let message = format!("files of the server are not read; put the contents of the file into {pem}");
        Err(ConfigError::at(format!("/{path}"), message))
    };
    match (given(&config.ca_cert_path), given(&config.ca_key_path)) {
        (true, _) => refused("ca_cert_path", "ca_cert_pem"),
        (_, true) => refused("ca_key_path", "ca_key_pem"),
        _ => Ok(()),
    }
}

fn days(pointer: &str, days: u32) -> Result<Duration, ConfigError> {
    if (1..=MAX_DAYS).contains(&days) {
        return Ok(Duration::from_hours(24 * u64::from(days)));
    }
    Err(ConfigError::at(pointer, format!("{days} is out of range; give 1 to {MAX_DAYS} days")))
}

fn common_name(text: &str) -> Result<String, ConfigError> {
    let text = text.trim();
    if (1..=MAX_COMMON_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(ConfigError::at("/ca_common_name", format!("give 1 to {MAX_COMMON_NAME} characters on one line")))
}

/// Everything about a CA certificate and its key that can be known without a clock and without using the key.
fn provided(certificate: &str, private_key: &Secret) -> Result<(Chain, Secret), ConfigError> {
    let unfit = |message: String| ConfigError::at("/ca_cert_pem", message);
    let chain = Chain::from_pem(certificate).map_err(|error| unfit(error.to_string()))?;
    let authority = Authority::from_certificate(chain.leaf()).map_err(|error| unfit(error.to_string()))?;
    let ordered = assemble(chain.leaf(), chain.issuers(), Root::Keep).map_err(|error| unfit(error.to_string()))?;
    if ordered.certificates().len() != chain.certificates().len() {
        return Err(unfit(
            "it holds a certificate that does not stand above the CA certificate; give the CA certificate first, then \
             only those above it"
                .to_owned(),
        ));
    }
    check_constraints(&ordered).map_err(|error| unfit(error.to_string()))?;
    let unusable = |message: String| ConfigError::at("/ca_key_pem", message);
    let pkcs8 = private_key::from_pem(private_key.expose()).map_err(|error| unusable(error.to_string()))?;
    let of_key = private_key::algorithm(&pkcs8).map_err(|error| unusable(error.to_string()))?;
    let of_certificate = key::algorithm(authority.spki()).map_err(|error| unfit(error.to_string()))?;
    if of_key != of_certificate {
        return Err(unusable(format!(
            "it is {of_key}, but the CA certificate's key is {of_certificate}; give the key that belongs to ca_cert_pem"
        )));
    }
    Ok((ordered, Secret::new(private_key::to_pem(&pkcs8).as_str())))
}

fn urls(pointer: &str, urls: Vec<String>) -> Result<Vec<String>, ConfigError> {
    if urls.len() > MAX_URLS {
        return Err(ConfigError::at(pointer, format!("at most {MAX_URLS} URLs fit into a certificate")));
    }
    for (position, url) in urls.iter().enumerate() {
        let usable = url.is_ascii()
            && url.len() <= MAX_URL
            && Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https" | "ldap") && url.has_host());
        if !usable {
            let message = "it is no absolute URL; write it as http://host/path";
            return Err(ConfigError::at(format!("{pointer}/{position}"), message));
        }
    }
    Ok(urls)
}
