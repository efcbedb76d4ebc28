//! Typed columns: filters and sorts cannot name a column that does not exist.

use std::marker::PhantomData;

use super::value::{Cell, Value};
use super::{Entity, Schema};

/// A column of `E` that holds a `T`.
#[derive(Debug)]
pub struct Field<E, T> {
    position: usize,
    types: PhantomData<fn() -> (E, T)>,
}

/// A test on one column of `E`; the conditions of a query are joined by AND.
#[derive(Debug)]
pub struct Condition<E> {
    pub(crate) position: usize,
    pub(crate) test: Test,
    entity: PhantomData<fn() -> E>,
}

/// What a [`Condition`] asks of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Equal; null equals null.
    Equals(Value),
    /// Not equal; null differs from every value.
    Differs(Value),
    /// One of these.
    OneOf(Vec<Value>),
    /// Below this and not null.
    Below(Value),
    /// This or above, and not null.
    AtLeast(Value),
    /// The same, said so that no database looks for an index of it.
    NotBelow(Value),
    /// Below this and not null, said so that no database looks for an index of it.
    NotAtLeast(Value),
}

/// The order of a list. Ties are broken by the id, so the order is total.
#[derive(Debug)]
pub struct Sort<E> {
    pub(crate) position: usize,
    pub(crate) descending: bool,
    entity: PhantomData<fn() -> E>,
}

impl<E, T> Clone for Field<E, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<E, T> Copy for Field<E, T> {}
impl<E> Clone for Sort<E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<E> Copy for Sort<E> {}
impl<E> Clone for Condition<E> {
    fn clone(&self) -> Self {
        Self { position: self.position, test: self.test.clone(), entity: PhantomData }
    }
}

impl<E: Entity, T: Cell> Field<E, T> {
    /// The column at this position; used by [`entity!`](crate::entity!) alone.
    #[doc(hidden)]
    pub const fn at(position: usize) -> Self {
        Self { position, types: PhantomData }
    }

    /// Where the column stands in [`Schema::columns`].
    pub(crate) const fn position(&self) -> usize {
        self.position
    }

    /// The column's name.
    pub fn name(&self) -> &'static str {
        E::SCHEMA.columns[self.position].name
    }

    /// Holds where the cell equals the value.
    pub fn equals(&self, value: T) -> Condition<E> {
        self.condition(Test::Equals(value.to_value()))
    }
    /// Holds where the cell differs from the value.
    pub fn differs(&self, value: T) -> Condition<E> {
        self.condition(Test::Differs(value.to_value()))
    }
    /// Holds where the cell is one of the values.
    pub fn one_of(&self, values: impl IntoIterator<Item = T>) -> Condition<E> {
        self.condition(Test::OneOf(values.into_iter().map(|v| v.to_value()).collect()))
    }
    /// Holds where the cell is below the value.
    pub fn below(&self, value: T) -> Condition<E> {
        self.condition(Test::Below(value.to_value()))
    }
    /// Holds where the cell is the value or above it.
    pub fn at_least(&self, value: T) -> Condition<E> {
        self.condition(Test::AtLeast(value.to_value()))
    }
    /// Holds where the cell is the value or above it, as nearly all are: a database that knows nothing of the numbers is not led
    /// to an index by it, but by the other conditions.
    pub fn not_below(&self, value: T) -> Condition<E> {
        self.condition(Test::NotBelow(value.to_value()))
    }
    /// Holds where the cell is below the value, said so that a database is led by the other conditions and by the order of the
    /// list: where those that pass are many.
    pub fn not_at_least(&self, value: T) -> Condition<E> {
        self.condition(Test::NotAtLeast(value.to_value()))
    }
    /// Holds where the cell is null.
    pub fn is_null(&self) -> Condition<E> {
        self.condition(Test::Equals(Value::Null))
    }
    /// Holds where the cell is not null.
    pub fn is_set(&self) -> Condition<E> {
        self.condition(Test::Differs(Value::Null))
    }
    /// Smallest first. The column must not be nullable: databases disagree on where nulls go.
    pub fn ascending(&self) -> Sort<E> {
        self.sort(false)
    }
    /// Largest first. The column must not be nullable: databases disagree on where nulls go.
    pub fn descending(&self) -> Sort<E> {
        self.sort(true)
    }

    fn condition(&self, test: Test) -> Condition<E> {
        Condition { position: self.position, test, entity: PhantomData }
    }
    fn sort(&self, descending: bool) -> Sort<E> {
        const { assert!(!T::NULLABLE, "a sort column must not be nullable") };
        Sort { position: self.position, descending, entity: PhantomData }
    }
}

impl<E> Condition<E> {
    /// The column's position in [`Schema::columns`], and the test.
    pub fn into_parts(self) -> (usize, Test) {
        (self.position, self.test)
    }
}

impl<E: Entity> Sort<E> {
    /// The name of the order, as cursors carry it: the column, with a leading `-` when descending.
    pub fn name(&self) -> String {
        sort_name(E::SCHEMA, self.position, self.descending)
    }
}

pub(crate) fn sort_name(schema: &Schema, position: usize, descending: bool) -> String {
    format!("{}{}", if descending { "-" } else { "" }, schema.columns[position].name)
}

impl Test {
    /// Whether a cell passes.
    pub fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Equals(wanted) => value == wanted,
            Self::Differs(unwanted) => value != unwanted,
            Self::OneOf(wanted) => wanted.contains(value),
            Self::Below(limit) | Self::NotAtLeast(limit) => *value != Value::Null && value < limit,
            Self::AtLeast(limit) | Self::NotBelow(limit) => *value != Value::Null && value >= limit,
        }
    }
}
