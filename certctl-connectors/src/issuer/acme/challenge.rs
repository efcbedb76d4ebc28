//! Showing that a name is ours: answering challenges, and taking the answers away again. Each may be done twice.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use certctl_core::connector::{
    ChallengeAnswer, ChallengeKey, Challenges, ConnectorContext, ConnectorError, ConnectorErrorKind,
};
use certctl_core::domain::{KeyAlgorithm, Serial, SubjectAltName, Timestamp};
use certctl_core::pki::certificate::{self, ChallengeRequest};
use certctl_core::ports::{CommandError, CommandSpec, Ports};
use serde::{Deserialize, Serialize};
use url::Url;

use super::account::Account;
use super::config::{AcmeChallenge, AcmeTerms, Maker};
use super::dns_update::{Change, update};
use super::jws::sha256;
use super::wire::Identifier;

/// One challenge that is answered, as it is kept with the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Offer {
    pub(super) kind: AcmeChallenge,
    pub(super) identifier: Identifier,
    pub(super) wildcard: bool,
    /// The challenge's URL.
    pub(super) url: Url,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) token: String,
}

/// Longer than any order is waited for.
const ANSWERED: Duration = Duration::from_hours(48);
/// Shorter than what a step may take.
const PROGRAM_TIMEOUT: Duration = Duration::from_secs(100);
/// Certificates of tls-alpn-01 live as long as the order at most.
const CERTIFICATE: Duration = Duration::from_hours(24 * 7);
/// The most that is repeated of what a program complains, in characters.
const COMPLAINT: usize = 300;

/// Whose challenges are answered, and when.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) account: &'a Account,
    /// The order, by its idempotency key.
    pub(super) order: &'a str,
    pub(super) now: Timestamp,
}

/// Who answers.
pub(super) struct Answers {
    terms: Arc<AcmeTerms>,
    ports: Ports,
    challenges: Arc<dyn Challenges>,
}

impl Answers {
    pub(super) fn new(terms: Arc<AcmeTerms>, cx: &ConnectorContext) -> Self {
        Self { terms, ports: cx.ports.clone(), challenges: Arc::clone(&cx.challenges) }
    }

    /// Has a challenge answered.
    ///
    /// # Errors
    /// One of kind `Challenge` while another order has a certificate shown for the same name.
    pub(super) async fn give(&self, offer: &Offer, asking: Asking<'_>) -> Result<(), ConnectorError> {
        let Asking { account, order, now } = asking;
        match offer.kind {
            AcmeChallenge::Http01 => {
                let key_authorization = offer.key_authorization(account);
                let answer = ChallengeAnswer::Http01 { token: offer.token.clone(), key_authorization };
                self.challenges.publish(order, &answer, now + ANSWERED).await
            }
            AcmeChallenge::TlsAlpn01 => {
                let answer = self.certificate(offer, account, now).await?;
                self.challenges.publish(order, &answer, now + ANSWERED).await
            }
            AcmeChallenge::Dns01 => self.record(offer, account, Change::Add).await,
            AcmeChallenge::DnsPersist01 => {
                let check = self.terms.dns.check;
                if check && self.is_seen(offer, account).await? {
                    return Ok(());
                }
                // Where nobody looks and nobody makes it, it stands there by the operator's word.
                if check && matches!(self.terms.dns.maker, Maker::Nobody) {
                    let (name, text) = self.text_record(offer, account);
                    let why = format!("add the TXT record {name} with `{text}`: nobody is configured who makes it");
                    return Err(ConnectorError::new(ConnectorErrorKind::Policy, why));
                }
                self.record(offer, account, Change::Add).await
            }
        }
    }

    /// Takes the answer away. A standing record stays.
    pub(super) async fn take_away(&self, offer: &Offer, asking: Asking<'_>) -> Result<(), ConnectorError> {
        match offer.kind {
            AcmeChallenge::Http01 => {
                self.challenges.withdraw(asking.order, &ChallengeKey::Http01(offer.token.clone())).await
            }
            AcmeChallenge::TlsAlpn01 => {
                let challenge = ChallengeKey::TlsAlpn01(handshake_name(&offer.identifier));
                self.challenges.withdraw(asking.order, &challenge).await
            }
            AcmeChallenge::Dns01 => self.record(offer, asking.account, Change::Remove).await,
            AcmeChallenge::DnsPersist01 => Ok(()),
        }
    }

    /// Whether the record of a challenge over the DNS is to be seen, as far as it can be told from here.
    pub(super) async fn is_seen(&self, offer: &Offer, account: &Account) -> Result<bool, ConnectorError> {
        if !offer.is_over_dns() || !self.terms.dns.check {
            return Ok(true);
        }
        let (name, text) = self.text_record(offer, account);
        let found = self.ports.resolver.txt(&name, &self.terms.dns.servers).await.map_err(|error| {
            ConnectorError::unreachable("the DNS cannot be asked for the record of a challenge").because(error)
        })?;
        Ok(match offer.kind {
            AcmeChallenge::DnsPersist01 => found.iter().any(|found| is_persistent(found, &text)),
            _ => found.contains(&text),
        })
    }

    /// Name and text of a TXT record.
    fn text_record(&self, offer: &Offer, account: &Account) -> (String, String) {
        let domain = &offer.identifier.value;
        match offer.kind {
            AcmeChallenge::DnsPersist01 => {
                let issuer = self.terms.persist_issuer.as_deref().unwrap_or_default();
                let policy = if offer.wildcard { "; policy=wildcard" } else { "" };
                let text = format!("{issuer}; accounturi={}{policy}", account.url);
                (format!("_validation-persist.{domain}"), text)
            }
            _ => (format!("_acme-challenge.{domain}"), sha256(offer.key_authorization(account).as_bytes())),
        }
    }

    async fn record(&self, offer: &Offer, account: &Account, change: Change) -> Result<(), ConnectorError> {
        let (name, text) = self.text_record(offer, account);
        match &self.terms.dns.maker {
            Maker::Nobody => Ok(()),
            Maker::Update(terms) => update(terms, &self.ports, change, &name, &text).await,
            Maker::Programs { present, cleanup } => {
                let argv = match change {
                    Change::Add => present,
                    Change::Remove => match cleanup {
                        Some(cleanup) => cleanup,
                        None => return Ok(()),
                    },
                };
                let variables = [
                    ("CERTCTL_DNS_DOMAIN", offer.identifier.value.as_str()),
                    ("CERTCTL_DNS_FQDN", &name),
                    ("CERTCTL_DNS_VALUE", &text),
                    ("CERTCTL_DNS_TOKEN", &offer.token),
                ];
                let environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
                let command =
                    CommandSpec { timeout: PROGRAM_TIMEOUT, environment, ..CommandSpec::new(argv.iter().cloned()) };
                let output = self.ports.commands.run(&command).await.map_err(not_run)?;
                if output.succeeded() {
                    return Ok(());
                }
                let complaint: String = output.stderr.trim().chars().take(COMPLAINT).collect();
                let program = argv.first().map(String::as_str).unwrap_or_default();
                Err(ConnectorError::transient(format!("{program} failed for {name}: {complaint}")))
            }
        }
    }

    /// RFC 8737 §3: made anew each time, so its key is kept nowhere but with the answer.
    async fn certificate(
        &self,
        offer: &Offer,
        account: &Account,
        now: Timestamp,
    ) -> Result<ChallengeAnswer, ConnectorError> {
        let unmade = "no certificate can be made for the challenge";
        let key = self.ports.keys.generate(KeyAlgorithm::EcdsaP256, &*self.ports.rng).await;
        let key = key.map_err(|error| ConnectorError::permanent(unmade).because(error))?;
        let name = SubjectAltName::parse(&offer.identifier.value);
        let name = name.map_err(|error| ConnectorError::permanent(unmade).because(error))?;
        let mut digest = [0; 32];
        let key_authorization = offer.key_authorization(account);
        digest.copy_from_slice(digest::digest(&digest::SHA256, key_authorization.as_bytes()).as_ref());
        let request = ChallengeRequest {
            name,
            digest,
            spki: key.signer.public_key().to_vec(),
            serial: Serial::random(&*self.ports.rng),
            not_before: now - Duration::from_hours(1),
            not_after: now + CERTIFICATE,
        };
        let unsigned = certificate::challenge(&request);
        let unsigned = unsigned.map_err(|error| ConnectorError::permanent(unmade).because(error))?;
        let signed = unsigned.sign(&*key.signer).await;
        let certificate = signed.map_err(|error| ConnectorError::permanent(unmade).because(error))?;
        let name = handshake_name(&offer.identifier);
        Ok(ChallengeAnswer::TlsAlpn01 { name, certificate, key: key.pkcs8 })
    }
}

impl Offer {
    /// RFC 8555 §8.1.
    fn key_authorization(&self, account: &Account) -> String {
        format!("{}.{}", self.token, account.key.thumbprint())
    }

    pub(super) const fn is_over_dns(&self) -> bool {
        matches!(self.kind, AcmeChallenge::Dns01 | AcmeChallenge::DnsPersist01)
    }
}

/// What the CA names in its handshake: the name, or the reverse name of an address (RFC 8738 §6).
fn handshake_name(identifier: &Identifier) -> String {
    match identifier.address() {
        None => identifier.value.to_ascii_lowercase(),
        Some(IpAddr::V4(address)) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        Some(IpAddr::V6(address)) => {
            let digits = hex::encode(address.octets());
            let reversed: String = digits.chars().rev().flat_map(|digit| [digit, '.']).collect();
            format!("{reversed}ip6.arpa")
        }
    }
}

/// Whether a standing record says what is needed: the CA, the account, and the same policy or a wider one. Parameters may stand in
/// any order, and others beside them (RFC 8659 §4.2, which it takes its form from).
fn is_persistent(found: &str, needed: &str) -> bool {
    let parts = |text: &str| {
        let mut parts = text.split(';').map(|part| part.trim().to_owned());
        (parts.next().unwrap_or_default().to_ascii_lowercase(), parts.collect::<Vec<_>>())
    };
    let ((issuer, has), (needed_issuer, needs)) = (parts(found), parts(needed));
    issuer == needed_issuer && needs.iter().all(|need| has.contains(need))
}

fn not_run(error: CommandError) -> ConnectorError {
    let kind = match error {
        CommandError::Timeout { .. } => ConnectorErrorKind::Transient,
        _ => ConnectorErrorKind::Permanent,
    };
    ConnectorError::new(kind, "the program that makes DNS records did not run").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_names_addresses_backwards_as_rfc_8738_section_6_says() {
        let of = |kind: &str, value: &str| handshake_name(&Identifier { kind: kind.into(), value: value.into() });
        assert_eq!(of("dns", "Shop.example"), "shop.example");
        assert_eq!(of("ip", "192.0.2.1"), "1.2.0.192.in-addr.arpa");
        assert_eq!(of("ip", "2001:db8::1"), "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
    }

    #[test]
    fn a_standing_record_is_recognised_in_any_order_and_not_for_less() {
        let needed = "ca.example; accounturi=https://ca.example/a/1";
        assert!(is_persistent("ca.example;accounturi=https://ca.example/a/1", needed));
        assert!(is_persistent(
            "CA.example; persistUntil=9; policy=wildcard; accounturi=https://ca.example/a/1",
            needed
        ));
        assert!(!is_persistent("other.example; accounturi=https://ca.example/a/1", needed));
        assert!(!is_persistent("ca.example; accounturi=https://ca.example/a/2", needed));
        assert!(!is_persistent("ca.example", needed));
        assert!(!is_persistent(needed, &format!("{needed}; policy=wildcard")));
    }
}
