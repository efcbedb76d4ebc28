//! The certificate that an issuance is about: stored already, or stored by the very commit that records its first job.

use std::ops::{Deref, DerefMut};

use crate::domain::Certificate;
use crate::entity::Record;
use crate::storage::UnitOfWork;

/// A certificate while something is obtained for it.
pub(crate) enum Held {
    /// Stored, and pinned.
    Stored(Box<Record<Certificate>>),
    /// Not stored yet. Nothing of it is stored unless what it asks for goes on.
    New(Box<Certificate>),
}

impl Held {
    /// Whether it is not stored yet.
    pub(crate) const fn is_new(&self) -> bool {
        matches!(self, Self::New(_))
    }

    /// Stores it as it is now.
    pub(crate) fn write(self, unit: &mut UnitOfWork) {
        match self {
            Self::Stored(record) => unit.update(*record),
            Self::New(certificate) => unit.insert(*certificate),
        }
    }
}

impl Deref for Held {
    type Target = Certificate;
    fn deref(&self) -> &Certificate {
        match self {
            Self::Stored(record) => record,
            Self::New(certificate) => certificate,
        }
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Certificate {
        match self {
            Self::Stored(record) => record,
            Self::New(certificate) => certificate,
        }
    }
}
