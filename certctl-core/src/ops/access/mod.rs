//! Who may do what, and the keys that prove who it is.

mod authenticate;
mod bootstrap;
mod configure;
mod hash;
mod setup;

pub use bootstrap::{Bootstrap, CreatedKey};
pub(crate) use bootstrap::{SETUP_TOKEN, SetupToken};
pub(crate) use configure::configure_keys;
pub(crate) use hash::{new_secret, secret_hash};

use crate::domain::Role;

/// The roles that may run an operation (requirements D2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access(pub &'static [Role]);

impl Access {
    /// Everybody who may look around.
    pub const READ: Self = Self(&[Role::Admin, Role::Operator, Role::Viewer]);
    /// Those who run certificates.
    pub const RUN: Self = Self(&[Role::Admin, Role::Operator]);
    /// Those who may look at the audit trail.
    pub const AUDIT: Self = Self(&[Role::Admin, Role::Auditor]);
    /// Administrators alone.
    pub const ADMIN: Self = Self(&[Role::Admin]);
    /// Agents for themselves, and administrators in their place.
    pub const AGENT: Self = Self(&[Role::Admin, Role::Agent]);
    /// Agents for their own jobs, and those who may look around.
    pub const READ_OR_AGENT: Self = Self(&[Role::Admin, Role::Agent, Role::Operator, Role::Viewer]);
    /// Nobody's key is asked for: the request carries its own proof.
    pub const OPEN: Self = Self(&[Role::Admin, Role::Agent, Role::Auditor, Role::Operator, Role::Viewer]);
}

/// Whether a role may.
pub fn allows(access: Access, role: Role) -> bool {
    access.0.contains(&role)
}
