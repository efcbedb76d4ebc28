//! From a refusing foreign key to the error a caller can act on.
//!
//! Neither database says which side refused, so what could have is asked afterwards. The questions are plain data; each
//! database asks them in its own way.

use std::collections::BTreeSet;

use certctl_core::entity::{Reference, Row, Schema, Value};
use certctl_core::storage::{ApplyError, Changes, TableChanges};

/// How many rows of a table have one of these ids in a column, other than those with excepted ids of their own?
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    pub(crate) ids: Vec<String>,
    pub(crate) except: Vec<String>,
    verdict: Verdict,
}

#[derive(Debug)]
enum Verdict {
    Referenced,
    Missing { entity: &'static str, field: &'static str },
}

impl Question {
    /// What the count says; `None` when this foreign key did not refuse.
    pub(crate) fn answer(&self, count: u64) -> Option<ApplyError> {
        match self.verdict {
            Verdict::Referenced => (count > 0).then_some(ApplyError::Referenced { by: self.table, count }),
            Verdict::Missing { entity, field } => {
                (count < self.ids.len() as u64).then_some(ApplyError::Missing { entity, field })
            }
        }
    }
}

/// What to ask about a set that a foreign key refused, in the order of the contract: writes, then deletes.
pub(crate) fn questions(changes: &Changes, schemas: &[&'static Schema]) -> Vec<Question> {
    let missing = changes
        .tables()
        .flat_map(|table| table.schema.references.iter().map(|reference| missing(changes, table, reference)));
    let referenced = changes.tables().rev().flat_map(|parent| {
        let refers = |reference: &&Reference| (reference.target)().table == parent.schema.table;
        schemas.iter().flat_map(move |child| {
            child.references.iter().filter(refers).map(move |reference| referenced(changes, parent, child, reference))
        })
    });
    missing.chain(referenced).filter(|question| !question.ids.is_empty()).collect()
}

fn missing(changes: &Changes, table: &TableChanges, reference: &Reference) -> Question {
    let parent = (reference.target)();
    let own = |id: &str| {
        changes.tables().filter(|t| t.schema.table == parent.table).any(|t| t.inserts.iter().any(|row| row.id() == id))
    };
    let position = table.schema.position(reference.column);
    let id = |row: &Row| position.and_then(|p| row.values.get(p)).and_then(Value::as_text).map(str::to_owned);
    let ids: BTreeSet<String> =
        table.inserts.iter().chain(table.updates.iter().map(|update| &update.row)).filter_map(id).collect();
    Question {
        table: parent.table,
        column: "id",
        ids: ids.into_iter().filter(|id| !own(id)).collect(),
        except: Vec::new(),
        verdict: Verdict::Missing { entity: table.schema.table, field: reference.column },
    }
}

fn referenced(changes: &Changes, parent: &TableChanges, child: &'static Schema, reference: &Reference) -> Question {
    let gone = |t: &TableChanges| t.deletes.iter().map(|pin| pin.id.clone()).collect::<Vec<_>>();
    Question {
        table: child.table,
        column: reference.column,
        ids: gone(parent),
        except: changes.tables().find(|t| t.schema.table == child.table).map(gone).unwrap_or_default(),
        verdict: Verdict::Referenced,
    }
}
