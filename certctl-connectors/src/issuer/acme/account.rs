//! The account at the CA: its key is kept before the CA hears of it, so that whoever dies in between asks again with the same key
//! and is given the same account (RFC 8555 §7.3.1).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use certctl_core::connector::{ConnectorError, ConnectorErrorKind, ConnectorState, Kept, Swap};
use certctl_core::domain::KeyAlgorithm;
use certctl_core::ports::{HttpOptions, HttpRequest, Method, Ports, Secret};
use futures_util::lock::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use super::client::{Client, Signed};
use super::config::{AcmeTerms, Binding};
use super::jws::{AccountKey, external_binding, sha256};
use super::problem::Refused;

/// Changes of one account at once, those included that others come before.
const ATTEMPTS: usize = 8;

/// An account that orders.
pub(super) struct Account {
    pub(super) key: AccountKey,
    pub(super) url: String,
    /// Which key it was, to find out whether another one is used by now.
    key_text: Secret,
}

impl Account {
    pub(super) fn signed(&self) -> Signed<'_> {
        Signed { key: &self.key, account: Some(&self.url) }
    }
}

/// An account that orders, and whether the CA had to be told something first.
pub(super) enum Ready {
    /// As it was.
    Before(Arc<Account>),
    /// It was made or changed in this step.
    Now(Arc<Account>),
}

/// What is kept of an account, sealed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    /// The key that signs: PKCS#8, base64.
    key: Secret,
    /// Absent until the CA has the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Whom the CA writes to, as it was last told.
    #[serde(default)]
    email: String,
    /// Which key of the account this is.
    #[serde(default)]
    number: u32,
    /// The key that is being changed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<Secret>,
    /// What was fetched to bind the account with, until the CA forgets the account: each time there is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fetched: Option<Fetched>,
}

impl Stored {
    /// What is left where the CA does not know the account any more: the key may be registered anew. What binds accounts may be good
    /// for one alone, so it is forgotten with the account.
    fn forgotten(self) -> Self {
        Self { url: None, fetched: None, ..self }
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Fetched {
    key_id: String,
    key: Secret,
}

/// The accounts of one issuer: one for each CA that it is configured with.
pub(super) struct Accounts {
    terms: Arc<AcmeTerms>,
    ports: Ports,
    state: Arc<dyn ConnectorState>,
    /// By directory, so that an issuer which goes back to a CA finds its account again.
    name: String,
    live: Mutex<Option<Arc<Account>>>,
}

impl Accounts {
    pub(super) fn new(terms: Arc<AcmeTerms>, ports: Ports, state: Arc<dyn ConnectorState>) -> Self {
        let name = format!("account-{}", sha256(terms.directory.as_str().as_bytes()));
        Self { terms, ports, state, name, live: Mutex::new(None) }
    }

    /// The account that there is, whatever else is configured by now: it keeps its URL, and what it ordered is its own, until an
    /// order tells the CA of another address or key. Asks nobody but the store.
    pub(super) async fn existing(&self) -> Result<Option<Arc<Account>>, ConnectorError> {
        let live = self.live.lock().await.clone();
        if live.is_some() {
            return Ok(live);
        }
        match self.load().await? {
            Some((_, stored)) => self.open(&stored).await,
            None => Ok(None),
        }
    }

    /// The account, if there is one that needs nothing done before it orders. Asks nobody but the store.
    async fn known(&self) -> Result<Option<Arc<Account>>, ConnectorError> {
        let mut live = self.live.lock().await;
        if let Some(account) = &*live {
            return Ok(Some(Arc::clone(account)));
        }
        let Some((_, stored)) = self.load().await? else { return Ok(None) };
        if !self.is_settled(&stored) {
            return Ok(None);
        }
        let account = self.open(&stored).await?;
        live.clone_from(&account);
        Ok(account)
    }

    /// The account, made or changed as the configuration says.
    pub(super) async fn ready(&self, client: &Client) -> Result<Ready, ConnectorError> {
        if let Some(account) = self.known().await? {
            return Ok(Ready::Before(account));
        }
        // Orders that come at once wait for one account.
        let mut live = self.live.lock().await;
        if let Some(account) = &*live {
            return Ok(Ready::Before(Arc::clone(account)));
        }
        for _ in 0..ATTEMPTS {
            let Some((kept, stored)) = self.load().await? else {
                self.begin().await?;
                continue;
            };
            if self.is_settled(&stored) {
                let account = self.open(&stored).await?;
                live.clone_from(&account);
                return account.map(Ready::Now).ok_or_else(unreadable);
            }
            // Whoever is overtaken reads what the other one kept.
            let changed = match &stored.url {
                None => self.register(client, stored).await?,
                Some(_) if stored.email != self.terms.email => self.tell_contact(client, stored).await?,
                Some(_) => self.change_key(client, &kept, stored).await?,
            };
            if let Some(changed) = changed {
                let _read_again = self.keep(Some(&kept), &changed).await?;
            }
        }
        Err(ConnectorError::transient("the account is being changed by somebody else; try again"))
    }

    /// What a refusal means where the account may have changed meanwhile: then it is worth another try with the new one.
    pub(super) async fn judged(&self, account: &Account, refused: Refused) -> ConnectorError {
        let doubtful = refused.error.kind == ConnectorErrorKind::Auth || refused.name == "malformed";
        if !doubtful {
            return refused.error;
        }
        let mut live = self.live.lock().await;
        *live = None;
        let Ok(Some((kept, stored))) = self.load().await else { return refused.error };
        if stored.key != account.key_text {
            return ConnectorError::transient("the account's key was changed meanwhile; try again")
                .because(refused.error);
        }
        if refused.name == "accountDoesNotExist" && stored.url.as_deref() == Some(&*account.url) {
            // The orders of the old account are lost.
            if self.keep(Some(&kept), &stored.forgotten()).await.is_ok() {
                let why = "the CA does not know the account any more; it is registered anew";
                return ConnectorError::transient(why).because(refused.error).begin_anew();
            }
        }
        refused.error
    }

    fn is_settled(&self, stored: &Stored) -> bool {
        stored.url.is_some() && stored.email == self.terms.email && stored.number >= self.terms.key_number
    }

    async fn load(&self) -> Result<Option<(Kept, Stored)>, ConnectorError> {
        let Some(kept) = self.state.load(&self.name).await? else { return Ok(None) };
        let stored = serde_json::from_slice(&kept.value).map_err(|_| unreadable())?;
        Ok(Some((kept, stored)))
    }

    async fn keep(&self, before: Option<&Kept>, stored: &Stored) -> Result<Swap, ConnectorError> {
        let text = serde_json::to_vec(stored).map(Zeroizing::new).map_err(|_| unreadable())?;
        self.state.swap(&self.name, before, &text).await
    }

    async fn open(&self, stored: &Stored) -> Result<Option<Arc<Account>>, ConnectorError> {
        let Some(url) = stored.url.clone() else { return Ok(None) };
        let key = self.key(&stored.key).await?;
        Ok(Some(Arc::new(Account { key, url, key_text: stored.key.clone() })))
    }

    async fn key(&self, text: &Secret) -> Result<AccountKey, ConnectorError> {
        let pkcs8 = STANDARD.decode(text.expose()).map(Zeroizing::new).map_err(|_| unreadable())?;
        let signer = self.ports.keys.open(&pkcs8).await;
        AccountKey::of(signer.map_err(|error| unreadable().because(error))?)
    }

    async fn new_key(&self) -> Result<Secret, ConnectorError> {
        let made = self.ports.keys.generate(KeyAlgorithm::EcdsaP256, &*self.ports.rng).await;
        let made =
            made.map_err(|error| ConnectorError::permanent("no key can be made for the account").because(error))?;
        Ok(Secret::new(STANDARD.encode(&*made.pkcs8)))
    }

    /// A key, before anybody hears of it.
    async fn begin(&self) -> Result<(), ConnectorError> {
        let (email, number) = (self.terms.email.clone(), self.terms.key_number);
        let stored = Stored { key: self.new_key().await?, url: None, email, number, next: None, fetched: None };
        // Whoever is overtaken uses the other's key.
        let _read_again = self.keep(None, &stored).await?;
        Ok(())
    }

    /// RFC 8555 §7.3. A key that has an account is given that account. What binds it is fetched and kept first.
    async fn register(&self, client: &Client, stored: Stored) -> Result<Option<Stored>, ConnectorError> {
        if let (Binding::Fetched { url, api_key }, None) = (&self.terms.binding, &stored.fetched) {
            let fetched = self.fetch_binding(url, api_key.as_ref()).await?;
            return Ok(Some(Stored { fetched: Some(fetched), ..stored }));
        }
        let (directory, key) = (client.directory().await?, self.key(&stored.key).await?);
        let url = &directory.new_account;
        let mut payload = json!({ "termsOfServiceAgreed": true, "contact": [format!("mailto:{}", self.terms.email)] });
        let shared = match (&self.terms.binding, &stored.fetched) {
            (Binding::Given { key_id, key }, _) => Some((key_id.clone(), key.clone())),
            (_, Some(fetched)) => {
                let key =
                    URL_SAFE_NO_PAD.decode(fetched.key.expose().trim_end_matches('=')).map_err(|_| unreadable())?;
                Some((fetched.key_id.clone(), Zeroizing::new(key)))
            }
            _ => None,
        };
        if let (Some((key_id, shared)), Some(members)) = (shared, payload.as_object_mut()) {
            let bound = external_binding(&key_id, &shared, url.as_str(), &key.jwk());
            members.insert("externalAccountBinding".to_owned(), bound);
        } else if directory.meta.external_account_required {
            let why = "the CA wants accounts that are bound to one of its own; configure eab_kid and eab_hmac";
            return Err(ConnectorError::new(ConnectorErrorKind::Auth, why));
        }
        let answer = client.post(Signed { key: &key, account: None }, url, &payload).await?;
        let account =
            answer.location.ok_or_else(|| ConnectorError::transient("the CA did not say where the account is"))?;
        let email = self.terms.email.clone();
        Ok(Some(Stored { url: Some(account.into()), email, ..stored }))
    }

    /// RFC 8555 §7.3.2: the account stays, so that what it ordered can still be replaced and revoked.
    async fn tell_contact(&self, client: &Client, stored: Stored) -> Result<Option<Stored>, ConnectorError> {
        let Some(account) = self.open(&stored).await? else { return Ok(None) };
        let url = Url::parse(&account.url).map_err(|_| unreadable())?;
        let payload = json!({ "contact": [format!("mailto:{}", self.terms.email)] });
        match client.post(account.signed(), &url, &payload).await {
            Ok(_) => Ok(Some(Stored { email: self.terms.email.clone(), ..stored })),
            Err(refused) if refused.name == "accountDoesNotExist" => Ok(Some(stored.forgotten())),
            Err(refused) => Err(refused.into()),
        }
    }

    /// RFC 8555 §7.3.5. The new key is kept first; whether the CA has it already is found out by asking for its account.
    async fn change_key(&self, client: &Client, kept: &Kept, stored: Stored) -> Result<Option<Stored>, ConnectorError> {
        let Some(next) = stored.next.clone() else {
            let stored = Stored { next: Some(self.new_key().await?), ..stored };
            let _read_again = self.keep(Some(kept), &stored).await?;
            return Ok(None);
        };
        let directory = client.directory().await?;
        let url = directory.key_change.as_ref().ok_or_else(|| {
            ConnectorError::permanent("the CA changes no keys of accounts; put account_key_number back")
        })?;
        let (Some(account), new) = (self.open(&stored).await?, self.key(&next).await?) else { return Ok(None) };
        let inner = json!({ "account": account.url, "oldKey": account.key.jwk() });
        let inner = new.sign(json!({ "jwk": new.jwk(), "url": url.as_str() }), Some(&inner)).await?;
        if let Err(refused) = client.post(account.signed(), url, &inner).await {
            let existing = json!({ "onlyReturnExisting": true });
            let found = client.post(Signed { key: &new, account: None }, &directory.new_account, &existing).await;
            let is_changed = found.is_ok_and(|found| found.location.is_some_and(|found| found.as_str() == account.url));
            if !is_changed {
                return Err(refused.into());
            }
        }
        Ok(Some(Stored { key: next, next: None, number: self.terms.key_number, ..stored }))
    }

    /// As ZeroSSL gives them out: by the e-mail address, or by a key of its API.
    async fn fetch_binding(&self, url: &Url, api_key: Option<&Secret>) -> Result<Fetched, ConnectorError> {
        #[derive(Deserialize)]
        struct Given {
            #[serde(default)]
            success: bool,
            #[serde(default)]
            eab_kid: String,
            eab_hmac_key: Option<Secret>,
        }
        let mut url = url.clone();
        let body = match api_key {
            Some(key) => {
                url.query_pairs_mut().append_pair("access_key", key.expose());
                String::new()
            }
            None => Serializer::new(String::new()).append_pair("email", &self.terms.email).finish(),
        };
        let request =
            HttpRequest::new(Method::Post, url).header("content-type", "application/x-www-form-urlencoded").body(body);
        let options = HttpOptions { roots_pem: self.terms.roots_pem.clone(), ..HttpOptions::default() };
        let response = self.ports.http.send(request, &options).await?;
        let what = "the server that gives out keys for external account binding";
        if !response.is_success() {
            return Err(ConnectorError::from_answer(what, &response, self.ports.clock.now()));
        }
        let given = serde_json::from_slice::<Given>(&response.body).ok();
        let given = given.filter(|given| given.success && !given.eab_kid.is_empty());
        let given = given.and_then(|given| Some(Fetched { key_id: given.eab_kid, key: given.eab_hmac_key? }));
        given.ok_or_else(|| {
            let why = format!("{what} gave none; check zerossl_api_key and email");
            ConnectorError::new(ConnectorErrorKind::Auth, why)
        })
    }
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

fn unreadable() -> ConnectorError {
    ConnectorError::permanent("what is kept of the account cannot be read; delete the issuer and make it anew")
}
