//! What an engine keeps for connectors, in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::connector::{
    ChallengeAnswer, ChallengeKey, Challenges, ConnectorError, ConnectorErrorKind, ConnectorState, Kept, Swap,
};
use crate::domain::Timestamp;

/// State of connectors in memory. Clones share it, so a connector that is built again finds what it kept.
#[derive(Clone, Debug, Default)]
pub struct MemoryState(Arc<Mutex<BTreeMap<String, Kept>>>);

impl MemoryState {
    /// Nothing is kept yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The names under which something is kept.
    pub fn names(&self) -> Vec<String> {
        self.kept().keys().cloned().collect()
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ConnectorState for MemoryState {
    async fn load(&self, name: &str) -> Result<Option<Kept>, ConnectorError> {
        Ok(self.kept().get(name).cloned())
    }

    async fn swap(&self, name: &str, before: Option<&Kept>, value: &[u8]) -> Result<Swap, ConnectorError> {
        let mut kept = self.kept();
        let version = kept.get(name).map(|kept| kept.version);
        if version != before.map(|kept| kept.version) {
            return Ok(Swap::Overtaken);
        }
        let next = Kept { value: Zeroizing::new(value.to_vec()), version: version.unwrap_or_default() + 1 };
        kept.insert(name.to_owned(), next);
        Ok(Swap::Kept)
    }
}

/// Answers to challenges in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct MemoryChallenges(Arc<Mutex<BTreeMap<ChallengeKey, Answered>>>);

/// An answer, and the order that it is of.
type Answered = (ChallengeAnswer, String);

impl MemoryChallenges {
    /// Nothing is answered yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is answered to a challenge.
    pub fn answer(&self, challenge: &ChallengeKey) -> Option<ChallengeAnswer> {
        self.answers().get(challenge).map(|(answer, _)| answer.clone())
    }

    /// How many challenges are answered.
    pub fn len(&self) -> usize {
        self.answers().len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.answers().is_empty()
    }

    fn answers(&self) -> MutexGuard<'_, BTreeMap<ChallengeKey, Answered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Challenges for MemoryChallenges {
    async fn publish(&self, order: &str, answer: &ChallengeAnswer, _until: Timestamp) -> Result<(), ConnectorError> {
        let mut answers = self.answers();
        if answers.get(&answer.key()).is_some_and(|(before, of)| of != order && before != answer) {
            return Err(ConnectorError::new(ConnectorErrorKind::Challenge, "another order has the name challenged"));
        }
        answers.insert(answer.key(), (answer.clone(), order.to_owned()));
        Ok(())
    }

    async fn withdraw(&self, order: &str, challenge: &ChallengeKey) -> Result<(), ConnectorError> {
        let mut answers = self.answers();
        if answers.get(challenge).is_some_and(|(_, of)| of == order) {
            answers.remove(challenge);
        }
        Ok(())
    }
}
