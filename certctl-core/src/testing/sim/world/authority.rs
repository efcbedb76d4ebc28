//! A CA with orders: late, at times stuck, and with a memory of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Verdict, answer};
use crate::domain::{Chain, Csr, ExtendedKeyUsage, RenewalInfoId, RevocationReason, Serial, Timestamp};
use crate::pki::certificate::{self, Authority, AuthorityRequest, DistinguishedName, LeafRequest};
use crate::pki::{PkiError, csr};
use crate::ports::{Clock, HttpRequest, HttpResponse, KeyError, Signer};
use crate::testing::sim::chance::Chance;
use crate::testing::sim::config::DAY;
use crate::testing::{ManualClock, SeededRng};

/// How the CA does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Mood {
    /// It answers.
    Well,
    /// Every third answer is "try again later".
    Flaky,
    /// No answer comes.
    Stuck,
    /// It answers with what somebody else ordered.
    Confused,
}

/// The CA, as everybody reaches it over HTTP.
pub(in super::super) struct RemoteAuthority {
    clock: ManualClock,
    chance: Chance,
    rng: SeededRng,
    signer: Arc<dyn Signer>,
    root: Vec<u8>,
    parent: Authority,
    latency: Duration,
    lifetime: Duration,
    /// The planted defect: every tenth serial is one that was used.
    reuses_serials: bool,
    verdict: Verdict,
    state: Mutex<State>,
}

struct State {
    mood: Mood,
    orders: BTreeMap<String, Order>,
    talks: BTreeMap<String, u32>,
    last: Option<(Serial, Chain)>,
    signed: u64,
    /// When each certificate begins and ends, by how it is asked for (RFC 9773 §4.1).
    lives: BTreeMap<String, (Timestamp, Timestamp)>,
    /// What is revoked, and why, by serial number.
    revoked: BTreeMap<String, RevocationReason>,
}

struct Order {
    csr: Csr,
    visits: u32,
    chain: Option<Chain>,
}

/// What the CA is made of.
pub(in super::super) struct Terms {
    pub(in super::super) clock: ManualClock,
    pub(in super::super) seed: u64,
    pub(in super::super) signer: Arc<dyn Signer>,
    pub(in super::super) latency: Duration,
    pub(in super::super) lifetime: Duration,
    pub(in super::super) reuses_serials: bool,
    pub(in super::super) verdict: Verdict,
}

impl RemoteAuthority {
    pub(in super::super) const HOST: &'static str = "ca.sim";

    pub(in super::super) async fn new(terms: Terms) -> Result<Self, String> {
        let Terms { clock, seed, signer, latency, lifetime, reuses_serials, verdict } = terms;
        let rng = SeededRng::derive(seed, "serials of the CA", 0);
        let now = clock.now();
        let request = AuthorityRequest {
            subject: DistinguishedName { common_name: "Simulated Root".into(), ..DistinguishedName::default() },
            spki: signer.public_key().to_vec(),
            serial: Serial::random(&rng),
            not_before: now - DAY,
            not_after: now + DAY * 365 * 200,
            path_length: None,
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuer_urls: Vec::new(),
        };
        let root = certificate::root(&request).map_err(text)?.sign(&*signer).await.map_err(|e| e.to_string())?;
        let parent = Authority::from_certificate(&root).map_err(text)?;
        let state = State {
            mood: Mood::Well,
            orders: BTreeMap::new(),
            talks: BTreeMap::new(),
            last: None,
            signed: 0,
            lives: BTreeMap::new(),
            revoked: BTreeMap::new(),
        };
        let (chance, state) = (Chance::derive(seed, "CA", 0), Mutex::new(state));
        Ok(Self { clock, chance, rng, signer, root, parent, latency, lifetime, reuses_serials, verdict, state })
    }

    pub(in super::super) fn set_mood(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// Why it has a certificate revoked, if it has.
    pub(in super::super) fn revoked(&self, serial: &Serial) -> Option<RevocationReason> {
        self.revoked_as(&serial.to_string())
    }

    fn revoked_as(&self, serial: &str) -> Option<RevocationReason> {
        self.state().revoked.get(serial).copied()
    }

    /// Somebody begins to talk about an order or a revocation, until the answer is dropped. Fencing protects the store; only the lease
    /// protects the world, so this is where a lease that two hold shows.
    pub(in super::super) fn talk(&self, request: &HttpRequest) -> Talk<'_> {
        let order = request.url.path().trim_end_matches("/finish").to_owned();
        let mut state = self.state();
        let talking = state.talks.entry(order.clone()).or_default();
        *talking += 1;
        if *talking > 1 {
            self.verdict.broken(format!("two workers talk to the CA about {order} at the same time"));
        }
        Talk { authority: self, order }
    }

    pub(super) async fn serve(&self, request: &HttpRequest) -> HttpResponse {
        self.pause(self.chance.within(self.latency)).await;
        let mood = self.state().mood;
        match mood {
            Mood::Stuck => self.pause(DAY).await,
            Mood::Flaky if self.chance.one_in(3) => return answer(503, "come back later"),
            Mood::Well | Mood::Flaky | Mood::Confused => {}
        }
        if let Some(id) = request.url.path().strip_prefix("/renewal/") {
            return self.suggest(id);
        }
        if let Some(serial) = request.url.path().strip_prefix("/revocations/") {
            return self.decide(serial, &request.body);
        }
        let key = order_of(request);
        if !request.url.path().ends_with("/finish") {
            return self.open(key, request);
        }
        if mood == Mood::Confused
            && self.chance.one_in(2)
            && let Some((_, chain)) = &self.state().last
        {
            return answer(200, chain.to_bytes());
        }
        self.finish(key).await.unwrap_or_else(|why| answer(500, why))
    }

    /// The same order however often it is placed.
    fn open(&self, key: &str, request: &HttpRequest) -> HttpResponse {
        let Ok(csr) = csr::parse_der(&request.body) else { return answer(400, "no request") };
        let mut state = self.state();
        let order = state.orders.entry(key.to_owned()).or_insert(Order { csr: csr.clone(), visits: 0, chain: None });
        if order.csr.spki() != csr.spki() {
            self.verdict.broken(format!("order {key} was placed again with another key"));
        }
        answer(201, key.to_owned())
    }

    async fn finish(&self, key: &str) -> Result<HttpResponse, String> {
        let csr = {
            let mut state = self.state();
            let Some(order) = state.orders.get_mut(key) else { return Ok(answer(404, "no such order")) };
            order.visits += 1;
            if order.visits == 1 && self.chance.one_in(2) {
                return Ok(answer(202, "in progress"));
            }
            if let Some(chain) = &order.chain {
                return Ok(answer(200, chain.to_bytes()));
            }
            order.csr.clone()
        };
        let chain = self.sign(&csr).await?;
        if let Some(order) = self.state().orders.get_mut(key) {
            order.chain = Some(chain.clone());
        }
        Ok(answer(200, chain.to_bytes()))
    }

    /// When it would like to see a certificate renewed; one answer of three is of no use, too early or too late.
    fn suggest(&self, id: &str) -> HttpResponse {
        let Some((begin, end)) = self.state().lives.get(id).copied() else { return answer(404, "no such certificate") };
        let life = end.since(begin);
        let part = |hundredths: u32| begin + life * hundredths / 100;
        let window = |start: Timestamp, end: Timestamp| answer(200, format!("{} {}", start.0, end.0));
        match self.chance.below(12) {
            0 => answer(503, "ask again later"),
            1 => window(part(50), part(20)),
            2 => answer(200, "soon"),
            3 => window(begin - DAY * 30, begin - DAY * 20),
            4 => window(part(150), part(200)),
            _ => window(part(30), part(45)),
        }
    }

    /// Revokes for this reason, or takes that back where none is given. What is revoked stays as it is, but a hold.
    fn decide(&self, serial: &str, reason: &[u8]) -> HttpResponse {
        let reason = std::str::from_utf8(reason).unwrap_or_default();
        let known = self.revoked_as(serial);
        if let Some(reason) = RevocationReason::ALL.iter().find(|known| known.name() == reason) {
            if known.is_none_or(|known| known == RevocationReason::CertificateHold) {
                self.state().revoked.insert(serial.to_owned(), *reason);
            }
        } else if known.is_none_or(|known| known == RevocationReason::CertificateHold) {
            self.state().revoked.remove(serial);
        } else {
            self.verdict.broken(format!("the CA was told that {serial} is revoked no more, which it was for good"));
        }
        answer(200, "")
    }

    async fn sign(&self, csr: &Csr) -> Result<Chain, String> {
        let serial = self.serial();
        let not_before = self.clock.now().floor_to_second();
        let request = LeafRequest {
            names: csr.names().clone(),
            spki: csr.spki().to_vec(),
            serial: serial.clone(),
            not_before,
            not_after: not_before + self.lifetime,
            extended_key_usages: [ExtendedKeyUsage::ServerAuth].into(),
            must_staple: false,
            policies: Vec::new(),
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuer_urls: Vec::new(),
        };
        let leaf = certificate::leaf(&request, &self.parent).map_err(text)?;
        let leaf = leaf.sign(&*self.signer).await.map_err(|error| error.to_string())?;
        let chain = Chain::from_der(vec![leaf, self.root.clone()]).map_err(|error| error.to_string())?;
        let facts = certificate::parse(chain.leaf()).map_err(text)?;
        let mut state = self.state();
        if let Some(id) = RenewalInfoId::of(&facts) {
            state.lives.insert(id.to_string(), (facts.not_before, facts.not_after));
        }
        state.last = Some((serial, chain.clone()));
        drop(state);
        Ok(chain)
    }

    fn serial(&self) -> Serial {
        let mut state = self.state();
        state.signed += 1;
        match &state.last {
            Some((serial, _)) if self.reuses_serials && state.signed.is_multiple_of(10) => serial.clone(),
            _ => Serial::random(&self.rng),
        }
    }

    async fn pause(&self, time: Duration) {
        self.clock.sleep_until(self.clock.monotonic() + time).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A conversation about one order.
pub(in super::super) struct Talk<'a> {
    authority: &'a RemoteAuthority,
    order: String,
}

impl Drop for Talk<'_> {
    fn drop(&mut self) {
        if let Some(talking) = self.authority.state().talks.get_mut(&self.order) {
            *talking = talking.saturating_sub(1);
        }
    }
}

/// `/orders/KEY` and `/orders/KEY/finish`.
fn order_of(request: &HttpRequest) -> &str {
    request.url.path().trim_start_matches("/orders/").trim_end_matches("/finish")
}

fn text(error: PkiError) -> String {
    error.to_string()
}

/// The key that the CA signs with.
pub(in super::super) async fn signer(
    keys: &dyn crate::ports::Keys,
    algorithm: crate::domain::KeyAlgorithm,
    seed: u64,
) -> Result<Arc<dyn Signer>, KeyError> {
    Ok(keys.generate(algorithm, &SeededRng::derive(seed, "key of the CA", 0)).await?.signer)
}
