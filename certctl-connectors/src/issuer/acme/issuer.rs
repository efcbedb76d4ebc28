//! The issuer: what it can do, and its roles.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use certctl_core::connector::{
    ConnectorContext, ConnectorError, ConnectorErrorKind, Issuance, IssueOrder, IssuePace, Issuer, IssuerCapabilities,
    OrderState, RenewalInfo, Revoker, SuggestedWindow, TestConnection,
};
use certctl_core::domain::{IssuingAccount, KeyFamily, RenewalInfoId, SanKind, Timestamp};

use super::account::Accounts;
use super::challenge::Answers;
use super::client::Client;
use super::config::{AcmeChallenge, AcmeTerms, Binding};
use super::order::Progress;
use super::wire::RenewalInfoDocument;

/// Asks an ACME CA.
pub(super) struct AcmeIssuer {
    pub(super) terms: Arc<AcmeTerms>,
    pub(super) client: Client,
    pub(super) accounts: Accounts,
    pub(super) answers: Answers,
}

impl AcmeIssuer {
    pub(super) fn new(terms: AcmeTerms, cx: &ConnectorContext) -> Self {
        let terms = Arc::new(terms);
        Self {
            client: Client::new(&terms, &cx.ports),
            accounts: Accounts::new(Arc::clone(&terms), cx.ports.clone(), Arc::clone(&cx.state)),
            answers: Answers::new(Arc::clone(&terms), cx),
            terms,
        }
    }
}

#[async_trait]
impl Issuer for AcmeIssuer {
    fn capabilities(&self) -> IssuerCapabilities {
        let over_dns = matches!(self.terms.challenge, AcmeChallenge::Dns01 | AcmeChallenge::DnsPersist01);
        IssuerCapabilities {
            san_kinds: if over_dns { [SanKind::Dns].into() } else { [SanKind::Dns, SanKind::Ip].into() },
            key_families: [KeyFamily::Ecdsa, KeyFamily::Rsa].into(),
            // The CA's profiles decide.
            ekus: BTreeSet::new(),
            max_lifetime: None,
            wildcards: over_dns,
            pace: IssuePace::Deferred,
        }
    }

    async fn issue(&self, order: IssueOrder<'_>) -> Result<Issuance, ConnectorError> {
        self.begin(&order).await
    }

    async fn resume(&self, order: IssueOrder<'_>, state: &OrderState) -> Result<Issuance, ConnectorError> {
        let progress = Progress::read(self, state)?;
        self.go_on(&order, progress).await
    }

    fn test_connection(&self) -> Option<&dyn TestConnection> {
        Some(self)
    }

    fn renewal_info(&self) -> Option<&dyn RenewalInfo> {
        self.terms.renewal_info.then_some(self as &dyn RenewalInfo)
    }

    fn revoker(&self) -> Option<&dyn Revoker> {
        Some(self)
    }
}

#[async_trait]
impl TestConnection for AcmeIssuer {
    async fn test(&self, _now: Timestamp) -> Result<String, ConnectorError> {
        let directory = self.client.directory().await?;
        if let Some(profile) = self.terms.profile.as_deref().filter(|name| !directory.meta.profiles.contains_key(*name))
        {
            let names: Vec<&str> = directory.meta.profiles.keys().map(String::as_str).collect();
            let offered =
                if names.is_empty() { "offers none".to_owned() } else { format!("offers {}", names.join(", ")) };
            let why = format!("the CA has no profile `{profile}`; it {offered}");
            return Err(ConnectorError::permanent(why));
        }
        if directory.meta.external_account_required && matches!(self.terms.binding, Binding::None) {
            let why = "the CA wants accounts that are bound to one of its own; configure eab_kid and eab_hmac";
            return Err(ConnectorError::new(ConnectorErrorKind::Auth, why));
        }
        if self.terms.renewal_info && directory.renewal_info.is_none() {
            return Err(ConnectorError::permanent(
                "the CA does not say when to renew (RFC 9773); set ari_enabled to false",
            ));
        }
        let account = match self.accounts.existing().await? {
            Some(account) => format!("the account is {}", account.url),
            None => "the first order makes the account".to_owned(),
        };
        let terms =
            directory.meta.terms_of_service.as_deref().map(|url| format!("; its terms of service are at {url}"));
        Ok(format!("{} answers; {account}{}", self.terms.directory, terms.unwrap_or_default()))
    }
}

#[async_trait]
impl RenewalInfo for AcmeIssuer {
    async fn account(&self) -> Result<IssuingAccount, ConnectorError> {
        let account =
            self.accounts.existing().await?.ok_or_else(|| ConnectorError::transient("there is no account yet"))?;
        Ok(IssuingAccount { directory: self.terms.directory.to_string(), account: account.url.clone() })
    }

    async fn suggest(&self, certificate: &RenewalInfoId) -> Result<SuggestedWindow, ConnectorError> {
        let directory = self.client.directory().await?;
        let offered = directory.renewal_info.as_ref();
        let base = offered.ok_or_else(|| ConnectorError::permanent("the CA does not say when to renew (RFC 9773)"))?;
        let mut url = base.clone();
        let unusable = "the CA's URL for renewal information cannot be used";
        // RFC 9773 §4.1: the identifier is one more segment of the path.
        let mut path = url.path_segments_mut().map_err(|()| ConnectorError::permanent(unusable))?;
        path.pop_if_empty().push(certificate.as_str());
        drop(path);
        let answer = self.client.get(&url).await?;
        let document: RenewalInfoDocument = answer.json("renewal information")?;
        let moment = |text: &str| {
            Timestamp::parse_rfc3339(text)
                .map_err(|error| ConnectorError::transient("the CA's window has a moment that is none").because(error))
        };
        let (start, end) = (moment(&document.suggested_window.start)?, moment(&document.suggested_window.end)?);
        if end <= start {
            // RFC 9773 §4.2: as if there were no answer.
            return Err(ConnectorError::transient("the CA's window ends before it begins"));
        }
        let explanation_url = document.explanation_url.filter(|url| url.starts_with("https://") && url.len() <= 2_048);
        Ok(SuggestedWindow { start, end, explanation_url, retry_after: answer.retry_after })
    }
}

impl std::fmt::Debug for AcmeIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AcmeIssuer")
            .field("directory", &self.terms.directory.as_str())
            .field("challenge", &self.terms.challenge)
            .finish_non_exhaustive()
    }
}
