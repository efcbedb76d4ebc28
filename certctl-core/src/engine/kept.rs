//! What is kept for connectors: their state, and answers to challenges of CAs. All of it is sealed, and all of it is bookkeeping:
//! nothing of it is a decision that the audit trail should tell.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Engine;
use crate::connector::{
    ChallengeAnswer, ChallengeKey, Challenges, ConnectorError, ConnectorErrorKind, ConnectorState, Kept, Swap,
};
use crate::domain::{
    ChallengeKind, ChallengeRecord, ChallengeRecordId, ConnectorStateId, ConnectorStateRecord, Timestamp,
};
use crate::error::Error;
use crate::ports::Secret;
use crate::seal::Sealer;
use crate::storage::{ApplyError, Query, Storage, StorageError, UnitOfWork, View};

/// What states of connectors are sealed for.
const STATE: &str = "connector-state";
/// What answers to challenges are sealed for.
const CHALLENGE: &str = "challenge-answer";
/// Answers whose time is over that are forgotten with each new one.
const FORGOTTEN_AT_ONCE: usize = 20;
/// How long an answer keeps others from its place at most: longer than orders usually take. What an order leaves behind that was called
/// off stands in the way of the next one no longer than that.
const HELD: Duration = Duration::from_mins(30);
/// Attempts at a commit that somebody else's comes before.
const ATTEMPTS: usize = 3;

/// The engine's side of what a connector is given to keep things with.
pub(super) struct StoredFor {
    storage: Arc<dyn Storage>,
    sealer: Sealer,
    connector: String,
}

impl StoredFor {
    pub(super) fn new(storage: Arc<dyn Storage>, sealer: Sealer, connector: &str) -> Self {
        Self { storage, sealer, connector: connector.to_owned() }
    }

    async fn publish_once(
        &self,
        order: &str,
        answer: &ChallengeAnswer,
        until: Timestamp,
    ) -> Result<Result<(), ApplyError>, ConnectorError> {
        let mut unit = UnitOfWork::begin(&self.storage).await.map_err(store)?;
        let (kind, id) = named(&answer.key());
        let held = Held { order: order.to_owned(), until: unit.now() + HELD };
        let written = Written { held: Some(held), answer: WrittenAnswer::of(answer) };
        let plain = Zeroizing::new(serde_json::to_vec(&written).map_err(unwritable)?);
        let sealed = self.sealer.seal(CHALLENGE, id.as_str(), &plain).map_err(unwritable)?;
        let connector = self.connector.clone();
        match unit.get::<ChallengeRecord>(id.as_str()).await.map_err(store)? {
            Some(record) if self.is_anothers(&record, order, answer, unit.now()) => return Err(challenged()),
            Some(mut record) => {
                (record.connector, record.sealed, record.expires_at) = (connector, sealed, until);
                unit.update(record);
            }
            None => unit.insert(ChallengeRecord { id: id.clone(), connector, kind, sealed, expires_at: until }),
        }
        let fields = ChallengeRecord::FIELDS;
        let over = Query::sorted(fields.expires_at.ascending())
            .filter(fields.expires_at.below(unit.now()))
            .limit(FORGOTTEN_AT_ONCE);
        for record in unit.list(over).await.map_err(store)?.records {
            if record.id != id {
                unit.delete(&record);
            }
        }
        Ok(unit.bookkeeping().commit().await.map(drop))
    }

    /// Whether another order is in the middle of showing something else there.
    fn is_anothers(&self, record: &ChallengeRecord, order: &str, answer: &ChallengeAnswer, now: Timestamp) -> bool {
        if record.expires_at <= now {
            return false;
        }
        // What cannot be opened helps nobody.
        let Some(Written { held: Some(held), answer: before }) = self.written(record) else { return false };
        held.order != order && now < held.until && before.read().ok().is_none_or(|before| before != *answer)
    }

    fn written(&self, record: &ChallengeRecord) -> Option<Written> {
        let plain = self.sealer.open(CHALLENGE, record.id.as_str(), &record.sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }

    async fn withdraw_once(
        &self,
        order: &str,
        challenge: &ChallengeKey,
    ) -> Result<Result<(), ApplyError>, ConnectorError> {
        let mut unit = UnitOfWork::begin(&self.storage).await.map_err(store)?;
        let (_, id) = named(challenge);
        let Some(record) = unit.get::<ChallengeRecord>(id.as_str()).await.map_err(store)? else { return Ok(Ok(())) };
        let of_another = self.written(&record).and_then(|written| written.held).is_some_and(|held| held.order != order);
        if record.connector != self.connector || of_another {
            // Another issuer or order has the same name challenged now; its answer is not ours to take away.
            return Ok(Ok(()));
        }
        unit.delete(&record);
        Ok(unit.bookkeeping().commit().await.map(drop))
    }
}

#[async_trait]
impl ConnectorState for StoredFor {
    async fn load(&self, name: &str) -> Result<Option<Kept>, ConnectorError> {
        let id = ConnectorStateId::of(&self.connector, name);
        let view = self.storage.read(View::Latest).await.map_err(store)?;
        let Some(record) = view.get::<ConnectorStateRecord>(id.as_str()).await.map_err(store)? else { return Ok(None) };
        let value = self.sealer.open(STATE, id.as_str(), &record.sealed).map_err(|error| {
            ConnectorError::permanent("what is kept for this connector cannot be opened").because(error)
        })?;
        Ok(Some(Kept { value, version: record.version() }))
    }

    async fn swap(&self, name: &str, before: Option<&Kept>, value: &[u8]) -> Result<Swap, ConnectorError> {
        let id = ConnectorStateId::of(&self.connector, name);
        let sealed = self.sealer.seal(STATE, id.as_str(), value).map_err(unwritable)?;
        let mut unit = UnitOfWork::begin(&self.storage).await.map_err(store)?;
        let now = unit.now();
        match (unit.get::<ConnectorStateRecord>(id.as_str()).await.map_err(store)?, before) {
            (None, None) => {
                let connector = self.connector.clone();
                unit.insert(ConnectorStateRecord { id, connector, sealed, updated_at: now });
            }
            (Some(mut record), Some(before)) if record.version() == before.version => {
                (record.sealed, record.updated_at) = (sealed, now);
                unit.update(record);
            }
            _ => return Ok(Swap::Overtaken),
        }
        match unit.bookkeeping().commit().await {
            Ok(_) => Ok(Swap::Kept),
            Err(ApplyError::Conflict { .. } | ApplyError::Stale { .. }) => Ok(Swap::Overtaken),
            Err(error) => Err(refused(error)),
        }
    }
}

#[async_trait]
impl Challenges for StoredFor {
    async fn publish(&self, order: &str, answer: &ChallengeAnswer, until: Timestamp) -> Result<(), ConnectorError> {
        for _ in 0..ATTEMPTS {
            match self.publish_once(order, answer, until).await? {
                Ok(()) => return Ok(()),
                Err(ApplyError::Conflict { .. } | ApplyError::Stale { .. }) => {}
                Err(error) => return Err(refused(error)),
            }
        }
        Err(busy())
    }

    async fn withdraw(&self, order: &str, challenge: &ChallengeKey) -> Result<(), ConnectorError> {
        for _ in 0..ATTEMPTS {
            match self.withdraw_once(order, challenge).await? {
                Ok(()) => return Ok(()),
                Err(ApplyError::Conflict { .. } | ApplyError::Stale { .. }) => {}
                Err(error) => return Err(refused(error)),
            }
        }
        Err(busy())
    }
}

impl Engine {
    /// What is answered to a challenge of a CA, if anything: for whoever serves the names that are certified. Costs one read by
    /// key.
    ///
    /// # Errors
    /// The store's; an answer that cannot be opened.
    pub async fn challenge_answer(&self, challenge: &ChallengeKey) -> Result<Option<ChallengeAnswer>, Error> {
        let (_, id) = named(challenge);
        let view = self.storage().read(View::Latest).await?;
        let Some(record) = view.get::<ChallengeRecord>(id.as_str()).await? else { return Ok(None) };
        if record.expires_at <= view.now() {
            return Ok(None);
        }
        let plain = self.sealer().open(CHALLENGE, id.as_str(), &record.sealed).map_err(Error::internal)?;
        let written: Written = serde_json::from_slice(&plain).map_err(Error::internal)?;
        Ok(Some(written.answer.read().map_err(Error::internal)?))
    }
}

fn named(challenge: &ChallengeKey) -> (ChallengeKind, ChallengeRecordId) {
    let (kind, key) = match challenge {
        ChallengeKey::Http01(token) => (ChallengeKind::Http01, token.clone()),
        ChallengeKey::TlsAlpn01(name) => (ChallengeKind::TlsAlpn01, name.to_ascii_lowercase()),
    };
    (kind, ChallengeRecordId::of(kind.name(), &key))
}

/// An answer as it is sealed, and whose it is.
#[derive(Serialize, Deserialize)]
struct Written {
    /// Absent in what was kept before answers were held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<Held>,
    #[serde(flatten)]
    answer: WrittenAnswer,
}

/// Which order has an answer there, and how long another one waits for it.
#[derive(Serialize, Deserialize)]
struct Held {
    order: String,
    until: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum WrittenAnswer {
    Http { token: String, key_authorization: String },
    Tls { name: String, certificate: String, key: Secret },
}

impl WrittenAnswer {
    fn of(answer: &ChallengeAnswer) -> Self {
        match answer {
            ChallengeAnswer::Http01 { token, key_authorization } => {
                Self::Http { token: token.clone(), key_authorization: key_authorization.clone() }
            }
            ChallengeAnswer::TlsAlpn01 { name, certificate, key } => Self::Tls {
                name: name.clone(),
                certificate: STANDARD.encode(certificate),
                key: Secret::new(STANDARD.encode(key)),
            },
        }
    }

    fn read(self) -> Result<ChallengeAnswer, base64::DecodeError> {
        Ok(match self {
            Self::Http { token, key_authorization } => ChallengeAnswer::Http01 { token, key_authorization },
            Self::Tls { name, certificate, key } => ChallengeAnswer::TlsAlpn01 {
                name,
                certificate: STANDARD.decode(certificate)?,
                key: Zeroizing::new(STANDARD.decode(key.expose())?),
            },
        })
    }
}

fn store(error: StorageError) -> ConnectorError {
    ConnectorError::transient("the store cannot be read or written").because(error)
}

fn refused(error: ApplyError) -> ConnectorError {
    match error {
        ApplyError::Storage(error) => store(error),
        error => ConnectorError::permanent("the store refuses what should be kept").because(error),
    }
}

fn challenged() -> ConnectorError {
    let why = "another order has a certificate shown for the same name; this one goes on when that is done";
    ConnectorError::new(ConnectorErrorKind::Challenge, why)
}

fn busy() -> ConnectorError {
    ConnectorError::transient("the answer to a challenge is being written by somebody else; try again")
}

fn unwritable(error: impl std::error::Error + Send + Sync + 'static) -> ConnectorError {
    ConnectorError::permanent("what should be kept cannot be written").because(error)
}

#[cfg(all(test, feature = "testing"))]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]
mod tests {
    use super::*;
    use crate::connector::Registry;
    use crate::domain::SCHEMAS;
    use crate::engine::SetupSecret;
    use crate::ports::Clock;
    use crate::seal::SealingKey;
    use crate::storage::MemoryStorage;
    use crate::testing::{FakePorts, block_on};

    struct World {
        fakes: FakePorts,
        engine: Engine,
    }

    async fn world() -> World {
        let fakes = FakePorts::seeded(1);
        let ports = fakes.ports();
        let storage = Arc::new(MemoryStorage::new(SCHEMAS, ports.clock.clone()));
        let secret = SetupSecret::Key(SealingKey::from_bytes(&[1; 32]).unwrap());
        let engine = Engine::builder(storage, ports, secret).connectors(Registry::new()).build().await.unwrap();
        World { fakes, engine }
    }

    fn token(token: &str) -> ChallengeAnswer {
        ChallengeAnswer::Http01 { token: token.to_owned(), key_authorization: format!("{token}.thumb") }
    }

    #[test]
    fn state_is_kept_per_connector_and_name_and_changed_by_who_saw_it_last() {
        block_on(async {
            let World { engine, .. } = world().await;
            let (a, b) = (engine.connector_context("iss-a").state, engine.connector_context("iss-b").state);
            assert!(a.load("account").await.unwrap().is_none());
            assert_eq!(a.swap("account", None, b"one").await.unwrap(), Swap::Kept);
            assert_eq!(a.swap("account", None, b"two").await.unwrap(), Swap::Overtaken, "there is one already");
            let first = a.load("account").await.unwrap().unwrap();
            assert_eq!(&**first.value, b"one");
            assert_eq!(a.swap("account", Some(&first), b"two").await.unwrap(), Swap::Kept);
            assert_eq!(a.swap("account", Some(&first), b"three").await.unwrap(), Swap::Overtaken, "it was changed");
            // Another process of the same store, and another connector.
            let again = engine.connector_context("iss-a").state;
            assert_eq!(&**again.load("account").await.unwrap().unwrap().value, b"two");
            assert!(b.load("account").await.unwrap().is_none());
            assert!(again.load("orders").await.unwrap().is_none());
        });
    }

    #[test]
    fn what_is_kept_does_not_lie_in_the_store_in_clear() {
        block_on(async {
            let World { engine, .. } = world().await;
            let cx = engine.connector_context("iss-a");
            assert_eq!(cx.state.swap("account", None, b"a very secret key").await.unwrap(), Swap::Kept);
            let view = engine.storage().read(View::Latest).await.unwrap();
            let records = view.list(Query::<ConnectorStateRecord>::all().limit(10)).await.unwrap().records;
            assert_eq!(records.len(), 1);
            assert!(!records[0].sealed.windows(6).any(|window| window == b"secret"));
        });
    }

    #[test]
    fn a_challenge_is_answered_until_it_is_withdrawn_or_over() {
        block_on(async {
            let World { fakes, engine } = world().await;
            let cx = engine.connector_context("iss-a");
            let until = fakes.clock.now() + Duration::from_hours(1);
            let key = ChallengeKey::Http01("abc".into());
            assert_eq!(engine.challenge_answer(&key).await.unwrap(), None);
            for _ in 0..2 {
                cx.challenges.publish("job-1", &token("abc"), until).await.unwrap();
            }
            assert_eq!(engine.challenge_answer(&key).await.unwrap(), Some(token("abc")));
            // Another issuer takes nothing of it away.
            engine.connector_context("iss-b").challenges.withdraw("job-1", &key).await.unwrap();
            assert!(engine.challenge_answer(&key).await.unwrap().is_some());
            for _ in 0..2 {
                cx.challenges.withdraw("job-1", &key).await.unwrap();
            }
            assert_eq!(engine.challenge_answer(&key).await.unwrap(), None);
            cx.challenges.publish("job-1", &token("abc"), until).await.unwrap();
            fakes.clock.advance(Duration::from_hours(1));
            assert_eq!(engine.challenge_answer(&key).await.unwrap(), None);
        });
    }

    #[test]
    fn a_certificate_for_a_handshake_is_found_by_its_name_in_any_case() {
        block_on(async {
            let World { fakes, engine } = world().await;
            let answer = ChallengeAnswer::TlsAlpn01 {
                name: "Shop.example".into(),
                certificate: vec![1, 2, 3],
                key: Zeroizing::new(vec![4, 5, 6]),
            };
            let until = fakes.clock.now() + Duration::from_hours(1);
            engine.connector_context("iss-a").challenges.publish("job-1", &answer, until).await.unwrap();
            let key = ChallengeKey::TlsAlpn01("sHOP.example".into());
            assert_eq!(engine.challenge_answer(&key).await.unwrap(), Some(answer));
            let other = ChallengeKey::Http01("shop.example".into());
            assert_eq!(engine.challenge_answer(&other).await.unwrap(), None);
        });
    }

    fn certificate(octet: u8) -> ChallengeAnswer {
        ChallengeAnswer::TlsAlpn01 {
            name: "shop.example".into(),
            certificate: vec![octet],
            key: Zeroizing::new(vec![octet]),
        }
    }

    /// RFC 8737 §3: a name shows one certificate at a time.
    #[test]
    fn of_two_orders_for_one_name_the_second_waits_for_the_first() {
        block_on(async {
            let World { fakes, engine } = world().await;
            let challenges = engine.connector_context("iss-a").challenges;
            let until = fakes.clock.now() + Duration::from_hours(48);
            let key = ChallengeKey::TlsAlpn01("shop.example".into());
            challenges.publish("job-1", &certificate(1), until).await.unwrap();
            let error = challenges.publish("job-2", &certificate(2), until).await.unwrap_err();
            assert_eq!(error.kind, ConnectorErrorKind::Challenge, "{error}");
            let other = engine.connector_context("iss-b").challenges;
            assert!(other.publish("job-3", &certificate(3), until).await.unwrap_err().kind.is_retryable());
            // Neither takes away what is not its own, and the first may show another one.
            challenges.withdraw("job-2", &key).await.unwrap();
            assert_eq!(engine.challenge_answer(&key).await.unwrap(), Some(certificate(1)));
            challenges.publish("job-1", &certificate(4), until).await.unwrap();
            assert_eq!(engine.challenge_answer(&key).await.unwrap(), Some(certificate(4)));
            challenges.withdraw("job-1", &key).await.unwrap();
            challenges.publish("job-2", &certificate(2), until).await.unwrap();
            challenges.withdraw("job-1", &key).await.unwrap();
            assert_eq!(engine.challenge_answer(&key).await.unwrap(), Some(certificate(2)));
            // What two orders answer alike is not in anybody's way.
            challenges.publish("job-1", &certificate(2), until).await.unwrap();
            challenges.withdraw("job-2", &key).await.unwrap();
            assert_eq!(engine.challenge_answer(&key).await.unwrap(), Some(certificate(2)));
            // An order that was called off leaves its answer, which is still given, and stands in the way for a while only.
            fakes.clock.advance(HELD);
            assert_eq!(engine.challenge_answer(&key).await.unwrap(), Some(certificate(2)));
            challenges.publish("job-3", &certificate(3), until).await.unwrap();
            assert_eq!(engine.challenge_answer(&key).await.unwrap(), Some(certificate(3)));
        });
    }

    #[test]
    fn an_answer_of_before_answers_were_held_is_read_and_in_nobodys_way() {
        let text = r#"{"kind":"tls","name":"shop.example","certificate":"AQ==","key":"AQ=="}"#;
        let written: Written = serde_json::from_str(text).unwrap();
        assert!(written.held.is_none());
        assert_eq!(written.answer.read().unwrap(), certificate(1));
        let held = Held { order: "job-1".into(), until: Timestamp::from_unix_seconds(7) };
        let written = Written { held: Some(held), answer: WrittenAnswer::of(&certificate(1)) };
        let again: Written = serde_json::from_slice(&serde_json::to_vec(&written).unwrap()).unwrap();
        assert_eq!(
            again.held.map(|held| (held.order, held.until)),
            Some(("job-1".to_owned(), Timestamp::from_unix_seconds(7)))
        );
    }

    #[test]
    fn what_is_over_is_forgotten_with_the_next_answer() {
        block_on(async {
            let World { fakes, engine } = world().await;
            let cx = engine.connector_context("iss-a");
            let until = fakes.clock.now() + Duration::from_hours(1);
            for name in ["a", "b"] {
                cx.challenges.publish("job-1", &token(name), until).await.unwrap();
            }
            fakes.clock.advance(Duration::from_hours(2));
            cx.challenges.publish("job-1", &token("c"), fakes.clock.now() + Duration::from_hours(1)).await.unwrap();
            let view = engine.storage().read(View::Latest).await.unwrap();
            assert_eq!(view.list(Query::<ChallengeRecord>::all().limit(10)).await.unwrap().records.len(), 1);
        });
    }
}
