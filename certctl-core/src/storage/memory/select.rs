//! Selects: filter, sort, page.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::State;
use crate::domain::{Day, Timestamp};
use crate::entity::{Column, Row, Schema, Test, Value};
use crate::storage::{Select, StorageError};

impl State {
    pub(super) fn select(&self, select: &Select) -> Result<Vec<Row>, StorageError> {
        let table = self.table(select.schema)?;
        // An excerpt has fewer columns than the table.
        if select.schema.columns.len() == table.schema.columns.len() {
            return self.select_whole(select);
        }
        let (whole, positions) = whole(select, table.schema)?;
        let rows = self.select_whole(&whole)?.into_iter();
        Ok(rows.map(|row| Row { values: excerpt(row.values, &positions), version: row.version }).collect())
    }

    fn select_whole(&self, select: &Select) -> Result<Vec<Row>, StorageError> {
        let mut rows: Vec<&Arc<Row>> = self.matching(select)?.filter(|row| is_after(select, row)).collect();
        rows.sort_by(|a, b| order(select, a, (sort_value(select, b), b.id())));
        Ok(rows.into_iter().skip(select.offset).take(select.limit).map(|row| Row::clone(row)).collect())
    }

    pub(super) fn count(&self, select: &Select) -> Result<u64, StorageError> {
        let (whole, _) = whole(select, self.table(select.schema)?.schema)?;
        Ok(self.matching(&whole)?.count() as u64)
    }

    pub(super) fn count_by_day(&self, select: &Select, column: usize) -> Result<BTreeMap<Day, u64>, StorageError> {
        let mut days = BTreeMap::new();
        for row in self.matching(select)? {
            if let Some(Value::Integer(micros)) = row.values.get(column) {
                *days.entry(Day::of(Timestamp(*micros))).or_default() += 1;
            }
        }
        Ok(days)
    }

    fn matching<'a>(&'a self, select: &'a Select) -> Result<impl Iterator<Item = &'a Arc<Row>>, StorageError> {
        let table = self.table(select.schema)?;
        let indexed = select.tests.iter().find_map(|(column, test)| match test {
            Test::Equals(value) if table.is_indexed(*column) => Some((*column, value)),
            _ => None,
        });
        let rows: Box<dyn Iterator<Item = &Arc<Row>>> = match indexed {
            Some((column, value)) => table.having(column, value),
            None => Box::new(table.rows()),
        };
        let holds = |row: &Row, (column, test): &(usize, Test)| row.values.get(*column).is_some_and(|v| test.holds(v));
        Ok(rows.filter(move |row| select.tests.iter().all(|test| holds(row, test))))
    }
}

/// A select of the whole table in place of one of an excerpt, and where the excerpt's columns stand in the table.
fn whole(select: &Select, schema: &'static Schema) -> Result<(Select, Vec<usize>), StorageError> {
    let position = |column: &Column| {
        let found = schema.position(column.name);
        found.ok_or(StorageError::Corrupt { entity: schema.table, column: column.name })
    };
    let positions: Vec<usize> = select.schema.columns.iter().map(position).collect::<Result<_, _>>()?;
    let of = |column: usize| positions.get(column).copied().unwrap_or(column);
    let tests = select.tests.iter().map(|(column, test)| (of(*column), test.clone())).collect();
    Ok((Select { schema, tests, sort: of(select.sort), ..select.clone() }, positions))
}

fn excerpt(values: Vec<Value>, positions: &[usize]) -> Vec<Value> {
    positions.iter().filter_map(|position| values.get(*position).cloned()).collect()
}

fn sort_value<'a>(select: &Select, row: &'a Row) -> &'a Value {
    row.values.get(select.sort).unwrap_or(&Value::Null)
}

/// How a row stands to a place in the list.
fn order(select: &Select, row: &Row, place: (&Value, &str)) -> Ordering {
    let ascending = (sort_value(select, row), row.id()).cmp(&place);
    if select.descending { ascending.reverse() } else { ascending }
}

fn is_after(select: &Select, row: &Row) -> bool {
    select.after.as_ref().is_none_or(|(value, id)| order(select, row, (value, id)) == Ordering::Greater)
}
