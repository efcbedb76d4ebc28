//! Issuers: what turns a certificate signing request into a certificate.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CaChain, ConfigError, ConnectorContext, ConnectorError, Revoker, StatusSigner};
use crate::domain::{
    Chain, Csr, EnforcedTerms, ExtendedKeyUsage, IssuingAccount, KeyFamily, RenewalInfoId, SanKind, Serial,
    SubjectNames, Timestamp,
};
use crate::text_enum;

/// The member of an issuer's configuration that names the intermediate CA of it that signs, for kinds whose CA is kept here.
pub const SIGNING_CA: &str = "signing_ca";

/// A kind of issuer: how it is configured and built.
pub trait IssuerPlugin: 'static {
    /// The wire name, such as `GenericCA`.
    const KIND: &'static str;
    /// Other spellings that are understood.
    const ALIASES: &'static [&'static str] = &[];
    /// The connector's page, in Markdown.
    const DOCS: &'static str;
    /// As written by operators. Must refuse unknown fields; secrets are typed [`Secret`](crate::ports::Secret).
    type Config: Serialize + DeserializeOwned + JsonSchema;
    /// As parsed and checked.
    type Valid: Send + Sync;
    /// Checks a configuration. Pure; runs whenever one is written.
    fn validate(config: Self::Config) -> Result<Self::Valid, ConfigError>;
    /// Makes the issuer. Must not call anybody.
    fn build(valid: Self::Valid, cx: &ConnectorContext) -> Result<Arc<dyn Issuer>, ConnectorError>;
}

/// A configured issuer.
#[async_trait]
pub trait Issuer: Debug + Send + Sync {
    /// What it can do, compared with profiles before anything is asked of it.
    fn capabilities(&self) -> IssuerCapabilities;

    /// Begins an order. Returns [`Issuance::Pending`] before any effect that is expensive to lose or to repeat.
    ///
    /// A second call with the same [`IssueOrder::idempotency_key`] must not obtain a second certificate where the other
    /// side offers a way to know.
    async fn issue(&self, order: IssueOrder<'_>) -> Result<Issuance, ConnectorError>;

    /// Goes on with an order from the state that an earlier step returned, also in another process.
    async fn resume(&self, order: IssueOrder<'_>, state: &OrderState) -> Result<Issuance, ConnectorError>;

    /// The role of issuers that can be tried out without an order; `None` for those that cannot.
    fn test_connection(&self) -> Option<&dyn TestConnection> {
        None
    }

    /// The role of issuers that say when their certificates should be renewed (RFC 9773); `None` for those that do not.
    fn renewal_info(&self) -> Option<&dyn RenewalInfo> {
        None
    }

    /// The role of issuers that have to be told of revocations; `None` for those whose certificates this engine itself answers
    /// for.
    fn revoker(&self) -> Option<&dyn Revoker> {
        None
    }

    /// The role of issuers that say by which CA their certificates are signed; `None` for those that do not.
    fn ca_chain(&self) -> Option<&dyn CaChain> {
        None
    }

    /// The role of issuers whose CA key is at hand to sign the status of what it signed; `None` for those that answer for it
    /// themselves, or nobody does.
    fn status_signer(&self) -> Option<&dyn StatusSigner> {
        None
    }
}

/// An issuer that can be tried out without an order.
#[async_trait]
pub trait TestConnection: Send + Sync {
    /// Finds out whether an order would get as far as the other side: its address, its credentials, the CA. Orders nothing
    /// and certifies nothing. `now` is the moment, by the store's clock. Answers what was found, for people.
    ///
    /// # Errors
    /// What would stand in the way of an order.
    async fn test(&self, now: Timestamp) -> Result<String, ConnectorError>;
}

/// An issuer that says when its certificates should be renewed (RFC 9773).
#[async_trait]
pub trait RenewalInfo: Send + Sync {
    /// Under which account at which CA it orders. Asked before each order, so it should be known already.
    ///
    /// # Errors
    /// When there is no account yet. Then an order names nothing that it replaces.
    async fn account(&self) -> Result<IssuingAccount, ConnectorError>;

    /// The window that the CA suggests for the renewal of a certificate (RFC 9773 §4.2).
    ///
    /// # Errors
    /// Those of the call. Renewal goes on without an answer.
    async fn suggest(&self, certificate: &RenewalInfoId) -> Result<SuggestedWindow, ConnectorError>;
}

/// When a CA would like to see a certificate renewed (RFC 9773 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuggestedWindow {
    /// Its first moment, which may have passed.
    pub start: Timestamp,
    /// Its last moment.
    pub end: Timestamp,
    /// Where people read why.
    pub explanation_url: Option<String>,
    /// When to ask again, as the CA said (RFC 9773 §4.3.1).
    pub retry_after: Option<Duration>,
}

/// The version that an order replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predecessor {
    /// Its serial number.
    pub serial: Serial,
    /// How its CA knows it, where the issuer offers renewal information: the `replaces` of RFC 9773 §5.
    pub renewal_info_id: Option<RenewalInfoId>,
}

/// What is ordered. Everything in it has been checked.
#[derive(Clone, Copy, Debug)]
pub struct IssueOrder<'a> {
    /// Stable for all steps and retries of one order.
    pub idempotency_key: &'a str,
    /// The request, its signature verified.
    pub csr: &'a Csr,
    /// The names to certify; equal to those of the request.
    pub names: &'a SubjectNames,
    /// What the profile enforces.
    pub terms: &'a EnforcedTerms,
    /// The version that this one replaces; absent for the first, and where the issuer would refuse to hear of it. An issuer that
    /// refuses it answers [`ConnectorErrorKind::Lineage`](super::ConnectorErrorKind::Lineage), and is asked again without.
    pub replaces: Option<&'a Predecessor>,
    /// The moment, by the store's clock.
    pub now: Timestamp,
}

/// How far an order got.
#[derive(Clone, Debug)]
pub enum Issuance {
    /// The certificate, leaf first.
    Issued(Chain),
    /// Not yet. The state is stored, sealed, before anything else happens.
    Pending {
        /// What [`Issuer::resume`] needs.
        state: OrderState,
        /// The serial, where it is already decided.
        serial: Option<Serial>,
        /// When to go on; at once when zero.
        retry_after: Duration,
    },
}

/// What an issuer needs to go on with an order; only the issuer reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderState(pub Vec<u8>);

text_enum! {
    /// How long an issuer takes.
    pub enum IssuePace {
        /// It signs in this process, so that an agent's request is answered with a certificate.
        Immediate = "immediate",
        /// It asks somebody else; a job waits for it.
        Deferred = "deferred",
    }
}

text_enum! {
    /// Which lint rules apply before signing.
    pub enum LintScope {
        /// RFC 5280 and the rules that it rests on.
        Private = "private",
        /// Also those of publicly trusted certificates.
        PublicTrust = "public_trust",
    }
}

/// What an issuer can do, as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerCapabilities {
    /// The kinds of subject alternative names.
    pub san_kinds: BTreeSet<SanKind>,
    /// The families of keys.
    pub key_families: BTreeSet<KeyFamily>,
    /// The extended key usages; empty for whatever it decides.
    pub ekus: BTreeSet<ExtendedKeyUsage>,
    /// The longest lifetime, if it has one.
    pub max_lifetime: Option<Duration>,
    /// Whether it certifies wildcard names.
    pub wildcards: bool,
    /// How long it takes.
    pub pace: IssuePace,
}
