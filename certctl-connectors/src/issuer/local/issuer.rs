//! The issuer: its CA is opened at the first order and kept.

use std::sync::Arc;

use async_trait::async_trait;
use certctl_core::connector::{
    Authorities, Authority, AuthorityOrigin, AuthorityRequest, CaChain, ConnectorContext, ConnectorError,
    CrlPublication, Issuance, IssueOrder, IssuePace, Issuer, IssuerCapabilities, OrderState, StatusSigner,
    TestConnection,
};
use certctl_core::domain::{Chain, ExtendedKeyUsage, KeyFamily, SanKind, Timestamp};
use certctl_core::ports::SecureRng;
use futures_util::lock::Mutex;

use super::config::LocalCaTerms;
use super::signing::SigningCa;

/// Signs in this process.
pub(super) struct LocalIssuer {
    owner: String,
    terms: LocalCaTerms,
    authorities: Arc<dyn Authorities>,
    rng: Arc<dyn SecureRng>,
    /// Only a CA that was opened is kept: after a failure the next order tries again.
    opened: Mutex<Option<Arc<SigningCa>>>,
}

impl LocalIssuer {
    pub(super) fn new(terms: LocalCaTerms, cx: &ConnectorContext) -> Self {
        Self {
            owner: cx.id.clone(),
            terms,
            authorities: Arc::clone(&cx.authorities),
            rng: Arc::clone(&cx.ports.rng),
            opened: Mutex::new(None),
        }
    }

    /// Orders that come at once wait for one opening: a root is made once.
    async fn ca(&self) -> Result<Arc<SigningCa>, ConnectorError> {
        let mut opened = self.opened.lock().await;
        if let Some(ca) = &*opened {
            return Ok(Arc::clone(ca));
        }
        let (owner, origin) = match &self.terms.signing_ca {
            None => (self.owner.clone(), self.terms.origin.clone()),
            Some(id) => (id.to_string(), AuthorityOrigin::Intermediate { issuer_id: self.owner.clone() }),
        };
        let request = AuthorityRequest { owner, origin };
        let ca = Arc::new(SigningCa::new(self.authorities.open(&request).await?, &self.terms)?);
        *opened = Some(Arc::clone(&ca));
        Ok(ca)
    }
}

#[async_trait]
impl Issuer for LocalIssuer {
    fn capabilities(&self) -> IssuerCapabilities {
        IssuerCapabilities {
            san_kinds: SanKind::ALL.iter().copied().collect(),
            key_families: KeyFamily::ALL.iter().copied().collect(),
            ekus: ExtendedKeyUsage::ALL.iter().copied().collect(),
            max_lifetime: Some(self.terms.max_lifetime),
            wildcards: true,
            pace: IssuePace::Immediate,
        }
    }

    async fn issue(&self, order: IssueOrder<'_>) -> Result<Issuance, ConnectorError> {
        let chain = self.ca().await?.sign(&order, &self.terms, &*self.rng).await?;
        Ok(Issuance::Issued(chain))
    }

    async fn resume(&self, _: IssueOrder<'_>, _: &OrderState) -> Result<Issuance, ConnectorError> {
        Err(ConnectorError::permanent(
            "the local CA has no pending orders; this state is another issuer's. Order again",
        ))
    }

    fn test_connection(&self) -> Option<&dyn TestConnection> {
        Some(self)
    }

    fn ca_chain(&self) -> Option<&dyn CaChain> {
        Some(self)
    }

    fn status_signer(&self) -> Option<&dyn StatusSigner> {
        Some(self)
    }
}

#[async_trait]
impl CaChain for LocalIssuer {
    async fn chain(&self) -> Result<Chain, ConnectorError> {
        Ok(self.ca().await?.authority().chain.clone())
    }
}

#[async_trait]
impl StatusSigner for LocalIssuer {
    async fn authority(&self) -> Result<Authority, ConnectorError> {
        Ok(self.ca().await?.authority().clone())
    }

    fn crl_publication(&self) -> CrlPublication {
        self.terms.crl
    }
}

#[async_trait]
impl TestConnection for LocalIssuer {
    /// Opens the CA, which is made now if it was not made before, and has it sign something that is no certificate.
    async fn test(&self, now: Timestamp) -> Result<String, ConnectorError> {
        let until = self.ca().await?.prove(now).await?;
        Ok(format!("the CA key signs, and its certificate is valid until {until}"))
    }
}

impl std::fmt::Debug for LocalIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalIssuer").field("owner", &self.owner).field("terms", &self.terms).finish_non_exhaustive()
    }
}
