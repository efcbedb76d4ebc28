//! Changes on a clone of the state: pins, then writes in the contract's order.

use std::collections::BTreeSet;

use super::{State, Table};
use crate::entity::{Row, Schema, Value};
use crate::storage::{ApplyError, Changes, TableChanges};

impl State {
    /// The first refusal leaves the state half changed; the caller drops it.
    pub(super) fn apply(&mut self, changes: &Changes) -> Result<(), ApplyError> {
        for table in changes.tables() {
            self.check_pins(table)?;
        }
        for table in changes.tables() {
            self.update(table)?;
            self.insert(table)?;
        }
        for table in changes.tables().rev() {
            self.delete(table)?;
        }
        Ok(())
    }

    fn check_pins(&self, changes: &TableChanges) -> Result<(), ApplyError> {
        let table = self.table(changes.schema)?;
        let holds = |(id, version): (&str, i64)| table.get(id).is_some_and(|row| row.version == version);
        if changes.expected().all(holds) { Ok(()) } else { Err(ApplyError::Stale { entity: changes.schema.table }) }
    }

    /// A value that another row held before is refused even if this set frees it: a database may meet the two rows in
    /// either order.
    fn update(&mut self, TableChanges { schema, updates, .. }: &TableChanges) -> Result<(), ApplyError> {
        let before = self.table(schema)?.clone();
        for update in updates {
            self.check_references(schema, update)?;
            let table = self.table_mut(schema)?;
            refuse_conflict(&before, update)?;
            refuse_conflict(table, update)?;
            table.put(Row { version: update.version + 1, ..update.row.clone() });
        }
        Ok(())
    }

    fn insert(&mut self, TableChanges { schema, inserts, .. }: &TableChanges) -> Result<(), ApplyError> {
        for insert in inserts {
            self.check_references(schema, insert)?;
            let table = self.table_mut(schema)?;
            if table.get(insert.id()).is_some() {
                return Err(ApplyError::Conflict { entity: schema.table, field: "id" });
            }
            refuse_conflict(table, insert)?;
            table.put(insert.clone());
        }
        Ok(())
    }

    fn delete(&mut self, TableChanges { schema, deletes, .. }: &TableChanges) -> Result<(), ApplyError> {
        self.check_referrers(schema, &deletes.iter().map(|pin| pin.id.as_str()).collect())?;
        let table = self.table_mut(schema)?;
        for pin in deletes {
            table.remove(&pin.id);
        }
        Ok(())
    }

    fn check_references(&self, schema: &'static Schema, row: &Row) -> Result<(), ApplyError> {
        for reference in schema.references {
            let cell = schema.position(reference.column).and_then(|position| row.values.get(position));
            let Some(id) = cell.and_then(Value::as_text) else { continue };
            if self.table((reference.target)())?.get(id).is_none() {
                return Err(ApplyError::Missing { entity: schema.table, field: reference.column });
            }
        }
        Ok(())
    }

    /// Refuses to delete rows that are referred to.
    fn check_referrers(&self, parent: &Schema, ids: &BTreeSet<&str>) -> Result<(), ApplyError> {
        for child in self.schemas {
            for reference in child.references.iter().filter(|r| (r.target)().table == parent.table) {
                let table = self.table(child)?;
                let Some(column) = child.position(reference.column) else { continue };
                let referrers = |id: &&str| table.having(column, &Value::Text((*id).to_owned())).count() as u64;
                let count: u64 = ids.iter().map(referrers).sum();
                if count > 0 {
                    return Err(ApplyError::Referenced { by: child.table, count });
                }
            }
        }
        Ok(())
    }
}

fn refuse_conflict(table: &Table, row: &Row) -> Result<(), ApplyError> {
    let entity = table.schema.table;
    table.conflict(row).map_or(Ok(()), |field| Err(ApplyError::Conflict { entity, field }))
}
