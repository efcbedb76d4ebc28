//! What accounts read of their own (RFC 8555 §6.3), and renewal information (RFC 9773). None of it is recorded: clients poll.

use std::time::Duration;

use serde_json::json;

use super::answer::{Answer, Body};
use super::counts::{AcmeEvent, AcmeResource};
use super::directory::Directory;
use super::door::{Acme, principal};
use super::problem::Problem;
use super::{renewal, view};
use crate::domain::{
    AcmeAccount, AcmeAuthorization, AcmeChallenge, AcmeChallengeId, AcmeChallengeState, AcmeOrder, AcmeOrderId,
    AcmeOrderState, Job, RenewalInfoId, Revocation, Serial, Version, pem,
};
use crate::entity::Record;
use crate::ops::acme as ops;
use crate::pki;
use crate::storage::{Query, Reads, View};

/// Most orders that the list of an account's orders has.
const LISTED: usize = 200;
/// Certificates of different issuers that have one serial number.
const OF_ONE_SERIAL: usize = 20;

impl Acme<'_> {
    /// An order. One whose certificate was obtained meanwhile is brought up to date first.
    pub(super) async fn order(
        &self,
        directory: &Directory,
        account: &AcmeAccount,
        id: &str,
    ) -> Result<Answer, Problem> {
        let (mut order, authorizations, replaces) = self.read_order(account, id).await?;
        if let (AcmeOrderState::Processing, Some(job)) = (order.state, &order.job_id) {
            let view = self.engine.storage().read(View::Latest).await?;
            let job = view.get::<Job>(job.as_str()).await?;
            drop(view);
            if job.is_none_or(|job| !job.is_open()) {
                let ended = self.engine.execute(&principal(&account.id), ops::Settle { id: order.id.clone() }).await?;
                if let Some(state) = ended {
                    self.server.note_end(state);
                }
                order = self.read_order(account, id).await?.0;
            }
        }
        let now = self.now().await?;
        let authorizations: Vec<AcmeAuthorization> = authorizations.into_iter().map(Record::into_entity).collect();
        let wait = (order.state == AcmeOrderState::Processing).then_some(view::SOON);
        let body = view::order(directory, (&order, replaces.as_ref().map(RenewalInfoId::as_str)), &authorizations, now);
        Ok(Answer::json(body).after(wait))
    }

    /// An order, its authorizations, and how what it replaces is named.
    async fn read_order(
        &self,
        account: &AcmeAccount,
        id: &str,
    ) -> Result<(Record<AcmeOrder>, Vec<Record<AcmeAuthorization>>, Option<RenewalInfoId>), Problem> {
        let mut reads = Reads::default();
        let order = reads.get::<AcmeOrder>(id);
        let authorizations = reads.list(ops::authorizations_of(id)?)?;
        let view = self.engine.storage().read(View::Latest).await?;
        let mut found = view.read(reads).await?;
        let order = found.one(&order)?.filter(|order| order.account_id == account.id);
        let order = order.ok_or_else(|| Problem::not_found("order"))?;
        let replaced = match &order.replaces {
            Some(version) => view.get::<Version>(version.as_str()).await?,
            None => None,
        };
        let facts = replaced.and_then(|version| pki::certificate::parse(version.chain.leaf()).ok());
        Ok((order, found.all(&authorizations)?, facts.and_then(|facts| RenewalInfoId::of(&facts))))
    }

    /// The newest orders of an account (RFC 8555 §7.1.2.1).
    pub(super) async fn orders(&self, directory: &Directory, account: &AcmeAccount) -> Result<Answer, Problem> {
        let fields = AcmeOrder::FIELDS;
        let query = Query::sorted(fields.created_at.descending())
            .filter(fields.account_id.equals(account.id.clone()))
            .limit(LISTED);
        let view = self.engine.storage().read(View::Latest).await?;
        let now = view.now();
        let orders = view.list(query).await?.records;
        let shown = orders.iter().filter(|order| view::order_state(order, now) != AcmeOrderState::Invalid);
        let urls: Vec<String> = shown.map(|order| directory.order(&order.id)).collect();
        Ok(Answer::json(json!({ "orders": urls })))
    }

    pub(super) async fn authorization(
        &self,
        directory: &Directory,
        account: &AcmeAccount,
        id: &str,
    ) -> Result<Answer, Problem> {
        let mut reads = Reads::default();
        let authorization = reads.get::<AcmeAuthorization>(id);
        let challenges = reads.list(ops::challenges_of(id)?)?;
        let view = self.engine.storage().read(View::Latest).await?;
        let mut found = view.read(reads).await?;
        let authorization = found.one(&authorization)?.filter(|one| one.account_id == account.id);
        let authorization = authorization.ok_or_else(|| Problem::not_found("authorization"))?;
        let challenges: Vec<AcmeChallenge> = found.all(&challenges)?.into_iter().map(Record::into_entity).collect();
        let busy = challenges.iter().any(|challenge| is_busy(challenge.state));
        let body = view::authorization(directory, &authorization, &challenges, view.now());
        Ok(Answer::json(body).after(busy.then_some(view::SOON)))
    }

    pub(super) async fn challenge(
        &self,
        directory: &Directory,
        account: &AcmeAccount,
        id: &str,
    ) -> Result<Answer, Problem> {
        let missing = || Problem::not_found("challenge");
        let id: AcmeChallengeId = id.parse().map_err(|_| missing())?;
        let challenge = self.engine.storage().read(View::Latest).await?.get::<AcmeChallenge>(id.as_str()).await?;
        let challenge = challenge.filter(|challenge| challenge.account_id == account.id).ok_or_else(missing)?;
        let wait = is_busy(challenge.state).then_some(view::SOON);
        let answer = Answer::json(view::challenge(directory, &challenge)).after(wait);
        Ok(answer.up(directory.authorization(&challenge.authorization_id)))
    }

    /// The certificate of an order with those above it (RFC 8555 §7.4.2).
    pub(super) async fn certificate(&self, account: &AcmeAccount, id: &str) -> Result<Answer, Problem> {
        let missing = || Problem::not_found("certificate");
        let id: AcmeOrderId = id.parse().map_err(|_| missing())?;
        let view = self.engine.storage().read(View::Latest).await?;
        let order = view.get::<AcmeOrder>(id.as_str()).await?.filter(|order| order.account_id == account.id);
        let version = order.and_then(|order| order.version_id.clone()).ok_or_else(missing)?;
        let version = view.get::<Version>(version.as_str()).await?.ok_or_else(missing)?;
        self.server.note(AcmeEvent::CertificateFetched);
        Ok(Answer { body: Body::Pem(chain_pem(&version)), ..Answer::empty() })
    }

    /// When a certificate should be renewed (RFC 9773 §4). Whoever asks may know.
    ///
    /// # Errors
    /// The problem that the client is told.
    pub async fn renewal_info(&self, id: &str) -> Result<Answer, Problem> {
        self.server.note(AcmeEvent::Requested(AcmeResource::RenewalInfo));
        self.counted(self.window(id).await)
    }

    async fn window(&self, id: &str) -> Result<Answer, Problem> {
        let missing = || Problem::not_found("certificate");
        let poll = self.server.config.renewal_info.ok_or_else(missing)?;
        let version = self.version_of(id).await?.ok_or_else(missing)?;
        let fields = Revocation::FIELDS;
        let revoked = Query::<Revocation>::all()
            .filter(fields.issuer_id.equals(version.issuer_id.clone()))
            .filter(fields.serial_number.equals(version.serial_number.clone()));
        let revoked = self.engine.storage().read(View::Latest).await?.first(revoked).await?;
        let (start, end) =
            renewal::window((version.not_before, version.not_after), revoked.map(|revoked| revoked.revoked_at));
        let window = json!({ "start": start.floor_to_second(), "end": end.floor_to_second() });
        Ok(Answer::json(json!({ "suggestedWindow": window })).after(Some(poll.max(Duration::from_secs(60)))))
    }

    /// The version that an identifier of RFC 9773 §4.1 names, if it is a valid one of this server.
    pub(super) async fn version_of(&self, id: &str) -> Result<Option<Record<Version>>, Problem> {
        let malformed = || Problem::malformed("the certificate is named by no identifier of RFC 9773 section 4.1");
        let (_, serial) = id.split_once('.').ok_or_else(malformed)?;
        if id.len() > 200 {
            return Err(malformed());
        }
        let serial = ops::base64url(serial).map_err(|_| malformed())?;
        let serial = Serial::from_integer(&serial).map_err(|_| malformed())?;
        let of = Version::FIELDS.serial_number.equals(serial);
        let view = self.engine.storage().read(View::Latest).await?;
        let found = view.list(Query::<Version>::all().filter(of).limit(OF_ONE_SERIAL)).await?.records;
        let named = |version: &Record<Version>| {
            let facts = pki::certificate::parse(version.chain.leaf()).ok();
            facts.and_then(|facts| RenewalInfoId::of(&facts)).is_some_and(|own| own.as_str() == id)
        };
        Ok(found.into_iter().find(named))
    }
}

const fn is_busy(state: AcmeChallengeState) -> bool {
    matches!(state, AcmeChallengeState::Queued | AcmeChallengeState::Running)
}

/// The certificate and its issuers; without the root where others are between, for who trusts it has it (RFC 8555 §9.1). A root
/// that signed the certificate itself is there: clients insist on a second certificate.
fn chain_pem(version: &Version) -> String {
    let (leaf, issuers) = (version.chain.leaf_pem(), version.chain.issuers());
    let root = |der: &Vec<u8>| pki::certificate::parse(der).is_ok_and(|facts| facts.is_self_issued);
    let shown = if issuers.len() > 1 && issuers.last().is_some_and(root) { issuers.len() - 1 } else { issuers.len() };
    let issuers = issuers.iter().take(shown).map(|der| pem::encode("CERTIFICATE", der));
    std::iter::once(leaf).chain(issuers).collect()
}
