//! Updates that change the members that are given and leave the others.

use serde_json::{Value, json};

/// Takes the given members of an update, and remembers their names for the audit trail.
#[derive(Debug, Default)]
pub(crate) struct Merge {
    changed: Vec<&'static str>,
}

impl Merge {
    /// Sets a member that is given; one that is absent stays as it is.
    pub(crate) fn set<T: Clone>(&mut self, name: &'static str, member: &mut T, given: Option<&T>) {
        if let Some(given) = given {
            member.clone_from(given);
            self.changed.push(name);
        }
    }

    /// Remembers a member that is kept elsewhere.
    pub(crate) fn note(&mut self, name: &'static str, given: bool) {
        self.changed.extend(given.then_some(name));
    }

    /// What the audit event of the update says.
    pub(crate) fn details(&self) -> Value {
        json!({ "changed": self.changed })
    }
}
