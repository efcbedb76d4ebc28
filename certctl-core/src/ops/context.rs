//! What an operation is, and what it works with.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Access;
use crate::domain::{AuditAction, AuditEvent, AuditEventId, Principal, Recorded, Timestamp};
use crate::engine::Engine;
use crate::error::Error;
use crate::ports::Ports;
use crate::storage::{Hint, UnitOfWork};

/// Something that the engine can be asked to do.
#[async_trait]
pub trait Operation: Send + Sync + 'static {
    /// The answer.
    type Output: Send + 'static;
    /// A stable name for logs, spans and documents, such as `certificate.renew`.
    const NAME: &'static str;
    /// Who may.
    const ACCESS: Access;
    /// Whether it may change anything. Operations that do are finished even when their caller goes away.
    const WRITES: bool = true;
    /// Whether it leaves an audit event. Only heartbeats and the like do not (requirements D3).
    const AUDITED: bool = true;

    /// Whether it is run again with fresh reads also when somebody else wrote what must be unique at the same moment: where what
    /// it would have made may be there now, and is the answer then.
    const RACES: bool = false;

    /// The record that it reads, for the audit trail of calls that only read.
    fn subject(&self) -> Option<String> {
        None
    }

    /// Reads, decides, and records changes; the engine commits them. May run more than once.
    async fn run(&self, cx: &mut Context<'_>) -> Result<Self::Output, Error>;
}

/// What an operation works with.
#[derive(Debug)]
pub struct Context<'a> {
    /// The engine that runs it.
    pub engine: &'a Engine,
    /// Who asked.
    pub principal: &'a Principal,
    /// Reads and changes.
    pub unit: UnitOfWork,
}

impl Context<'_> {
    /// The moment, by the store's clock.
    pub fn now(&self) -> Timestamp {
        self.unit.now()
    }

    /// The ports.
    pub fn ports(&self) -> &Ports {
        self.engine.ports()
    }

    /// Records an audit event with the principal as actor.
    pub fn audit(&mut self, action: AuditAction, resource: (&str, &str), details: Value) {
        let event = audit_event(self.engine, self.principal, self.unit.now(), action, resource, details);
        self.unit.append(event);
    }

    /// Wakes an agent that waits for work, after the commit.
    pub fn wake_agent(&mut self, agent: &str) {
        self.unit.signal(Hint { topic: Engine::AGENT_WORK, key: agent.into() });
    }
}

/// An audit event for code outside of operations.
pub(crate) fn audit_event(
    engine: &Engine,
    principal: &Principal,
    timestamp: Timestamp,
    action: AuditAction,
    (resource_type, resource_id): (&str, &str),
    details: Value,
) -> AuditEvent {
    AuditEvent::new(Recorded {
        id: AuditEventId::generate(&*engine.ports().clock, &*engine.ports().rng),
        actor: principal.id.clone(),
        actor_type: principal.actor_type,
        action,
        resource_type: resource_type.into(),
        resource_id: resource_id.into(),
        details: if details.is_null() { json!({}) } else { details },
        timestamp,
    })
}
