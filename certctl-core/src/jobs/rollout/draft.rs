//! A record that is stored already or not yet.

use std::ops::{Deref, DerefMut};

use crate::entity::{Mutable, Record};
use crate::storage::UnitOfWork;

/// What is written at the end of a step, once.
pub(super) enum Draft<E> {
    New(E),
    Kept(Record<E>),
}

impl<E: Mutable> Draft<E> {
    pub(super) fn store(self, unit: &mut UnitOfWork) {
        match self {
            Self::New(entity) => unit.insert(entity),
            Self::Kept(record) => unit.update(record),
        }
    }
}

impl<E> Deref for Draft<E> {
    type Target = E;
    fn deref(&self) -> &E {
        match self {
            Self::New(entity) => entity,
            Self::Kept(record) => record,
        }
    }
}

impl<E> DerefMut for Draft<E> {
    fn deref_mut(&mut self) -> &mut E {
        match self {
            Self::New(entity) => entity,
            Self::Kept(record) => record,
        }
    }
}
