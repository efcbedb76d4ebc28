//! Who is asking.

pub(crate) mod bootstrap;
pub(crate) mod check;
pub(crate) mod info;
pub(crate) mod me;

use certctl_core::domain::{ActorType, Principal, Role};

/// Whoever sends a request that carries its own proof. The role opens nothing else.
pub(crate) fn nobody() -> Principal {
    Principal {
        id: "anonymous".into(),
        name: "anonymous".into(),
        role: Role::Viewer,
        agent: None,
        actor_type: ActorType::Anonymous,
        call: None,
    }
}
