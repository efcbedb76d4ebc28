//! How the ACME server behaves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::directory::Directory;
use crate::domain::{AcmeAccountId, AcmeChallengeType, IssuerId, OwnerId, ProfileId, RenewalPolicyId, TeamId};
use crate::text_enum;

text_enum! {
    /// What an account has to prove before it is given a certificate.
    pub enum AcmeAuthMode {
        /// That it controls each name.
        Challenge = "challenge",
        /// Nothing: whoever reaches the server may have what the profile allows. For networks that are trusted.
        TrustAuthenticated = "trust_authenticated",
    }
}

/// The ACME server.
#[derive(Clone, Debug)]
pub struct AcmeConfig {
    /// The profiles that have a directory. What is not here is not served.
    pub profiles: BTreeMap<ProfileId, AcmeProfile>,
    /// The profile that is also served at `/acme/`.
    pub default_profile: Option<ProfileId>,
    /// How long a nonce is good.
    pub nonce_ttl: Duration,
    /// How long an order waits to be finalized; no longer than its authorizations are good.
    pub order_ttl: Duration,
    /// How long an authorization is good.
    pub authorization_ttl: Duration,
    /// How often clients should ask when to renew; without it there is no renewal information (RFC 9773).
    pub renewal_info: Option<Duration>,
    /// What one account may do.
    pub limits: AcmeLimits,
    /// How challenges are looked at.
    pub validation: AcmeValidation,
    /// Where the terms of service are; who opens an account has to agree to them.
    pub terms_of_service: Option<String>,
    /// A page about the server.
    pub website: Option<String>,
    /// The names by which CAA records mean this server (RFC 8659 §4.2). Where there are some, names that are proven must have CAA
    /// records that let it issue, or none.
    pub caa_identities: Vec<String>,
    /// Where clients reach the server, without a path and a slash at the end: what their URLs begin with. The host that they name
    /// when absent; then no CAA record can name an account (RFC 8657 §3).
    pub url: Option<String>,
}

/// The directory of one profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeProfile {
    /// Who issues.
    pub issuer_id: IssuerId,
    /// What accounts have to prove.
    pub auth_mode: AcmeAuthMode,
    /// Whether an account needs the credential of an external account (RFC 8555 §7.3.4).
    pub external_account_required: bool,
    /// Who answers for the certificates.
    pub owner_id: OwnerId,
    /// Their team.
    pub team_id: TeamId,
    /// When people are told that one nears its end.
    pub renewal_policy_id: RenewalPolicyId,
    /// Free text that certificates carry in the inventory, at most 64 characters.
    pub environment: String,
}

/// What one account may do; 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcmeLimits {
    /// Orders within an hour.
    pub orders_per_hour: u32,
    /// Orders that are open at once.
    pub concurrent_orders: u32,
    /// Changes of the account's key within an hour.
    pub key_changes_per_hour: u32,
    /// Challenges that are to be looked at, within an hour.
    pub challenges_per_hour: u32,
}

/// How challenges are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeValidation {
    /// At once, by each process, of http-01.
    pub http01_concurrency: u32,
    /// The same of dns-01.
    pub dns01_concurrency: u32,
    /// The same of tls-alpn-01.
    pub tls_alpn01_concurrency: u32,
    /// The port that web servers are asked at. RFC 8555 §8.3 says 80.
    pub http_port: u16,
    /// The port of TLS handshakes. RFC 8737 §3 says 443.
    pub tls_port: u16,
    /// The DNS servers that are asked for TXT and CAA records; those of the host when empty.
    pub dns_servers: Vec<SocketAddr>,
    /// How long one look may take.
    pub timeout: Duration,
    /// Looks at one challenge before it counts as not met.
    pub attempts: u32,
    /// The pause between two looks; each further one is twice as long.
    pub pause: Duration,
}

impl AcmeConfig {
    /// The URLs of an account of this profile: those of the default profile have two.
    pub(crate) fn account_urls(&self, profile: &ProfileId, account: &AcmeAccountId) -> Vec<String> {
        let Some(url) = &self.url else { return Vec::new() };
        let own = Some(format!("{url}/acme/profile/{profile}"));
        let usual = (self.default_profile.as_ref() == Some(profile)).then(|| format!("{url}/acme"));
        own.into_iter().chain(usual).map(|base| Directory::new(profile.clone(), &base).account(account)).collect()
    }
}

impl AcmeProfile {
    /// The directory of a profile with what a fresh store holds.
    pub fn new(auth_mode: AcmeAuthMode) -> Self {
        Self {
            issuer_id: IssuerId::default(),
            auth_mode,
            external_account_required: false,
            owner_id: OwnerId::default(),
            team_id: TeamId::default(),
            renewal_policy_id: RenewalPolicyId::default(),
            environment: String::new(),
        }
    }
}

impl AcmeValidation {
    /// Looks at once, by each process.
    pub(crate) fn concurrency(&self, kind: AcmeChallengeType) -> u32 {
        match kind {
            AcmeChallengeType::Dns01 => self.dns01_concurrency,
            AcmeChallengeType::Http01 => self.http01_concurrency,
            AcmeChallengeType::TlsAlpn01 => self.tls_alpn01_concurrency,
        }
    }
}

impl Default for AcmeConfig {
    /// No directory at all; the periods and limits of the predecessor.
    fn default() -> Self {
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        Self {
            profiles: BTreeMap::new(),
            default_profile: None,
            nonce_ttl: Duration::from_secs(300),
            order_ttl: hours(24),
            authorization_ttl: hours(24),
            renewal_info: Some(hours(6)),
            limits: AcmeLimits::default(),
            validation: AcmeValidation::default(),
            terms_of_service: None,
            website: None,
            caa_identities: Vec::new(),
            url: None,
        }
    }
}

impl Default for AcmeLimits {
    fn default() -> Self {
        Self { orders_per_hour: 100, concurrent_orders: 5, key_changes_per_hour: 5, challenges_per_hour: 60 }
    }
}

impl Default for AcmeValidation {
    fn default() -> Self {
        Self {
            http01_concurrency: 10,
            dns01_concurrency: 10,
            tls_alpn01_concurrency: 10,
            http_port: 80,
            tls_port: 443,
            dns_servers: Vec::new(),
            timeout: Duration::from_secs(10),
            attempts: 3,
            pause: Duration::from_secs(3),
        }
    }
}
