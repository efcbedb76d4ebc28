//! Rules that answer calls: the common part of the scripted fakes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a rule makes of a call: `None` leaves it to the next rule.
type Rule<Call, Answer> = Box<dyn FnMut(&Call) -> Option<Answer> + Send>;

/// Calls as they came, and the rules that answer them; the first that does wins.
pub(super) struct Script<Call, Answer>(Arc<Mutex<State<Call, Answer>>>);

struct State<Call, Answer> {
    rules: Vec<Rule<Call, Answer>>,
    calls: Vec<Call>,
}

impl<Call: Clone + 'static, Answer: 'static> Script<Call, Answer> {
    pub(super) fn add(&self, rule: impl FnMut(&Call) -> Option<Answer> + Send + 'static) {
        self.lock().rules.push(Box::new(rule));
    }

    pub(super) fn clear(&self) {
        self.lock().rules.clear();
    }

    pub(super) fn answer(&self, call: &Call) -> Option<Answer> {
        self.lock().calls.push(call.clone());
        // A rule may look at the fake it belongs to, so it runs without the lock.
        let mut rules = std::mem::take(&mut self.lock().rules);
        let answer = rules.iter_mut().find_map(|rule| rule(call));
        let mut state = self.lock();
        rules.append(&mut state.rules);
        state.rules = rules;
        answer
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State<Call, Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Call, Answer> Clone for Script<Call, Answer> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Call, Answer> Default for Script<Call, Answer> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { rules: Vec::new(), calls: Vec::new() })))
    }
}

impl<Call, Answer> std::fmt::Debug for Script<Call, Answer> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script").finish_non_exhaustive()
    }
}
