//! An order, step by step (RFC 8555 §7.4): each step has one effect, and its state is stored before the next one.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certctl_core::connector::{ConnectorError, ConnectorErrorKind, Issuance, IssueOrder, OrderState, Predecessor};
use certctl_core::domain::{Chain, KeyAlgorithm, RenewalInfoId, SubjectAltName, Timestamp};
use certctl_core::pki;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::account::{Account, Ready};
use super::authorization::{chosen, ended};
use super::challenge::{Asking, Offer};
use super::config::AcmeChallenge;
use super::issuer::AcmeIssuer;
use super::problem::Refused;
use super::wire::{Authorization, Identifier, Order};
use crate::issuer::fits;

/// What is stored between two steps.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    /// The form of this; another one is not understood.
    version: u8,
    /// The CA that it is of.
    directory: Url,
    /// When it began, by the store's clock.
    began_at: i64,
    /// Looks at something that was not ready, since it last moved on.
    #[serde(default)]
    looks: u32,
    stage: Stage,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Stage {
    /// There is an account; nothing is ordered.
    Account,
    /// It is ordered.
    Ordered { order: Box<Placed>, next: Next },
}

/// An order that the CA has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Placed {
    url: Url,
    finalize: Url,
    authorizations: Vec<Url>,
    /// The account that ordered.
    account: String,
    /// The challenges that are answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    offers: Vec<Offer>,
}

/// What the next step does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Next {
    /// Reads what the CA wants to see, and chooses the challenges.
    Choose,
    /// Has this challenge answered.
    Give(usize),
    /// Waits until all answers can be seen.
    Settle,
    /// Tells the CA that this challenge is answered.
    Tell(usize),
    /// Waits for the CA's verdict.
    Await,
    /// Takes this answer away.
    TakeAway(usize, Then),
    /// Sends the request.
    Finalize,
    /// Waits for the certificate.
    Collect,
    /// Reads the certificate.
    Download(Url),
}

/// What follows when all answers are taken away.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Then {
    Finalize,
    Collect,
    /// The order came to nothing.
    Fail(Failure),
}

/// Why an order came to nothing, kept until its answers are taken away.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    /// The kind's name.
    kind: String,
    why: String,
}

impl Failure {
    fn of(error: &ConnectorError) -> Self {
        Self { kind: error.kind.name().to_owned(), why: error.explained() }
    }

    fn told(self) -> ConnectorError {
        use ConnectorErrorKind::{Auth, Challenge, Lineage, Permanent, Policy, Quota, Transient, Unreachable};
        let kinds = [Auth, Challenge, Lineage, Permanent, Policy, Quota, Transient, Unreachable];
        let kind = kinds.into_iter().find(|kind| kind.name() == self.kind).unwrap_or(Permanent);
        ConnectorError::new(kind, self.why).begin_anew()
    }
}

const VERSION: u8 = 1;
/// Between two looks, where the CA does not say: this, doubled each time up to the longest.
const FIRST_LOOK: Duration = Duration::from_secs(1);
const LONGEST_LOOK: Duration = Duration::from_secs(60);
/// Whatever a CA says.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

impl Progress {
    fn begun(issuer: &AcmeIssuer, now: Timestamp) -> Self {
        let directory = issuer.terms.directory.clone();
        Self { version: VERSION, directory, began_at: now.0, looks: 0, stage: Stage::Account }
    }

    /// # Errors
    /// A permanent one for a state that is not of this issuer, one that begins anew where the issuer asks another CA by now.
    pub(super) fn read(issuer: &AcmeIssuer, state: &OrderState) -> Result<Self, ConnectorError> {
        let read: Option<Self> = serde_json::from_slice(&state.0).ok();
        let progress = read.filter(|progress| progress.version == VERSION);
        let progress = progress
            .ok_or_else(|| ConnectorError::permanent("the order's state is not of an ACME issuer").begin_anew())?;
        if progress.directory != issuer.terms.directory {
            return Err(ConnectorError::transient("the issuer asks another CA since the order began").begin_anew());
        }
        Ok(progress)
    }

    fn ordered(self, order: Placed, next: Next) -> Self {
        Self { looks: 0, ..self.still(order, next) }
    }

    /// Another step that is no progress: the looks count on.
    fn still(self, order: Placed, next: Next) -> Self {
        Self { stage: Stage::Ordered { order: Box::new(order), next }, ..self }
    }

    fn pending(&self, after: Duration) -> Result<Issuance, ConnectorError> {
        let state = serde_json::to_vec(self);
        let state =
            state.map_err(|error| ConnectorError::permanent("the order's state cannot be written").because(error))?;
        Ok(Issuance::Pending { state: OrderState(state), serial: None, retry_after: after })
    }

    fn is_late(&self, issuer: &AcmeIssuer, now: Timestamp) -> bool {
        now.since(Timestamp(self.began_at)) > issuer.terms.longest_wait
    }

    /// Looks again at what was not ready, as long as there is patience.
    fn again(self, issuer: &AcmeIssuer, now: Timestamp, says: Option<Duration>) -> Result<Issuance, ConnectorError> {
        if self.is_late(issuer, now) {
            let waited = issuer.terms.longest_wait.as_secs();
            let why = format!("the order was not done within {waited} s (poll_max_wait_seconds); a new one begins");
            return Err(ConnectorError::new(ConnectorErrorKind::Challenge, why).begin_anew());
        }
        let doubled = FIRST_LOOK.saturating_mul(1 << self.looks.min(8)).min(LONGEST_LOOK);
        let pause = says.unwrap_or(doubled).clamp(FIRST_LOOK, LONGEST_PAUSE);
        Self { looks: self.looks.saturating_add(1), ..self }.pending(pause)
    }
}

impl AcmeIssuer {
    /// Begins an order: an account, and then the order itself. Both are asked for in one step only where there was an account.
    pub(super) async fn begin(&self, order: &IssueOrder<'_>) -> Result<Issuance, ConnectorError> {
        self.check(order)?;
        let progress = Progress::begun(self, order.now);
        match self.accounts.ready(&self.client).await? {
            Ready::Now(_) => progress.pending(Duration::ZERO),
            Ready::Before(account) => self.place(order, progress, &account).await,
        }
    }

    /// Takes the next step of an order.
    pub(super) async fn go_on(&self, order: &IssueOrder<'_>, progress: Progress) -> Result<Issuance, ConnectorError> {
        let account = match self.accounts.ready(&self.client).await? {
            Ready::Before(account) | Ready::Now(account) => account,
        };
        let Stage::Ordered { order: placed, next } = progress.stage.clone() else {
            return self.place(order, progress, &account).await;
        };
        let now = order.now;
        let step = Step { issuer: self, account: &account, key: order.idempotency_key, progress, placed: *placed, now };
        let before = step.clone();
        let is_another = before.placed.account != account.url;
        let done = match next {
            Next::TakeAway(position, then) => return step.take_one_away(position, then).await,
            _ if is_another => {
                Err(ConnectorError::transient("another account orders since the order began").begin_anew())
            }
            Next::Choose => step.choose(order).await,
            Next::Give(position) => step.give(position).await,
            Next::Settle => step.settle().await,
            Next::Tell(position) => step.tell(position).await,
            Next::Await => step.wait_for_verdict().await,
            Next::Finalize => step.finalize(order).await,
            Next::Collect => step.collect().await,
            Next::Download(url) => step.download(order, &url).await,
        };
        match done {
            Err(error) if error.begins_anew && before.is_answered() => {
                before.take_away(Then::Fail(Failure::of(&error)))
            }
            done => done,
        }
    }

    /// What no ACME CA could do, or not this way.
    fn check(&self, order: &IssueOrder<'_>) -> Result<(), ConnectorError> {
        let refuse = |why: String| Err(ConnectorError::new(ConnectorErrorKind::Policy, why));
        let over_dns = matches!(self.terms.challenge, AcmeChallenge::Dns01 | AcmeChallenge::DnsPersist01);
        for name in &order.names.sans {
            match name {
                SubjectAltName::Dns(name) if name.is_wildcard() && !over_dns => {
                    return refuse(format!(
                        "{} is shown to be ours over the DNS only; set challenge_type to dns-01",
                        name.as_str()
                    ));
                }
                SubjectAltName::Ip(address) if over_dns => {
                    return refuse(format!(
                        "{address} is not shown to be ours over the DNS; set challenge_type to http-01"
                    ));
                }
                SubjectAltName::Dns(_) | SubjectAltName::Ip(_) => {}
                SubjectAltName::Email(_) | SubjectAltName::Uri(_) => {
                    return refuse(format!("ACME certifies DNS names and addresses; {name} is neither"));
                }
            }
        }
        if order.csr.key_algorithm() == KeyAlgorithm::Ed25519 {
            return refuse("no CA that browsers trust certifies Ed25519 keys; use ECDSA or RSA".to_owned());
        }
        if order.terms.must_staple && !fits::asks_for_stapling(order.csr.der()) {
            return refuse(
                "the profile asks for must-staple, and an ACME CA hears of that in the request only".to_owned(),
            );
        }
        if order.names.sans.is_empty() {
            return refuse("ACME certifies DNS names and addresses, and there is none".to_owned());
        }
        Ok(())
    }

    /// Orders (RFC 8555 §7.4). What is lost between the CA's answer and the store is an order that nobody answers and that ends.
    async fn place(
        &self,
        order: &IssueOrder<'_>,
        progress: Progress,
        account: &Account,
    ) -> Result<Issuance, ConnectorError> {
        self.check(order)?;
        let identifiers = Identifier::all(order.names);
        let mut payload = json!({ "identifiers": identifiers });
        let mut set =
            |name: &str, value: Value| payload.as_object_mut().and_then(|all| all.insert(name.to_owned(), value));
        if let Some(profile) = &self.terms.profile {
            set("profile", json!(profile));
        }
        let directory = self.client.directory().await?;
        let replaces = order.replaces.and_then(Self::named).filter(|_| directory.renewal_info.is_some());
        if let Some(replaces) = replaces {
            set("replaces", json!(replaces));
        }
        if let (true, Some(lifetime)) = (self.terms.request_lifetime, order.terms.lifetime) {
            // The last moment is part of a certificate's lifetime (RFC 5280 §4.1.2.5).
            let end = order.now.floor_to_second() + lifetime.saturating_sub(Duration::from_secs(1));
            set("notAfter", json!(end.to_rfc3339()));
        }
        let answer = match self.client.post(account.signed(), &directory.new_order, &payload).await {
            Ok(answer) => answer,
            Err(refused) if replaces.is_some() && is_about_lineage(&refused) => {
                let why = ConnectorError::new(ConnectorErrorKind::Lineage, refused.error.message.clone());
                return Err(why.because(refused.error));
            }
            Err(refused) => return Err(self.accounts.judged(account, refused).await),
        };
        let document: Order = answer.json("order")?;
        let url = answer.location.ok_or_else(|| ConnectorError::transient("the CA did not say where the order is"))?;
        let placed = Placed {
            url,
            finalize: document.finalize,
            authorizations: document.authorizations,
            account: account.url.clone(),
            offers: Vec::new(),
        };
        let began = Progress { began_at: order.now.0, ..progress };
        began.ordered(placed, Next::Choose).pending(Duration::ZERO)
    }

    fn named(predecessor: &Predecessor) -> Option<&str> {
        predecessor.renewal_info_id.as_ref().map(RenewalInfoId::as_str)
    }
}

/// RFC 9773 §5: it was replaced already, is of another account, or is not known. Whether a CA says so in so many words differs.
fn is_about_lineage(refused: &Refused) -> bool {
    matches!(refused.name.as_str(), "alreadyReplaced" | "malformed" | "unauthorized")
        || matches!(refused.status, 404 | 409)
}

/// One step of an order that the CA has. What an error that begins anew leaves of answers is taken away by [`AcmeIssuer::go_on`].
#[derive(Clone)]
struct Step<'a> {
    issuer: &'a AcmeIssuer,
    account: &'a Account,
    /// The order's, which its answers go by.
    key: &'a str,
    progress: Progress,
    placed: Placed,
    now: Timestamp,
}

impl Step<'_> {
    fn on(self, next: Next) -> Result<Issuance, ConnectorError> {
        self.progress.ordered(self.placed, next).pending(Duration::ZERO)
    }

    fn asking(&self) -> Asking<'_> {
        Asking { account: self.account, order: self.key, now: self.now }
    }

    async fn order(&self) -> Result<(Order, Option<Duration>), ConnectorError> {
        let answer = self.issuer.client.read_as(self.account.signed(), &self.placed.url).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(refused) => return Err(self.lost(refused).await),
        };
        Ok((answer.json("order")?, answer.retry_after))
    }

    async fn authorization(&self, url: &Url) -> Result<Authorization, ConnectorError> {
        match self.issuer.client.read_as(self.account.signed(), url).await {
            Ok(answer) => answer.json("authorization"),
            Err(refused) => Err(self.lost(refused).await),
        }
    }

    /// What the CA does not know any more has to be ordered anew.
    async fn lost(&self, refused: Refused) -> ConnectorError {
        if refused.is_gone() {
            let why = "the CA does not know the order any more; a new one begins";
            return ConnectorError::new(ConnectorErrorKind::Challenge, why).because(refused.error).begin_anew();
        }
        self.issuer.accounts.judged(self.account, refused).await
    }

    async fn choose(mut self, order: &IssueOrder<'_>) -> Result<Issuance, ConnectorError> {
        let ordered = Identifier::all(order.names);
        let mut offers: Vec<Offer> = Vec::new();
        for url in &self.placed.authorizations {
            let authorization = self.authorization(url).await?;
            offers.extend(chosen(&self.issuer.terms, &ordered, &authorization)?);
        }
        // All orders take names in the same order, so that no two wait for each other's.
        offers.sort_by(|one, other| one.identifier.value.cmp(&other.identifier.value));
        let next = if offers.is_empty() { Next::Await } else { Next::Give(0) };
        self.placed.offers = offers;
        self.on(next)
    }

    async fn give(self, position: usize) -> Result<Issuance, ConnectorError> {
        let Some(offer) = self.placed.offers.get(position) else { return self.settle_later() };
        if let Err(error) = self.issuer.answers.give(offer, self.asking()).await {
            // The same step again, and what was answered so far stays answered.
            if error.kind == ConnectorErrorKind::Challenge {
                // Another order has the name challenged. That passes, and is no attempt in vain.
                if !self.progress.is_late(self.issuer, self.now) {
                    return self.progress.again(self.issuer, self.now, None);
                }
            } else if error.kind.is_retryable() {
                return Err(error);
            }
            return Err(error.begin_anew());
        }
        if position + 1 < self.placed.offers.len() { self.on(Next::Give(position + 1)) } else { self.settle_later() }
    }

    fn settle_later(self) -> Result<Issuance, ConnectorError> {
        let over_dns = self.placed.offers.iter().any(|offer| offer.kind == AcmeChallenge::Dns01);
        let pause = if over_dns { self.issuer.terms.dns.wait } else { Duration::ZERO };
        // The time that records take is not the CA's.
        let progress = Progress { began_at: (self.now + pause).0, ..self.progress };
        progress.ordered(self.placed, Next::Settle).pending(pause)
    }

    async fn settle(self) -> Result<Issuance, ConnectorError> {
        for offer in &self.placed.offers {
            if !self.issuer.answers.is_seen(offer, self.account).await? {
                let name = &offer.identifier.value;
                if !self.progress.is_late(self.issuer, self.now) {
                    return self.progress.again(self.issuer, self.now, None);
                }
                let why =
                    format!("the TXT record for {name} cannot be seen from here; check who makes it, and dns_servers");
                return Err(ConnectorError::new(ConnectorErrorKind::Challenge, why).begin_anew());
            }
        }
        self.on(Next::Tell(0))
    }

    /// RFC 8555 §7.5.1. Telling it twice does no harm.
    async fn tell(self, position: usize) -> Result<Issuance, ConnectorError> {
        let Some(offer) = self.placed.offers.get(position) else { return self.on(Next::Await) };
        match self.issuer.client.post(self.account.signed(), &offer.url, &json!({})).await {
            // A challenge that has a verdict already is refused by some CAs; the verdict is read next.
            Err(refused) if refused.name != "malformed" || refused.is_gone() => return Err(self.lost(refused).await),
            Ok(_) | Err(_) => {}
        }
        if position + 1 < self.placed.offers.len() { self.on(Next::Tell(position + 1)) } else { self.on(Next::Await) }
    }

    async fn wait_for_verdict(self) -> Result<Issuance, ConnectorError> {
        let (document, says) = self.order().await?;
        match document.status.as_str() {
            "pending" => self.progress.again(self.issuer, self.now, says),
            "ready" => self.take_away(Then::Finalize),
            "processing" | "valid" => self.take_away(Then::Collect),
            _ => Err(self.failed(&document).await),
        }
    }

    async fn finalize(self, order: &IssueOrder<'_>) -> Result<Issuance, ConnectorError> {
        let payload = json!({ "csr": URL_SAFE_NO_PAD.encode(order.csr.der()) });
        match self.issuer.client.post(self.account.signed(), &self.placed.finalize, &payload).await {
            Ok(answer) => {
                let document: Order = answer.json("order")?;
                if let ("valid", Some(url)) = (document.status.as_str(), document.certificate) {
                    return self.on(Next::Download(url));
                }
                let pause = answer.retry_after.unwrap_or_default().min(LONGEST_PAUSE);
                self.progress.still(self.placed, Next::Collect).pending(pause)
            }
            // It was sent before, and only the answer was lost (RFC 8555 §7.4).
            Err(refused) if refused.name == "orderNotReady" => {
                self.progress.still(self.placed, Next::Collect).pending(Duration::ZERO)
            }
            Err(refused) if refused.error.kind == ConnectorErrorKind::Policy => Err(refused.error.begin_anew()),
            Err(refused) => Err(self.lost(refused).await),
        }
    }

    async fn collect(self) -> Result<Issuance, ConnectorError> {
        let (document, says) = self.order().await?;
        match (document.status.as_str(), document.certificate) {
            ("valid", Some(url)) => self.on(Next::Download(url)),
            ("valid" | "processing", _) => self.progress.again(self.issuer, self.now, says),
            // The request never came there. A CA that says so each time is asked no faster and no longer than any other.
            ("ready", _) => self.back(Next::Finalize, says),
            ("pending", _) => self.back(Next::Await, says),
            (_, certificate) => {
                let document = Order { certificate, ..document };
                Err(self.failed(&document).await)
            }
        }
    }

    /// To a step before this one, as a look in vain.
    fn back(self, next: Next, says: Option<Duration>) -> Result<Issuance, ConnectorError> {
        self.progress.still(self.placed, next).again(self.issuer, self.now, says)
    }

    async fn download(self, order: &IssueOrder<'_>, url: &Url) -> Result<Issuance, ConnectorError> {
        let client = &self.issuer.client;
        let answer = match client.read_as(self.account.signed(), url).await {
            Ok(answer) => answer,
            Err(refused) => return Err(self.lost(refused).await),
        };
        let chain = fits::chain("the CA", order, &answer.body)?;
        let Some(preferred) = self.issuer.terms.preferred_chain.as_deref() else { return Ok(Issuance::Issued(chain)) };
        if ends_at(&chain, preferred) {
            return Ok(Issuance::Issued(chain));
        }
        for url in &answer.alternates {
            // One that cannot be read or does not fit leaves the others, and the first.
            let Ok(other) = client.read_as(self.account.signed(), url).await else { continue };
            if let Ok(other) = fits::chain("the CA", order, &other.body)
                && other.leaf() == chain.leaf()
                && ends_at(&other, preferred)
            {
                return Ok(Issuance::Issued(other));
            }
        }
        tracing::warn!(preferred, "the CA offers no chain that ends at the preferred issuer; its first one is taken");
        Ok(Issuance::Issued(chain))
    }

    /// Why the order came to nothing, by what the CA says of it and of its names.
    async fn failed(&self, document: &Order) -> ConnectorError {
        let mut of_names = None;
        for url in &self.placed.authorizations {
            match self.authorization(url).await {
                Ok(authorization) if !matches!(authorization.status.as_str(), "pending" | "valid") => {
                    let error = ended(&authorization);
                    of_names = match of_names {
                        // One that fails for good decides.
                        Some(before @ ConnectorError { .. }) if !retries(&before) || retries(&error) => Some(before),
                        _ => Some(error),
                    };
                }
                _ => {}
            }
        }
        if let Some(error) = of_names {
            return error;
        }
        let error = match &document.error {
            Some(problem) => {
                ConnectorError::new(problem.ended(), format!("the CA gave the order up: {}", problem.text()))
            }
            None => ConnectorError::new(
                ConnectorErrorKind::Challenge,
                format!("the CA says that the order is {}, and not why", document.status),
            ),
        };
        error.begin_anew()
    }

    /// Whether there are answers that are taken away. A standing record stays.
    fn is_answered(&self) -> bool {
        self.placed.offers.iter().any(|offer| offer.kind != AcmeChallenge::DnsPersist01)
    }

    /// Takes the answers away, each in a step of its own: a program may take as long as a step for one.
    fn take_away(mut self, then: Then) -> Result<Issuance, ConnectorError> {
        self.placed.offers.retain(|offer| offer.kind != AcmeChallenge::DnsPersist01);
        if self.placed.offers.is_empty() { self.afterwards(then) } else { self.on(Next::TakeAway(0, then)) }
    }

    /// Where that fails the order goes on: what is left does no harm but to tidiness.
    async fn take_one_away(mut self, position: usize, then: Then) -> Result<Issuance, ConnectorError> {
        if let Some(offer) = self.placed.offers.get(position)
            && let Err(error) = self.issuer.answers.take_away(offer, self.asking()).await
        {
            let why = error.explained();
            tracing::warn!(name = offer.identifier.value, error = why, "the answer to a challenge was not taken away");
        }
        if position + 1 < self.placed.offers.len() {
            return self.on(Next::TakeAway(position + 1, then));
        }
        self.placed.offers.clear();
        self.afterwards(then)
    }

    fn afterwards(self, then: Then) -> Result<Issuance, ConnectorError> {
        match then {
            Then::Finalize => self.on(Next::Finalize),
            Then::Collect => self.on(Next::Collect),
            Then::Fail(failure) => Err(failure.told()),
        }
    }
}

fn retries(error: &ConnectorError) -> bool {
    error.kind.is_retryable()
}

/// Whether the last certificate was issued by, or is, the one of that common name.
fn ends_at(chain: &Chain, common_name: &str) -> bool {
    let last = chain.certificates().last().and_then(|last| pki::certificate::parse(last).ok());
    // As RFC 4514 §2.4 writes it.
    let special = |c: char| if ",+\"\\<>;".contains(c) { format!("\\{c}") } else { c.to_string() };
    let attribute: String = common_name.chars().map(special).collect();
    last.is_some_and(|last| format!(",{},", last.issuer).contains(&format!(",CN={attribute},")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(next: &str) -> String {
        let offer = r#"{"kind":"dns-01","identifier":{"type":"dns","value":"a.example"},"wildcard":false,
            "url":"https://ca.example/challenge/0","token":"t"}"#;
        let order = format!(
            r#"{{"url":"https://ca.example/order/0","finalize":"https://ca.example/order/0/finalize",
            "authorizations":["https://ca.example/authz/0"],"account":"https://ca.example/account/0","offers":[{offer}]}}"#
        );
        format!(
            r#"{{"version":1,"directory":"https://ca.example/directory","began_at":7,"looks":2,
            "stage":{{"ordered":{{"order":{order},"next":{next}}}}}}}"#
        )
    }

    /// Orders are under way when a new version is started.
    #[test]
    fn what_was_stored_between_any_two_steps_is_read() {
        for next in [
            r#""choose""#,
            r#"{"give":0}"#,
            r#""settle""#,
            r#"{"tell":1}"#,
            r#""await""#,
            r#""finalize""#,
            r#""collect""#,
            r#"{"download":"https://ca.example/cert/0"}"#,
            r#"{"take_away":[0,"finalize"]}"#,
            r#"{"take_away":[1,"collect"]}"#,
            r#"{"take_away":[1,{"fail":{"kind":"policy","why":"on a list"}}]}"#,
        ] {
            let read: Progress = serde_json::from_str(&stored(next)).unwrap_or_else(|error| panic!("{next}: {error}"));
            let again = serde_json::to_value(&read).unwrap();
            let expected: Value = serde_json::from_str(next).unwrap();
            assert_eq!(again["stage"]["ordered"]["next"], expected);
        }
    }

    #[test]
    fn a_failure_is_told_as_the_kind_that_it_was() {
        use ConnectorErrorKind::{Auth, Challenge, Lineage, Permanent, Policy, Quota, Transient, Unreachable};
        for kind in [Auth, Challenge, Lineage, Permanent, Policy, Quota, Transient, Unreachable] {
            let told = Failure::of(&ConnectorError::new(kind, "no")).told();
            assert_eq!((told.kind, told.message.as_str(), told.begins_anew), (kind, "no", true));
        }
    }
}
