//! A certificate authority somewhere else, which answers as a test says.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ScriptedHttp, SeededRng, TestKeys, block_on};
use crate::connector::ConnectorErrorKind;
use crate::domain::{
    Chain, ExtendedKeyUsage, KeyAlgorithm, KeyFamily, RenewalInfoId, RevocationReason, Serial, SubjectAltName,
    Timestamp,
};
use crate::pki::certificate::{self, Authority, AuthorityRequest, DistinguishedName, LeafRequest};
use crate::pki::csr;
use crate::ports::{HttpError, HttpRequest, HttpResponse, Keys, Signer};

const DAY: Duration = Duration::from_hours(24);
const SECOND: Duration = Duration::from_secs(1);

/// A CA that [`ScriptedIssuer`](super::ScriptedIssuer) orders from over HTTP. Clones are one CA; it outlives the engine.
///
/// It certifies DNS names without wildcards and ECDSA keys, for up to 90 days. One order has one certificate, however
/// often it is asked for.
#[derive(Clone)]
pub struct ScriptedCa(Arc<Mutex<State>>);

struct State {
    rng: SeededRng,
    signer: Arc<dyn Signer>,
    root: Vec<u8>,
    steps: VecDeque<CaStep>,
    calls: Vec<String>,
    issued: BTreeMap<String, Chain>,
    replaced: BTreeMap<String, Serial>,
    /// By whom certificates were ordered, by how the CA knows them (RFC 9773 §4.1).
    accounts: BTreeMap<String, String>,
    /// The certificates that orders replaced.
    superseded: BTreeSet<String>,
    advice: VecDeque<AdviceStep>,
    questions: Vec<String>,
    revocations: VecDeque<RevocationStep>,
    told: Vec<(Serial, Option<RevocationReason>)>,
}

/// How the CA answers one call that tells it of a revocation or a release. What it is not told how to answer, it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationStep {
    /// It takes it.
    Take,
    /// With an error of that kind, and when to come back.
    Fail(ConnectorErrorKind, Option<Duration>),
    /// It takes it, and the answer is lost on the way.
    LoseAnswer,
}

/// How the CA answers one question about when to renew a certificate (RFC 9773 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdviceStep {
    /// With a window, and when to ask again.
    Window {
        /// Its first moment.
        start: Timestamp,
        /// Its last moment.
        end: Timestamp,
        /// The `Retry-After` header.
        retry_after: Option<Duration>,
    },
    /// With an error of that kind, and when to come back.
    Fail(ConnectorErrorKind, Option<Duration>),
    /// With something that is no renewal information.
    Garbage,
}

/// How the CA answers one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaStep {
    /// With the certificate.
    Issue,
    /// Not yet; ask again after so long.
    Wait(Duration),
    /// With an error of that kind, and when to come back.
    Fail(ConnectorErrorKind, Option<Duration>),
    /// It makes the certificate, and the answer is lost on the way.
    LoseAnswer,
    /// With a certificate for other names than ordered.
    WrongNames,
}

/// An order as it travels.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OrderDocument {
    pub(super) csr: String,
    pub(super) ekus: Vec<ExtendedKeyUsage>,
    pub(super) lifetime_seconds: Option<u64>,
    pub(super) must_staple: bool,
    pub(super) replaces: Option<Serial>,
    /// How the CA knows it, where it offers renewal information.
    pub(super) replaces_id: Option<String>,
    /// Who orders, in the same case.
    pub(super) account: Option<String>,
    /// By the engine's clock, so that the CA needs none.
    pub(super) now_us: i64,
}

#[expect(clippy::expect_used, reason = "a test that cannot make its CA cannot go on")]
impl ScriptedCa {
    /// Where it is reached.
    pub const URL: &'static str = "https://ca.scripted.test";
    /// The longest lifetime it certifies.
    pub const MAX_LIFETIME: Duration = Duration::from_hours(24 * 90);

    /// A CA whose key follows from the seed, valid from a day before `now` for twenty years. It answers every call with
    /// the certificate unless told otherwise.
    ///
    /// # Panics
    /// When the CA cannot be made.
    pub fn new(seed: u64, now: Timestamp) -> Self {
        let rng = SeededRng::derive(seed, "scripted CA", 0);
        let key = block_on(TestKeys.generate(KeyAlgorithm::EcdsaP256, &rng)).expect("a key");
        let request = AuthorityRequest {
            subject: DistinguishedName { common_name: "Scripted CA".to_owned(), ..DistinguishedName::default() },
            spki: key.signer.public_key().to_vec(),
            serial: Serial::random(&rng),
            not_before: now - DAY,
            not_after: now + DAY * 365 * 20,
            path_length: Some(0),
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuer_urls: Vec::new(),
        };
        let unsigned = certificate::root(&request).expect("a root");
        let root = block_on(unsigned.sign(&*key.signer)).expect("a signature");
        let state = State {
            rng,
            signer: key.signer,
            root,
            steps: VecDeque::new(),
            calls: Vec::new(),
            issued: BTreeMap::new(),
            replaced: BTreeMap::new(),
            accounts: BTreeMap::new(),
            superseded: BTreeSet::new(),
            advice: VecDeque::new(),
            questions: Vec::new(),
            revocations: VecDeque::new(),
            told: Vec::new(),
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Makes it reachable.
    pub fn attach(&self, http: &ScriptedHttp) {
        let ca = self.clone();
        http.handle(move |request, _| match request.url.as_str().strip_prefix(Self::URL)? {
            "/" => Some(ca.state().greet()),
            path if path.starts_with("/renewal-info/") => Some(ca.state().advise(path.strip_prefix("/renewal-info/")?)),
            path if path.starts_with("/revocations/") => {
                Some(ca.state().hear(path.strip_prefix("/revocations/")?, request))
            }
            path => Some(ca.answer(path.strip_prefix("/orders/")?, request)),
        });
    }

    /// The next calls are answered like this, one after the other.
    pub fn then(&self, steps: impl IntoIterator<Item = CaStep>) {
        self.state().steps.extend(steps);
    }

    /// Forgets the steps that were to come: the next calls are answered with a certificate.
    pub fn mend(&self) {
        self.state().steps.clear();
    }

    /// The next questions about renewals are answered like this, one after the other; without that, with a window of two days
    /// that starts a third of the lifetime before the end, as the certificate of the question has it.
    pub fn then_advise(&self, steps: impl IntoIterator<Item = AdviceStep>) {
        self.state().advice.extend(steps);
    }

    /// The certificates that questions about renewals were about, in their order, by their identifiers (RFC 9773 §4.1).
    pub fn questions(&self) -> Vec<String> {
        self.state().questions.clone()
    }

    /// The next calls that tell of revocations are answered like this, one after the other.
    pub fn then_hear(&self, steps: impl IntoIterator<Item = RevocationStep>) {
        self.state().revocations.extend(steps);
    }

    /// The revocations that it took, with their reason, and the releases, without one, in their order.
    pub fn told(&self) -> Vec<(Serial, Option<RevocationReason>)> {
        self.state().told.clone()
    }

    /// Forgets which certificates it issued, as another CA would never have known them.
    pub fn forget(&self) {
        let mut state = self.state();
        state.accounts.clear();
        state.superseded.clear();
    }

    /// Counts a certificate as replaced, as if an order had named it.
    pub fn supersede(&self, id: &str) {
        self.state().superseded.insert(id.to_owned());
    }

    /// The orders that calls were about, in the order of the calls, by idempotency key.
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// What was issued, by idempotency key.
    pub fn issued(&self) -> BTreeMap<String, Chain> {
        self.state().issued.clone()
    }

    /// The serials that orders named as replaced, by idempotency key.
    pub fn replaced(&self) -> BTreeMap<String, Serial> {
        self.state().replaced.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, key: &str, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut state = self.state();
        state.calls.push(key.to_owned());
        let step = state.steps.pop_front().unwrap_or(CaStep::Issue);
        let Ok(order) = serde_json::from_slice::<OrderDocument>(&request.body) else {
            return Ok(ScriptedHttp::response(400, "no order"));
        };
        state.replaced.extend(order.replaces.clone().map(|serial| (key.to_owned(), serial)));
        if let Some(refusal) = state.refuse_replacement(key, &order) {
            return Ok(refusal);
        }
        match step {
            CaStep::Issue => Ok(state.issue(key, &order)),
            CaStep::Wait(pause) => Ok(with_pause(202, Some(pause))),
            CaStep::Fail(kind, pause) => failure(kind, pause),
            CaStep::LoseAnswer => {
                state.issue(key, &order);
                Err(HttpError::Timeout { host: host(), after: Duration::from_secs(30) })
            }
            CaStep::WrongNames => Ok(state.for_others(&order)),
        }
    }
}

impl State {
    /// Answers who only asks whether it is there: no order, so nothing but a failure is taken from the script.
    fn greet(&mut self) -> Result<HttpResponse, HttpError> {
        match self.steps.pop_front_if(|step| matches!(step, CaStep::Fail(..))) {
            Some(CaStep::Fail(kind, pause)) => failure(kind, pause),
            _ => Ok(ScriptedHttp::response(200, "")),
        }
    }

    fn issue(&mut self, key: &str, order: &OrderDocument) -> HttpResponse {
        if let Some(chain) = self.issued.get(key) {
            return ScriptedHttp::response(200, chain.to_pem());
        }
        match self.sign(order, None) {
            Ok(chain) => {
                let pem = chain.to_pem();
                self.remember(order, &chain);
                self.issued.insert(key.to_owned(), chain);
                ScriptedHttp::response(200, pem)
            }
            Err(why) => ScriptedHttp::response(422, why),
        }
    }

    /// What RFC 9773 §5 has a CA check about `replaces`.
    fn refuse_replacement(&self, key: &str, order: &OrderDocument) -> Option<HttpResponse> {
        let (id, account) = (order.replaces_id.as_ref()?, order.account.as_ref()?);
        if self.issued.contains_key(key) {
            return None;
        }
        let refusal = match self.accounts.get(id) {
            None => (404, "urn:ietf:params:acme:error:malformed"),
            Some(other) if other != account => (403, "urn:ietf:params:acme:error:unauthorized"),
            Some(_) if self.superseded.contains(id) => (409, "urn:ietf:params:acme:error:alreadyReplaced"),
            Some(_) => return None,
        };
        Some(ScriptedHttp::response(refusal.0, refusal.1))
    }

    fn remember(&mut self, order: &OrderDocument, chain: &Chain) {
        let id = certificate::parse(chain.leaf()).ok().as_ref().and_then(RenewalInfoId::of);
        if let (Some(id), Some(account)) = (id, &order.account) {
            self.accounts.insert(id.to_string(), account.clone());
        }
        self.superseded.extend(order.replaces_id.clone());
    }

    fn advise(&mut self, id: &str) -> Result<HttpResponse, HttpError> {
        self.questions.push(id.to_owned());
        let of = |chain: &&Chain| {
            certificate::parse(chain.leaf())
                .is_ok_and(|facts| RenewalInfoId::of(&facts).is_some_and(|it| it.as_str() == id))
        };
        let facts = self.issued.values().find(of).and_then(|chain| certificate::parse(chain.leaf()).ok());
        let usual = facts.map(|facts| {
            let start = facts.not_after - facts.not_after.since(facts.not_before) / 3;
            AdviceStep::Window { start, end: start + DAY * 2, retry_after: None }
        });
        match self.advice.pop_front().or(usual) {
            None => Ok(ScriptedHttp::response(404, "no such certificate")),
            Some(AdviceStep::Garbage) => Ok(ScriptedHttp::response(200, "<html>")),
            Some(AdviceStep::Fail(kind, pause)) => failure(kind, pause),
            Some(AdviceStep::Window { start, end, retry_after }) => {
                let body = serde_json::json!({
                    "suggestedWindow": { "start": start, "end": end },
                    "explanationURL": "https://ca.scripted.test/why",
                });
                let headers = with_pause(200, retry_after).headers;
                Ok(HttpResponse { headers, ..ScriptedHttp::response(200, body.to_string()) })
            }
        }
    }

    /// Being told the same again is a success, and nothing new.
    fn hear(&mut self, serial: &str, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let step = self.revocations.pop_front().unwrap_or(RevocationStep::Take);
        if let RevocationStep::Fail(kind, pause) = step {
            return failure(kind, pause);
        }
        let reason = std::str::from_utf8(&request.body).ok().map(|text| text.parse::<RevocationReason>().ok());
        let (Ok(serial), Some(reason)) = (serial.parse::<Serial>(), reason) else {
            return Ok(ScriptedHttp::response(400, "no revocation"));
        };
        if self.told.iter().rev().find(|(known, _)| *known == serial).is_none_or(|(_, known)| *known != reason) {
            self.told.push((serial, reason));
        }
        match step {
            RevocationStep::LoseAnswer => Err(HttpError::Timeout { host: host(), after: Duration::from_secs(30) }),
            RevocationStep::Take | RevocationStep::Fail(..) => Ok(ScriptedHttp::response(200, "")),
        }
    }

    fn for_others(&self, order: &OrderDocument) -> HttpResponse {
        match self.sign(order, Some("somebody-else.example")) {
            Ok(chain) => ScriptedHttp::response(200, chain.to_pem()),
            Err(why) => ScriptedHttp::response(422, why),
        }
    }

    fn sign(&self, order: &OrderDocument, instead: Option<&str>) -> Result<Chain, String> {
        let csr = csr::parse_pem(&order.csr).map_err(|error| error.to_string())?;
        let certifiable = |san: &SubjectAltName| matches!(san, SubjectAltName::Dns(name) if !name.is_wildcard());
        if !csr.names().sans.iter().all(certifiable) || csr.key_algorithm().family() != KeyFamily::Ecdsa {
            return Err("only DNS names without wildcards and ECDSA keys are certified here".to_owned());
        }
        if order.ekus.iter().any(|usage| *usage != ExtendedKeyUsage::ServerAuth) {
            return Err("only server certificates are made here".to_owned());
        }
        let names = match instead {
            Some(name) => crate::domain::SubjectNames::new(name, &[]).map_err(|error| error.to_string())?,
            None => csr.names().clone(),
        };
        let longest = ScriptedCa::MAX_LIFETIME;
        let lifetime = order.lifetime_seconds.map_or(longest, Duration::from_secs).clamp(SECOND, longest);
        let request = LeafRequest {
            names,
            spki: csr.spki().to_vec(),
            serial: Serial::random(&self.rng),
            not_before: Timestamp(order.now_us),
            not_after: Timestamp(order.now_us) + lifetime.saturating_sub(SECOND),
            extended_key_usages: order.ekus.iter().copied().collect(),
            must_staple: order.must_staple,
            policies: Vec::new(),
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuer_urls: Vec::new(),
        };
        let authority = Authority::from_certificate(&self.root).map_err(|error| error.to_string())?;
        let unsigned = certificate::leaf(&request, &authority).map_err(|error| error.to_string())?;
        let leaf = block_on(unsigned.sign(&*self.signer)).map_err(|error| error.to_string())?;
        Chain::from_der(vec![leaf, self.root.clone()]).map_err(|error| error.to_string())
    }
}

fn failure(kind: ConnectorErrorKind, pause: Option<Duration>) -> Result<HttpResponse, HttpError> {
    match kind {
        ConnectorErrorKind::Unreachable => {
            Err(HttpError::Unreachable { host: host(), reason: "the script says so".to_owned() })
        }
        kind => Ok(with_pause(status_of(kind), pause)),
    }
}

fn host() -> String {
    ScriptedCa::URL.trim_start_matches("https://").to_owned()
}

pub(super) fn status_of(kind: ConnectorErrorKind) -> u16 {
    match kind {
        ConnectorErrorKind::Auth => 401,
        ConnectorErrorKind::Quota => 429,
        ConnectorErrorKind::Permanent => 400,
        ConnectorErrorKind::Policy => 422,
        ConnectorErrorKind::Lineage => 409,
        ConnectorErrorKind::Challenge | ConnectorErrorKind::Transient | ConnectorErrorKind::Unreachable => 503,
    }
}

pub(super) fn with_pause(status: u16, pause: Option<Duration>) -> HttpResponse {
    let headers = pause.map(|pause| ("retry-after".to_owned(), pause.as_secs().to_string())).into_iter().collect();
    HttpResponse { headers, ..ScriptedHttp::response(status, "") }
}

impl std::fmt::Debug for ScriptedCa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state();
        f.debug_struct("ScriptedCa").field("calls", &state.calls.len()).field("issued", &state.issued.len()).finish()
    }
}
