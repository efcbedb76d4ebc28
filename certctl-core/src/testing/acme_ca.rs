//! A CA that speaks ACME (RFC 8555), in memory: strict about requests, and failing as a test says.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a fake that cannot go on fails its test by panicking")]

mod issuing;
mod jws;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::Url;

use self::jws::{is_signed, shows};
use super::{ManualClock, MemoryChallenges, MemoryNames, ScriptedHttp, SeededRng, TestKeys, block_on};
use crate::connector::{ChallengeAnswer, ChallengeKey};
use crate::domain::{Chain, Fingerprint, KeyAlgorithm, Serial, Timestamp, pem};
use crate::pki::certificate::{self, Authority, AuthorityRequest, DistinguishedName};
use crate::ports::{Clock, GeneratedKey, HttpError, HttpRequest, HttpResponse, Keys, Method};

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum AcmeFault {
    /// It is refused, and nothing happens.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem document.
        problem: Value,
        /// `Retry-After`.
        retry_after: Option<&'static str>,
    },
    /// It is done, and the answer is lost.
    AnswerLost,
    /// Nobody is there.
    Unreachable,
    /// It is answered with this, whatever it was, and nothing happens.
    Answered(String),
}

impl AcmeFault {
    /// A refusal with an error of RFC 8555 §6.7.
    pub fn problem(status: u16, name: &str, detail: &str) -> Self {
        let problem = json!({ "type": format!("{URN}{name}"), "detail": detail, "status": status });
        Self::Refused { status, problem, retry_after: None }
    }
}

/// How the CA is disposed.
#[derive(Clone, Debug, Default)]
pub struct AcmeMood {
    /// The identifier that accounts must be bound to; none needed without.
    pub bound_to: Option<String>,
    /// Reads of an order, after finalization, in which it is still being processed.
    pub processing: u32,
    /// Reads of an order in which challenges are still being looked at.
    pub looking: u32,
    /// Challenges that are not offered.
    pub without: BTreeSet<String>,
    /// Challenges that fail with this problem, whatever is answered.
    pub disbelieves: Option<Value>,
    /// Every other nonce is refused.
    pub refuses_nonces: bool,
    /// Certificates are for this key instead of the request's.
    pub wrong_key: bool,
    /// Certificates are for these names instead of the request's.
    pub wrong_names: Option<Vec<String>>,
    /// Authorizations are valid from the start.
    pub trusts: bool,
    /// The directory has no renewal information.
    pub without_renewal_info: bool,
    /// Reasons of revocations that are refused.
    pub refused_reasons: BTreeSet<u64>,
}

/// The CA. Clones share it.
#[derive(Clone)]
pub struct AcmeCa(Arc<Mutex<State>>);

struct State {
    clock: ManualClock,
    challenges: MemoryChallenges,
    names: MemoryNames,
    rng: SeededRng,
    key: GeneratedKey,
    intermediate: Vec<u8>,
    /// Roots by their common name: the first is that of the chain that is given out.
    roots: Vec<(String, Vec<u8>)>,
    crossed: Vec<u8>,
    nonces: BTreeSet<String>,
    drawn: u64,
    accounts: Vec<AcmeAccount>,
    orders: Vec<AcmeOrder>,
    authorizations: Vec<AcmeAuthorization>,
    faults: VecDeque<(String, AcmeFault)>,
    mood: AcmeMood,
    log: Vec<String>,
    revoked: BTreeMap<Vec<u8>, u64>,
    window: Option<(Timestamp, Timestamp)>,
}

/// An account there.
#[derive(Clone, Debug)]
pub struct AcmeAccount {
    /// The public key.
    pub jwk: Value,
    /// Whom the CA writes to.
    pub contact: Value,
    /// Whether it still orders.
    pub exists: bool,
}

/// An order there.
#[derive(Clone, Debug)]
pub struct AcmeOrder {
    /// By which account, counted from zero.
    pub account: usize,
    /// What was sent.
    pub payload: Value,
    /// `pending`, `ready`, `processing`, `valid` or `invalid`.
    pub status: &'static str,
    /// How often it was finalized.
    pub finalized: u32,
    waits: u32,
    authorizations: Vec<usize>,
    chain: Option<Vec<Vec<u8>>>,
    error: Option<Value>,
}

#[derive(Clone, Debug)]
struct AcmeAuthorization {
    order: usize,
    identifier: Value,
    wildcard: bool,
    status: &'static str,
    token: String,
    error: Option<Value>,
    told: bool,
}

const URN: &str = "urn:ietf:params:acme:error:";
const BASE: &str = "https://acme.example";

type Refusal = (u16, Value);
type Done = Result<HttpResponse, Refusal>;

impl AcmeCa {
    /// Where its directory is.
    pub const DIRECTORY: &'static str = "https://acme.example/directory";
    /// The common name of the root of its usual chain, and of the other one.
    pub const ROOTS: [&'static str; 2] = ["ACME Root X1", "ACME, Old Root"];

    /// A CA that looks for answers there.
    ///
    /// # Panics
    /// When its certificates cannot be made.
    pub fn new(seed: u64, clock: &ManualClock, challenges: &MemoryChallenges, names: &MemoryNames) -> Self {
        let rng = SeededRng::derive(seed, "acme ca", 0);
        let make = || block_on(TestKeys.generate(KeyAlgorithm::EcdsaP256, &rng)).unwrap();
        let now = clock.now();
        let request = |name: &str, spki: &[u8]| AuthorityRequest {
            subject: DistinguishedName { common_name: name.to_owned(), ..DistinguishedName::default() },
            spki: spki.to_vec(),
            serial: Serial::random(&rng),
            not_before: now - Duration::from_hours(24),
            not_after: now + Duration::from_hours(24 * 365 * 5),
            path_length: None,
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuer_urls: Vec::new(),
        };
        let key = make();
        let mut roots = Vec::new();
        let mut intermediates = Vec::new();
        for name in Self::ROOTS {
            let root_key = make();
            let root = certificate::root(&request(name, root_key.signer.public_key())).unwrap();
            let root = block_on(root.sign(&*root_key.signer)).unwrap();
            let parent = Authority::from_certificate(&root).unwrap();
            let intermediate =
                certificate::subordinate(&request("ACME CA 1", key.signer.public_key()), &parent).unwrap();
            intermediates.push(block_on(intermediate.sign(&*root_key.signer)).unwrap());
            roots.push((name.to_owned(), root));
        }
        let crossed = intermediates.pop().unwrap();
        let intermediate = intermediates.pop().unwrap();
        Self(Arc::new(Mutex::new(State {
            clock: clock.clone(),
            challenges: challenges.clone(),
            names: names.clone(),
            rng,
            key,
            intermediate,
            roots,
            crossed,
            nonces: BTreeSet::new(),
            drawn: 0,
            accounts: Vec::new(),
            orders: Vec::new(),
            authorizations: Vec::new(),
            faults: VecDeque::new(),
            mood: AcmeMood::default(),
            log: Vec::new(),
            revoked: BTreeMap::new(),
            window: None,
        })))
    }

    /// Answers requests to it.
    pub fn attach(&self, http: &ScriptedHttp) {
        let ca = self.clone();
        http.handle(move |request, _| {
            (request.url.host_str() == Some("acme.example")).then(|| ca.state().answer(request))
        });
    }

    /// The next request whose path begins like this goes wrong.
    pub fn fail(&self, path: &str, fault: AcmeFault) {
        self.state().faults.push_back((path.to_owned(), fault));
    }

    /// Changes how it is disposed.
    pub fn mood(&self, change: impl FnOnce(&mut AcmeMood)) {
        change(&mut self.state().mood);
    }

    /// The window that it suggests for renewals.
    pub fn suggest(&self, start: Timestamp, end: Timestamp) {
        self.state().window = Some((start, end));
    }

    /// Its accounts.
    pub fn accounts(&self) -> Vec<AcmeAccount> {
        self.state().accounts.clone()
    }

    /// Its orders.
    pub fn orders(&self) -> Vec<AcmeOrder> {
        self.state().orders.clone()
    }

    /// Does not know an account any more.
    pub fn forget_account(&self, number: usize) {
        if let Some(account) = self.state().accounts.get_mut(number) {
            account.exists = false;
        }
    }

    /// The paths of the requests so far that it took.
    pub fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    /// The tokens of the challenges of all orders.
    pub fn tokens(&self) -> Vec<String> {
        self.state().authorizations.iter().map(|authorization| authorization.token.clone()).collect()
    }

    /// How many certificates are revoked.
    pub fn revoked(&self) -> usize {
        self.state().revoked.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for AcmeCa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AcmeCa").finish_non_exhaustive()
    }
}

/// A request whose signature is good.
struct Signed {
    payload: Value,
    account: Option<usize>,
    jwk: Value,
}

impl State {
    fn answer(&mut self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let path = request.url.path().to_owned();
        let away = || HttpError::Unreachable { host: "acme.example".into(), reason: "the script says so".into() };
        let fault = match self.faults.front() {
            Some((begins, _)) if path.starts_with(begins.as_str()) => self.faults.pop_front().map(|(_, fault)| fault),
            _ => None,
        };
        let done = match &fault {
            Some(AcmeFault::Unreachable) => return Err(away()),
            Some(AcmeFault::Refused { status, problem, retry_after }) => {
                let mut response = refused(*status, problem);
                response.headers.extend(retry_after.map(|after| ("retry-after".to_owned(), after.to_owned())));
                Ok(response)
            }
            Some(AcmeFault::Answered(body)) => Ok(ScriptedHttp::response(200, body.clone())),
            Some(AcmeFault::AnswerLost) | None => self.done(request, &path),
        };
        if matches!(fault, Some(AcmeFault::AnswerLost)) {
            return Err(away());
        }
        let mut response = done.unwrap_or_else(|(status, problem)| refused(status, &problem));
        if request.method != Method::Get {
            let nonce = format!("nonce-{}", self.drawn);
            self.drawn += 1;
            self.nonces.insert(nonce.clone());
            response.headers.push(("replay-nonce".to_owned(), nonce));
        }
        Ok(response)
    }

    fn done(&mut self, request: &HttpRequest, path: &str) -> Done {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (request.method, parts.as_slice()) {
            (Method::Get, ["directory"]) => Ok(self.directory()),
            (Method::Head, ["nonce"]) => Ok(ScriptedHttp::response(200, "")),
            (Method::Get, ["renewal-info", _]) => self.renewal_info(),
            (Method::Post, parts) => {
                let signed = self.signed(request)?;
                self.log.push(path.to_owned());
                self.post(&signed, parts)
            }
            _ => Err((404, problem("malformed", "there is nothing there"))),
        }
    }

    fn directory(&self) -> HttpResponse {
        let mut directory = json!({
            "newNonce": format!("{BASE}/nonce"), "newAccount": format!("{BASE}/new-account"),
            "newOrder": format!("{BASE}/new-order"), "revokeCert": format!("{BASE}/revoke"),
            "keyChange": format!("{BASE}/key-change"), "renewalInfo": format!("{BASE}/renewal-info"),
            "meta": {
                "termsOfService": format!("{BASE}/terms"), "externalAccountRequired": self.mood.bound_to.is_some(),
                "profiles": { "default": "as always", "short": "for a week" },
            },
        });
        if self.mood.without_renewal_info {
            directory.as_object_mut().unwrap().remove("renewalInfo");
        }
        ScriptedHttp::json(200, &directory)
    }

    fn renewal_info(&self) -> Done {
        let Some((start, end)) = self.window else { return Err((404, problem("malformed", "no such certificate"))) };
        let window = json!({ "start": start.to_rfc3339(), "end": end.to_rfc3339() });
        let document = json!({ "suggestedWindow": window, "explanationURL": format!("{BASE}/why") });
        let mut response = ScriptedHttp::json(200, &document);
        response.headers.push(("retry-after".to_owned(), "21600".to_owned()));
        Ok(response)
    }

    /// RFC 8555 §6.2 to §6.5.
    fn signed(&mut self, request: &HttpRequest) -> Result<Signed, Refusal> {
        let malformed = |what: &str| (400, problem("malformed", what));
        let jws: Value = serde_json::from_slice(&request.body).map_err(|_| malformed("no JWS"))?;
        let part = |name: &str| jws.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed("no base64url"));
        let header: Value = serde_json::from_slice(&decode(&part("protected"))?).map_err(|_| malformed("no header"))?;
        if header["url"] != request.url.as_str() || header["alg"] != "ES256" {
            return Err(malformed("another url or algorithm"));
        }
        let known = self.nonces.remove(header["nonce"].as_str().unwrap_or_default());
        if !known || (self.mood.refuses_nonces && self.drawn.is_multiple_of(2)) {
            return Err((400, problem("badNonce", "not one of mine")));
        }
        let (account, jwk) = match (header.get("kid").and_then(Value::as_str), header.get("jwk")) {
            (Some(kid), None) => {
                let number =
                    self.account(kid).ok_or_else(|| (400, problem("accountDoesNotExist", "no such account")))?;
                (Some(number), self.accounts.get(number).unwrap().jwk.clone())
            }
            (None, Some(jwk)) => (None, jwk.clone()),
            _ => return Err(malformed("either kid or jwk")),
        };
        let message = format!("{}.{}", part("protected"), part("payload"));
        if !is_signed(&jwk, message.as_bytes(), &decode(&part("signature"))?) {
            return Err((403, problem("unauthorized", "the signature is not the key's")));
        }
        let payload = decode(&part("payload"))?;
        let payload = if payload.is_empty() { Value::Null } else { serde_json::from_slice(&payload).unwrap() };
        Ok(Signed { payload, account, jwk })
    }

    fn account(&self, kid: &str) -> Option<usize> {
        let number: usize = kid.strip_prefix(&format!("{BASE}/account/"))?.parse().ok()?;
        self.accounts.get(number).filter(|account| account.exists).map(|_| number)
    }

    fn post(&mut self, signed: &Signed, parts: &[&str]) -> Done {
        let number = |text: &str| text.parse::<usize>().map_err(|_| (404, problem("malformed", "no such thing")));
        match (parts, signed.account) {
            (["new-account"], None) => self.new_account(signed),
            (["account", _], Some(account)) => {
                if let Some(contact) = signed.payload.get("contact") {
                    self.accounts.get_mut(account).unwrap().contact = contact.clone();
                }
                Ok(ScriptedHttp::json(200, &json!({ "status": "valid" })))
            }
            (["key-change"], Some(account)) => self.key_change(signed, account),
            (["new-order"], Some(account)) => self.new_order(signed, account),
            (["order", order], Some(account)) => self.order(number(order)?, account),
            (["order", order, "finalize"], Some(account)) => self.finalize(number(order)?, account, &signed.payload),
            (["authz", authorization], Some(_)) => self.authorization(number(authorization)?),
            (["challenge", authorization, kind], Some(account)) => {
                Ok(self.challenge(number(authorization)?, kind, account))
            }
            (["cert", order], Some(_)) => self.certificate(number(order)?, false),
            (["cert", order, "alternate"], Some(_)) => self.certificate(number(order)?, true),
            (["revoke"], Some(_)) => self.revoke(&signed.payload),
            _ => Err((404, problem("malformed", "there is nothing there"))),
        }
    }

    fn new_account(&mut self, signed: &Signed) -> Done {
        let existing = self.accounts.iter().position(|account| account.exists && account.jwk == signed.jwk);
        let located = |status, number| {
            let mut response = ScriptedHttp::json(status, &json!({ "status": "valid" }));
            response.headers.push(("location".to_owned(), format!("{BASE}/account/{number}")));
            response
        };
        if let Some(number) = existing {
            return Ok(located(200, number));
        }
        if signed.payload["onlyReturnExisting"] == true {
            return Err((400, problem("accountDoesNotExist", "no account has that key")));
        }
        if signed.payload["termsOfServiceAgreed"] != true {
            return Err((403, problem("userActionRequired", "agree to the terms")));
        }
        if let Some(bound_to) = &self.mood.bound_to {
            let protected = signed.payload["externalAccountBinding"]["protected"].as_str().unwrap_or_default();
            let header: Value = URL_SAFE_NO_PAD
                .decode(protected)
                .ok()
                .and_then(|h| serde_json::from_slice(&h).ok())
                .unwrap_or_default();
            if header["kid"] != bound_to.as_str() {
                return Err((403, problem("externalAccountRequired", "bind the account")));
            }
        }
        let contact = signed.payload["contact"].clone();
        self.accounts.push(AcmeAccount { jwk: signed.jwk.clone(), contact, exists: true });
        Ok(located(201, self.accounts.len() - 1))
    }

    fn key_change(&mut self, signed: &Signed, account: usize) -> Done {
        let decoded = |name: &str| -> Value {
            let text = signed.payload[name].as_str().unwrap_or_default();
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
        };
        let (header, inner) = (decoded("protected"), decoded("payload"));
        let text = |name: &str| signed.payload[name].as_str().unwrap_or_default();
        let message = format!("{}.{}", text("protected"), text("payload"));
        let signature = URL_SAFE_NO_PAD.decode(text("signature")).unwrap();
        let fits = inner["oldKey"] == signed.jwk
            && inner["account"] == format!("{BASE}/account/{account}")
            && is_signed(&header["jwk"], message.as_bytes(), &signature);
        if !fits {
            return Err((400, problem("malformed", "the keys do not fit")));
        }
        self.accounts.get_mut(account).unwrap().jwk = header["jwk"].clone();
        Ok(ScriptedHttp::json(200, &json!({})))
    }

    fn new_order(&mut self, signed: &Signed, account: usize) -> Done {
        let order = self.orders.len();
        let profile = signed.payload["profile"].as_str().unwrap_or("default");
        if !["default", "short"].contains(&profile) {
            return Err((400, problem("invalidProfile", "no such profile")));
        }
        let replaces = &signed.payload["replaces"];
        if !replaces.is_null() && self.orders.iter().any(|order| order.payload["replaces"] == *replaces) {
            return Err((409, problem("alreadyReplaced", "it was replaced already")));
        }
        let mut authorizations = Vec::new();
        for identifier in signed.payload["identifiers"].as_array().unwrap() {
            let value = identifier["value"].as_str().unwrap();
            let plain = value.strip_prefix("*.");
            let token = URL_SAFE_NO_PAD.encode(Fingerprint::of(format!("{order} {value}").as_bytes()).to_string());
            authorizations.push(self.authorizations.len());
            self.authorizations.push(AcmeAuthorization {
                order,
                identifier: json!({ "type": identifier["type"], "value": plain.unwrap_or(value) }),
                wildcard: plain.is_some(),
                status: if self.mood.trusts { "valid" } else { "pending" },
                token: token.chars().take(43).collect(),
                error: None,
                told: false,
            });
        }
        self.orders.push(AcmeOrder {
            account,
            payload: signed.payload.clone(),
            status: if self.mood.trusts { "ready" } else { "pending" },
            finalized: 0,
            waits: self.mood.looking,
            authorizations,
            chain: None,
            error: None,
        });
        let mut response = ScriptedHttp::json(201, &self.shown(order));
        response.headers.push(("location".to_owned(), format!("{BASE}/order/{order}")));
        Ok(response)
    }

    fn shown(&self, number: usize) -> Value {
        let order = self.orders.get(number).unwrap();
        let authorizations: Vec<String> =
            order.authorizations.iter().map(|number| format!("{BASE}/authz/{number}")).collect();
        let mut shown = json!({
            "status": order.status, "identifiers": order.payload["identifiers"], "authorizations": authorizations,
            "finalize": format!("{BASE}/order/{number}/finalize"),
        });
        if order.status == "valid" {
            shown["certificate"] = json!(format!("{BASE}/cert/{number}"));
        }
        if let Some(error) = &order.error {
            shown["error"] = error.clone();
        }
        shown
    }

    fn order(&mut self, number: usize, account: usize) -> Done {
        let gone = || (404, problem("malformed", "no such order"));
        let order = self.orders.get_mut(number).filter(|order| order.account == account).ok_or_else(gone)?;
        let told = order.authorizations.iter().all(|number| self.authorizations.get(*number).is_some_and(|a| a.told));
        if order.status == "pending" && told || order.status == "processing" {
            if order.waits > 0 {
                order.waits -= 1;
            } else if order.status == "processing" {
                order.status = "valid";
            } else {
                let all = |status: &str| {
                    order.authorizations.iter().all(|number| self.authorizations.get(*number).unwrap().status == status)
                };
                order.status = if all("valid") { "ready" } else { "invalid" };
            }
        }
        let status = order.status;
        let mut response = ScriptedHttp::json(200, &self.shown(number));
        if matches!(status, "pending" | "processing") {
            response.headers.push(("retry-after".to_owned(), "3".to_owned()));
        }
        Ok(response)
    }

    fn authorization(&self, number: usize) -> Done {
        let gone = || (404, problem("malformed", "no such authorization"));
        let authorization = self.authorizations.get(number).ok_or_else(gone)?;
        let over_dns = ["dns-01", "dns-persist-01"];
        let kinds = ["http-01", "tls-alpn-01", "dns-01", "dns-persist-01"].into_iter();
        let kinds = kinds.filter(|kind| !self.mood.without.contains(*kind));
        let kinds = kinds.filter(|kind| !authorization.wildcard || over_dns.contains(kind));
        let kinds = kinds.filter(|kind| authorization.identifier["type"] == "dns" || !over_dns.contains(kind));
        let challenges: Vec<Value> = kinds
            .map(|kind| {
                let mut challenge = json!({
                    "type": kind, "url": format!("{BASE}/challenge/{number}/{kind}"), "status": authorization.status,
                });
                if kind == "dns-persist-01" {
                    challenge["issuer-domain-names"] = json!(["acme.example"]);
                } else {
                    challenge["token"] = json!(authorization.token);
                }
                if let Some(error) = &authorization.error {
                    challenge["error"] = error.clone();
                }
                challenge
            })
            .collect();
        Ok(ScriptedHttp::json(
            200,
            &json!({
                "status": authorization.status, "identifier": authorization.identifier, "wildcard": authorization.wildcard,
                "challenges": challenges,
            }),
        ))
    }

    fn challenge(&mut self, number: usize, kind: &str, account: usize) -> HttpResponse {
        let authorization = self.authorizations.get(number).cloned().unwrap();
        let jwk = &self.accounts.get(account).unwrap().jwk;
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
        let name = authorization.identifier["value"].as_str().unwrap();
        let key_authorization = format!("{}.{}", authorization.token, sha256(canonical.as_bytes()));
        let texts = |prefix: &str| {
            block_on(crate::ports::Resolver::txt(&self.names, &format!("{prefix}.{name}"), &[])).unwrap_or_default()
        };
        let is_answered = match kind {
            "http-01" => {
                let answer = self.challenges.answer(&ChallengeKey::Http01(authorization.token.clone()));
                matches!(answer, Some(ChallengeAnswer::Http01 { key_authorization: given, .. }) if given == key_authorization)
            }
            "tls-alpn-01" => {
                let reverse = name.split('.').rev().collect::<Vec<_>>().join(".");
                let names = [name.to_owned(), format!("{reverse}.in-addr.arpa")];
                let mut answers = names.into_iter().filter_map(|n| self.challenges.answer(&ChallengeKey::TlsAlpn01(n)));
                answers.any(|answer| match answer {
                    ChallengeAnswer::TlsAlpn01 { certificate, .. } => shows(&certificate, &key_authorization),
                    ChallengeAnswer::Http01 { .. } => false,
                })
            }
            "dns-01" => texts("_acme-challenge").contains(&sha256(key_authorization.as_bytes())),
            _ => {
                let wildcard = if authorization.wildcard { "; policy=wildcard" } else { "" };
                let text = format!("acme.example; accounturi={BASE}/account/{account}{wildcard}");
                texts("_validation-persist").contains(&text)
            }
        };
        let error = match &self.mood.disbelieves {
            Some(problem) => Some(problem.clone()),
            None if !is_answered => Some(problem("incorrectResponse", "that is not the answer")),
            None => None,
        };
        let stored = self.authorizations.get_mut(number).unwrap();
        stored.told = true;
        if stored.status == "pending" {
            stored.status = if error.is_some() { "invalid" } else { "valid" };
            stored.error = error;
        }
        if stored.status == "invalid" {
            let order = stored.order;
            for number in self.orders.get(order).unwrap().authorizations.clone() {
                self.authorizations.get_mut(number).unwrap().told = true;
            }
        }
        ScriptedHttp::json(200, &json!({ "type": kind, "status": "processing", "url": "https://acme.example/c" }))
    }
}

impl AcmeCa {
    /// The root of the usual chain, in PEM.
    ///
    /// # Panics
    /// Never: there is one.
    pub fn root_pem(&self) -> String {
        let state = self.state();
        pem::encode("CERTIFICATE", &state.roots.first().expect("a root").1)
    }

    /// Whether a chain is of this CA.
    pub fn issued(&self, chain: &Chain) -> bool {
        let of = |order: &AcmeOrder| {
            order.chain.as_ref().is_some_and(|issued| issued.first() == chain.certificates().first())
        };
        self.state().orders.iter().any(of)
    }

    /// A path of its own, for [`fail`](Self::fail): that of a URL.
    pub fn path(url: &str) -> String {
        Url::parse(url).map(|url| url.path().to_owned()).unwrap_or_default()
    }
}

fn problem(name: &str, detail: &str) -> Value {
    json!({ "type": format!("{URN}{name}"), "detail": detail })
}

fn refused(status: u16, problem: &Value) -> HttpResponse {
    let mut response = ScriptedHttp::json(status, problem);
    response.headers = vec![("content-type".to_owned(), "application/problem+json".to_owned())];
    response
}

fn sha256(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(hex::decode(Fingerprint::of(octets).to_string()).unwrap())
}
