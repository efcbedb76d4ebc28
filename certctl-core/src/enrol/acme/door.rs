//! The door: from a signed message to an answer.

use super::answer::Answer;
use super::config::{AcmeConfig, AcmeProfile};
use super::counts::{AcmeEvent, AcmeResource, Counts};
use super::directory::Directory;
use super::jwk::Jwk;
use super::jws::{self, Message, Signer};
use super::nonce::Nonces;
use super::payload;
use super::problem::{Problem, ProblemType};
use super::{eab, identifier, view};
use crate::domain::{
    AcmeAccount, AcmeAccountId, AcmeAccountState, AcmeOrderId, AcmeOrderState, Principal, ProfileId, RevocationReason,
    Timestamp,
};
use crate::engine::Engine;
use crate::entity::Record;
use crate::ops::{Operation, acme as ops};
use crate::ports::SecureRng;
use crate::storage::{Query, View};

/// What an engine keeps of its ACME server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) config: AcmeConfig,
    nonces: Nonces,
    counts: Counts,
}

impl Server {
    pub(crate) fn new(config: AcmeConfig, rng: &dyn SecureRng) -> Self {
        let nonces = Nonces::new(rng, config.nonce_ttl);
        Self { config, nonces, counts: Counts::default() }
    }

    /// Counts what has happened, and is stored where it is kept.
    pub(crate) fn note(&self, event: AcmeEvent) {
        self.counts.note(event);
    }

    /// Counts how an order ended.
    pub(crate) fn note_end(&self, state: AcmeOrderState) {
        match state {
            AcmeOrderState::Valid => {
                self.note(AcmeEvent::OrderValid);
                self.note(AcmeEvent::CertificateIssued);
            }
            AcmeOrderState::Invalid => self.note(AcmeEvent::OrderInvalid),
            AcmeOrderState::Pending | AcmeOrderState::Processing | AcmeOrderState::Ready => {}
        }
    }
}

/// The ACME server of an engine.
#[derive(Clone, Copy, Debug)]
pub struct Acme<'a> {
    pub(super) engine: &'a Engine,
    pub(super) server: &'a Server,
}

/// A signed message, and where it went.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The directory whose resource was called.
    pub directory: &'a Directory,
    /// The resource.
    pub resource: Resource<'a>,
    /// Its URL, as the client wrote it.
    pub url: &'a str,
    /// The message.
    pub body: &'a [u8],
}

/// A resource that takes signed messages (RFC 8555 §7.1), with its id as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// An account.
    Account(&'a str),
    /// An authorization.
    Authorization(&'a str),
    /// The certificate of an order.
    Certificate(&'a str),
    /// A challenge.
    Challenge(&'a str),
    /// Where an order is finalized.
    Finalize(&'a str),
    /// Where the key of an account is changed.
    KeyChange,
    /// Where accounts are made and found.
    NewAccount,
    /// Where orders are made.
    NewOrder,
    /// An order.
    Order(&'a str),
    /// The orders of an account.
    Orders(&'a str),
    /// Where certificates are revoked.
    RevokeCertificate,
}

impl Resource<'_> {
    const fn kind(&self) -> AcmeResource {
        match self {
            Self::Account(_) => AcmeResource::Account,
            Self::Authorization(_) => AcmeResource::Authorization,
            Self::Certificate(_) => AcmeResource::Certificate,
            Self::Challenge(_) => AcmeResource::Challenge,
            Self::Finalize(_) => AcmeResource::Finalize,
            Self::KeyChange => AcmeResource::KeyChange,
            Self::NewAccount => AcmeResource::NewAccount,
            Self::NewOrder => AcmeResource::NewOrder,
            Self::Order(_) => AcmeResource::Order,
            Self::Orders(_) => AcmeResource::Orders,
            Self::RevokeCertificate => AcmeResource::RevokeCertificate,
        }
    }
}

impl Engine {
    /// The ACME server, if this engine has one.
    pub fn acme(&self) -> Option<Acme<'_>> {
        self.acme_server().map(|server| Acme { engine: self, server })
    }
}

impl<'a> Acme<'a> {
    /// How it behaves.
    pub fn config(&self) -> &'a AcmeConfig {
        &self.server.config
    }

    /// The directory of a profile, or of the default one, whose URLs begin with `base`. `None` where none is served.
    pub fn directory(&self, profile: Option<&str>, base: &str) -> Option<Directory> {
        let profile = match profile {
            Some(profile) => ProfileId::parse(profile).ok()?,
            None => self.server.config.default_profile.clone()?,
        };
        self.server.config.profiles.contains_key(&profile).then(|| Directory::new(profile, base))
    }

    /// How often something happened at this process since it started.
    pub fn count(&self, event: AcmeEvent) -> u64 {
        self.server.counts.of(event)
    }

    /// The directory itself (RFC 8555 §7.1.1).
    ///
    /// # Errors
    /// The problem that the client is told.
    pub fn index(&self, directory: &Directory) -> Result<Answer, Problem> {
        self.server.note(AcmeEvent::Requested(AcmeResource::Directory));
        Ok(Answer::json(directory.document(&self.server.config, self.profile(directory)?)))
    }

    /// What a request for a nonce is answered with (RFC 8555 §7.2).
    pub fn new_nonce(&self) -> String {
        self.server.note(AcmeEvent::Requested(AcmeResource::NewNonce));
        self.nonce()
    }

    /// A nonce for the client's next message (RFC 8555 §6.5.1). Asks no store.
    pub fn nonce(&self) -> String {
        self.server.note(AcmeEvent::NonceMade);
        self.server.nonces.make(self.engine.ports().clock.monotonic())
    }

    pub(super) fn profile(&self, directory: &Directory) -> Result<&'a AcmeProfile, Problem> {
        let profile = self.server.config.profiles.get(&directory.profile_id);
        profile.ok_or_else(|| Problem::not_found("directory"))
    }

    /// Does what a signed message asks for.
    ///
    /// # Errors
    /// The problem that the client is told.
    pub async fn call(&self, call: Call<'_>) -> Result<Answer, Problem> {
        self.server.note(AcmeEvent::Requested(call.resource.kind()));
        self.counted(self.answer(call).await)
    }

    /// Counts a refusal.
    pub(super) fn counted<T>(&self, answer: Result<T, Problem>) -> Result<T, Problem> {
        answer.inspect_err(|problem| self.server.note(AcmeEvent::Refused(problem.kind)))
    }

    async fn answer(&self, call: Call<'_>) -> Result<Answer, Problem> {
        let message = jws::parse(call.body)?;
        if message.url != call.url {
            let detail = "the `url` of the message is not the URL that it was sent to (RFC 8555 section 6.4)";
            return Err(Problem::new(ProblemType::Unauthorized, detail));
        }
        let now = self.engine.ports().clock.monotonic();
        let is_good = message.nonce.as_ref().is_some_and(|nonce| self.server.nonces.redeem(nonce, now));
        self.server.note(if is_good { AcmeEvent::NonceUsed } else { AcmeEvent::NonceBad });
        if !is_good {
            let detail =
                "the nonce is not one of this server, is too old, or was used; repeat with the one of this answer";
            return Err(Problem::new(ProblemType::BadNonce, detail));
        }
        match (call.resource, &message.signer) {
            (Resource::NewAccount, Signer::Jwk(key)) => {
                message.verify(key)?;
                self.new_account(call.directory, &message, key).await
            }
            (Resource::NewAccount, Signer::Kid(_)) => {
                Err(Problem::malformed("a request for an account is signed with `jwk`, not `kid`"))
            }
            (Resource::RevokeCertificate, Signer::Jwk(key)) => {
                message.verify(key)?;
                self.revoke(call.directory, ops::By::Key(key.clone()), &message.payload).await
            }
            (_, Signer::Jwk(_)) => {
                Err(Problem::malformed("this is signed with the `kid` of an account, not with `jwk`"))
            }
            (resource, Signer::Kid(kid)) => {
                let account = self.account(call.directory, kid).await?;
                let key = Jwk::of_spki(&account.public_key).map_err(crate::Error::internal)?;
                message.verify(&key)?;
                if account.state != AcmeAccountState::Valid {
                    let detail = format!("the account is {}", account.state);
                    return Err(Problem::new(ProblemType::Unauthorized, detail));
                }
                self.for_account(call.directory, (resource, account), &message).await
            }
        }
    }

    /// The account that a `kid` names.
    async fn account(&self, directory: &Directory, kid: &str) -> Result<Record<AcmeAccount>, Problem> {
        let unknown = || {
            let detail =
                "there is no account of this URL at this directory; make one, or use the URL that it was made with";
            Problem::new(ProblemType::AccountDoesNotExist, detail)
        };
        let id = directory.account_of(kid).ok_or_else(unknown)?;
        let id: AcmeAccountId = id.parse().map_err(|_| unknown())?;
        let view = self.engine.storage().read(View::Latest).await?;
        let account = view.get::<AcmeAccount>(id.as_str()).await?;
        account.filter(|account| account.profile_id == directory.profile_id).ok_or_else(unknown)
    }

    async fn for_account(
        &self,
        directory: &Directory,
        (resource, account): (Resource<'_>, Record<AcmeAccount>),
        message: &Message,
    ) -> Result<Answer, Problem> {
        let payload = &message.payload;
        match resource {
            Resource::Account(id) => {
                own(&account, id)?;
                self.update_account(directory, account, payload).await
            }
            Resource::Orders(id) => {
                own(&account, id)?;
                payload::none(payload)?;
                self.orders(directory, &account).await
            }
            Resource::NewOrder => self.new_order(directory, account, payload).await,
            Resource::Order(id) => {
                payload::none(payload)?;
                self.order(directory, &account, id).await
            }
            Resource::Finalize(id) => self.finalize(directory, account, (id, payload)).await,
            Resource::Certificate(id) => {
                payload::none(payload)?;
                self.certificate(&account, id).await
            }
            Resource::Authorization(id) if payload.is_empty() => self.authorization(directory, &account, id).await,
            Resource::Authorization(id) => {
                let update: payload::UpdateAuthorization = payload::read(payload)?;
                if update.status.as_deref() != Some("deactivated") {
                    return Err(Problem::malformed("an authorization can only be deactivated"));
                }
                let id = id.parse().map_err(|_| Problem::not_found("authorization"))?;
                let deactivate = ops::DeactivateAuthorization { account_id: account.id.clone(), id };
                let (id, events) = self.execute(&account, deactivate).await??;
                for event in events {
                    self.server.note(event);
                }
                self.authorization(directory, &account, id.as_str()).await
            }
            Resource::Challenge(id) if payload.is_empty() => self.challenge(directory, &account, id).await,
            Resource::Challenge(id) => {
                // An object without members that mean anything (RFC 8555 §7.5.1).
                payload::read::<serde_json::Map<String, serde_json::Value>>(payload)?;
                let challenge_id = id.parse().map_err(|_| Problem::not_found("challenge"))?;
                let respond = ops::Respond { account: account.clone(), id: challenge_id };
                if let Some(kind) = self.execute(&account, respond).await?? {
                    self.server.note(AcmeEvent::ChallengeAnswered(kind));
                }
                self.challenge(directory, &account, id).await
            }
            Resource::KeyChange => self.change_key(directory, account, message).await,
            Resource::RevokeCertificate => self.revoke(directory, ops::By::Account(Box::new(account)), payload).await,
            Resource::NewAccount => Err(Problem::malformed("a request for an account is signed with `jwk`, not `kid`")),
        }
    }

    /// Has an operation done for an account.
    pub(super) async fn execute<O: Operation>(
        &self,
        account: &AcmeAccount,
        operation: O,
    ) -> Result<O::Output, Problem> {
        Ok(self.engine.execute(&principal(&account.id), operation).await?)
    }

    async fn new_account(&self, directory: &Directory, message: &Message, key: &Jwk) -> Result<Answer, Problem> {
        let asked: payload::NewAccount = payload::read(&message.payload)?;
        if let Some(found) = self.account_of(directory, key).await? {
            if found.state != AcmeAccountState::Valid {
                let detail = format!("the account of this key is {}", found.state);
                return Err(Problem::new(ProblemType::Unauthorized, detail));
            }
            return Ok(self.found(directory, &found));
        }
        if asked.only_return_existing {
            return Err(Problem::new(ProblemType::AccountDoesNotExist, "there is no account with this key"));
        }
        let (config, profile) = (&self.server.config, self.profile(directory)?);
        let contact = payload::contacts(asked.contact)?;
        if config.terms_of_service.is_some() && !asked.terms_of_service_agreed {
            // The URL is in the directory (RFC 8555 §7.3).
            let detail = "agree to the terms of service: send `termsOfServiceAgreed`";
            return Err(Problem::new(ProblemType::UserActionRequired, detail));
        }
        let binding = match &asked.external_account_binding {
            Some(binding) => Some(eab::parse(binding.get().as_bytes(), &message.url, key)?),
            None if profile.external_account_required => {
                let detail =
                    "an account is bound to the credential of an external account here; ask the operator for one";
                return Err(Problem::new(ProblemType::ExternalAccountRequired, detail));
            }
            None => None,
        };
        let ports = self.engine.ports();
        let id = AcmeAccountId::generate(&*ports.clock, &*ports.rng);
        let new = ops::NewAccount {
            id: id.clone(),
            profile_id: directory.profile_id.clone(),
            key: key.clone(),
            contact,
            terms_agreed: asked.terms_of_service_agreed,
            binding,
        };
        match self.engine.execute(&principal(&id), new).await {
            Ok(made) => {
                let made = made?;
                self.server.note(AcmeEvent::AccountCreated);
                Ok(Answer::json(view::account(directory, &made)).created(directory.account(&made.id)))
            }
            // The same key at the same moment: one of both made it.
            Err(error) if error.code() == "already_exists" => match self.account_of(directory, key).await? {
                Some(found) => Ok(self.found(directory, &found)),
                None => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    fn found(&self, directory: &Directory, account: &AcmeAccount) -> Answer {
        self.server.note(AcmeEvent::AccountFound);
        Answer::json(view::account(directory, account)).at(directory.account(&account.id))
    }

    /// The account with this key.
    async fn account_of(&self, directory: &Directory, key: &Jwk) -> Result<Option<Record<AcmeAccount>>, Problem> {
        let fields = AcmeAccount::FIELDS;
        let query = Query::<AcmeAccount>::all()
            .filter(fields.profile_id.equals(directory.profile_id.clone()))
            .filter(fields.thumbprint.equals(key.thumbprint().to_owned()));
        Ok(self.engine.storage().read(View::Latest).await?.first(query).await?)
    }

    async fn update_account(
        &self,
        directory: &Directory,
        account: Record<AcmeAccount>,
        payload: &[u8],
    ) -> Result<Answer, Problem> {
        if payload.is_empty() {
            return Ok(Answer::json(view::account(directory, &account)));
        }
        let asked: payload::UpdateAccount = payload::read(payload)?;
        let deactivate = match asked.status.as_deref() {
            None | Some("valid") => false,
            Some("deactivated") => true,
            Some(_) => return Err(Problem::malformed("the status of an account can only become `deactivated`")),
        };
        let contact = asked.contact.map(payload::contacts).transpose()?;
        let changes = contact.as_ref().is_some_and(|contact| *contact != account.contact.0);
        let update = ops::UpdateAccount { id: account.id.clone(), contact, deactivate };
        let updated = self.execute(&account, update).await??;
        if deactivate {
            self.server.note(AcmeEvent::AccountDeactivated);
        } else if changes {
            self.server.note(AcmeEvent::AccountUpdated);
        }
        Ok(Answer::json(view::account(directory, &updated)))
    }

    /// Another key for the account (RFC 8555 §7.3.5): the outer message is signed with the old one, the inner with the new one.
    async fn change_key(
        &self,
        directory: &Directory,
        account: Record<AcmeAccount>,
        message: &Message,
    ) -> Result<Answer, Problem> {
        let wrong = |why: &str| Problem::malformed(format!("the inner message of a change of keys: {why}"));
        let inner = jws::parse(&message.payload)?;
        let Signer::Jwk(new) = &inner.signer else { return Err(wrong("it must have the new key as its `jwk`")) };
        inner.verify(new)?;
        if inner.nonce.is_some() {
            return Err(wrong("it must have no nonce"));
        }
        if inner.url != message.url {
            return Err(wrong("its `url` is not that of the outer message"));
        }
        let change: payload::KeyChange = payload::read(&inner.payload)?;
        if directory.account_of(&change.account) != Some(account.id.as_str()) {
            return Err(wrong("its `account` is not that of the outer message"));
        }
        let old = Jwk::parse(change.old_key.get().as_bytes()).map_err(|bad| wrong(&format!("`oldKey`: {bad}")))?;
        if old.thumbprint() != account.thumbprint {
            return Err(wrong("its `oldKey` is not the account's key"));
        }
        if let Some(taken) = self.account_of(directory, new).await? {
            return Err(key_taken(directory, &taken));
        }
        let change =
            ops::ChangeKey { id: account.id.clone(), old: account.thumbprint.clone(), new: new.as_ref().clone() };
        match self.engine.execute(&principal(&account.id), change).await {
            Ok(changed) => {
                let changed = changed?;
                self.server.note(AcmeEvent::KeyChanged);
                Ok(Answer::json(view::account(directory, &changed)))
            }
            Err(error) if error.code() == "already_exists" => match self.account_of(directory, new).await? {
                Some(taken) => Err(key_taken(directory, &taken)),
                None => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    async fn new_order(
        &self,
        directory: &Directory,
        account: Record<AcmeAccount>,
        payload: &[u8],
    ) -> Result<Answer, Problem> {
        let asked: payload::NewOrder = payload::read(payload)?;
        if asked.not_before.is_some() || asked.not_after.is_some() {
            let detail = "this server decides how long certificates are valid; leave out `notBefore` and `notAfter`";
            return Err(Problem::malformed(detail));
        }
        let identifiers = identifier::parse_all(&asked.identifiers)?;
        let named = asked.replaces.filter(|_| self.server.config.renewal_info.is_some());
        let replaces = match &named {
            Some(id) => {
                Some(self.version_of(id).await?.ok_or_else(|| Problem::malformed("`replaces`: no such certificate"))?)
            }
            None => None,
        };
        let new = ops::NewOrder { account: account.clone(), identifiers, replaces };
        let made = match self.engine.execute(&principal(&account.id), new).await {
            Err(error) if error.code() == "already_exists" => {
                let detail = "another order replaces this certificate already";
                return Err(Problem::new(ProblemType::AlreadyReplaced, detail));
            }
            made => made??,
        };
        self.server.note(AcmeEvent::OrderCreated);
        let body = view::order(directory, (&made.order, named.as_deref()), &made.authorizations, made.now);
        Ok(Answer::json(body).created(directory.order(&made.order.id)))
    }

    async fn finalize(
        &self,
        directory: &Directory,
        account: Record<AcmeAccount>,
        (id, payload): (&str, &[u8]),
    ) -> Result<Answer, Problem> {
        let order_id: AcmeOrderId = id.parse().map_err(|_| Problem::not_found("order"))?;
        let finalized = self.finalized(&account, (order_id.clone(), payload)).await;
        let state = finalized.inspect_err(|_| self.server.note(AcmeEvent::FinalizationRefused))?;
        let at_once = state == AcmeOrderState::Valid;
        self.server.note(if at_once { AcmeEvent::FinalizationIssued } else { AcmeEvent::FinalizationProcessing });
        self.server.note_end(state);
        Ok(self.order(directory, &account, order_id.as_str()).await?.at(directory.order(&order_id)))
    }

    /// Where the order stands then.
    async fn finalized(
        &self,
        account: &Record<AcmeAccount>,
        (id, payload): (AcmeOrderId, &[u8]),
    ) -> Result<AcmeOrderState, Problem> {
        let asked: payload::Finalize = payload::read(payload)?;
        let csr = ops::read_csr(&asked.csr)?;
        self.execute(account, ops::Finalize { account: account.clone(), id, csr }).await?
    }

    async fn revoke(&self, directory: &Directory, by: ops::By, payload: &[u8]) -> Result<Answer, Problem> {
        let asked: payload::Revocation = payload::read(payload)?;
        let reason = match asked.reason {
            None => RevocationReason::Unspecified,
            Some(code) => ops::reason(code)?,
        };
        let der = ops::read_certificate(&asked.certificate)?;
        let (who, event) = match &by {
            ops::By::Account(account) => (principal(&account.id), AcmeEvent::RevokedByAccount),
            ops::By::Key(key) => {
                (Principal::machine(format!("acme:key:{}", key.thumbprint())), AcmeEvent::RevokedByKey)
            }
        };
        let revoke = ops::Revoke { by, profile_id: directory.profile_id.clone(), der, reason };
        self.engine.execute(&who, revoke).await??;
        self.server.note(event);
        Ok(Answer::empty())
    }

    pub(super) async fn now(&self) -> Result<Timestamp, Problem> {
        Ok(self.engine.storage().read(View::Latest).await?.now())
    }
}

/// The account, in the audit trail.
pub(super) fn principal(account: &AcmeAccountId) -> Principal {
    Principal::machine(format!("acme:{account}"))
}

fn own(account: &AcmeAccount, id: &str) -> Result<(), Problem> {
    if account.id.as_str() == id {
        return Ok(());
    }
    Err(Problem::new(ProblemType::Unauthorized, "this is another account than the one that signed"))
}

/// RFC 8555 §7.3.5 asks for the account's URL.
fn key_taken(directory: &Directory, taken: &AcmeAccount) -> Problem {
    let problem = Problem::malformed("the new key is that of another account").with_status(409);
    problem.located(directory.account(&taken.id))
}
