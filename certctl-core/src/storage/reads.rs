//! Several reads in one trip to the store.

use std::marker::PhantomData;

use super::{Query, Select, StorageError};
use crate::entity::{Entity, Record, Row};

/// Reads that are collected first and asked for together.
///
/// Each of them sees a committed state, but they may see different ones, as reads through
/// [`View::Latest`](super::View::Latest) may: what must hold at the commit is pinned.
#[derive(Debug, Default)]
pub struct Reads(Vec<Select>);

/// Where the records of one read will be found.
#[derive(Debug)]
pub struct Place<E> {
    index: usize,
    entity: PhantomData<fn() -> E>,
}

/// What was read.
#[derive(Debug)]
pub struct Found(Vec<Vec<Row>>);

impl Reads {
    /// The record with this id.
    pub fn get<E: Entity>(&mut self, id: &str) -> Place<E> {
        self.place(Select::by_id(E::SCHEMA, id))
    }

    /// The records of a query, in its order; its limit is the most that are read, and no cursor follows.
    ///
    /// # Errors
    /// [`StorageError::BadCursor`] when the query continues after a page of another list.
    pub fn list<E: Entity>(&mut self, query: Query<E>) -> Result<Place<E>, StorageError> {
        Ok(self.place(query.into_select()?))
    }

    /// What a backend runs, in this order.
    pub(super) fn into_selects(self) -> Vec<Select> {
        self.0
    }

    fn place<E>(&mut self, select: Select) -> Place<E> {
        self.0.push(select);
        Place { index: self.0.len() - 1, entity: PhantomData }
    }
}

impl Found {
    pub(super) fn new(rows: Vec<Vec<Row>>) -> Self {
        Self(rows)
    }

    /// The records of a read; none when they were taken already.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when a cell holds a value that its column must not hold.
    pub fn all<E: Entity>(&mut self, place: &Place<E>) -> Result<Vec<Record<E>>, StorageError> {
        let rows = self.0.get_mut(place.index).map(std::mem::take).unwrap_or_default();
        Ok(rows.into_iter().map(Record::from_row).collect::<Result<_, _>>()?)
    }

    /// The first record of a read, if there is one.
    ///
    /// # Errors
    /// Those of [`all`](Self::all).
    pub fn one<E: Entity>(&mut self, place: &Place<E>) -> Result<Option<Record<E>>, StorageError> {
        Ok(self.all(place)?.into_iter().next())
    }
}
