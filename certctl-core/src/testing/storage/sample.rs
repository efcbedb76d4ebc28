//! Four entities, enough to exercise every rule of the contract.

use crate::domain::{Timestamp, UNSEALED};
use crate::entity::{Entity, Index, Schema};
use crate::storage::Leased;
use crate::{entity, text_enum};

/// Every table, parents before children.
pub const SCHEMAS: &[&Schema] = &[Owner::SCHEMA, Item::SCHEMA, Task::SCHEMA, Event::SCHEMA];

text_enum! {
    /// The state of an [`Item`].
    pub enum ItemState {
        /// New.
        Fresh = "Fresh",
        /// In use.
        Used = "Used",
    }
}

text_enum! {
    /// The state of a [`Task`].
    pub enum TaskState {
        /// Waiting.
        Queued = "Queued",
        /// Held by somebody.
        Running = "Running",
        /// Ended.
        Done = "Done",
    }
}

entity! {
    /// Somebody who owns items.
    pub struct Owner in "sample_owners" as Mutable, fields OwnerFields {
        /// The id.
        id: String,
        /// Unique.
        name: String,
    }
    indexes [Index::unique("sample_owners_name", &["name"])]
    references []
}

entity! {
    /// Something with a column of every kind.
    pub struct Item in "sample_items" as Mutable, fields ItemFields {
        /// The id.
        id: String,
        /// An [`Owner`].
        owner_id: Option<String>,
        /// Unique.
        name: String,
        /// A sort column with ties.
        rank: i64,
        /// Unique per owner.
        slot: Option<i64>,
        /// The state.
        state: ItemState,
        /// A flag.
        flag: bool,
        /// A text that may be absent.
        note: Option<String>,
        /// Bytes.
        data: Vec<u8>,
        /// A moment that may be absent.
        seen_at: Option<Timestamp>,
    }
    indexes [
        Index::unique("sample_items_name", &["name"]),
        Index::unique("sample_items_slot", &["owner_id", "slot"]),
        Index::on("sample_items_by_rank", &["rank", "id"]),
    ]
    references [owner_id -> Owner]
}

entity! {
    /// Some columns of an [`Item`], in another order.
    pub struct ItemExcerpt of Item, fields ItemExcerptFields {
        /// The id.
        id: String,
        /// The sort column with ties.
        rank: i64,
        /// The name.
        name: String,
        /// The bytes.
        data: Vec<u8>,
    }
}

entity! {
    /// A row of a queue.
    pub struct Task in "sample_tasks" as Mutable, fields TaskFields {
        /// The id.
        id: String,
        /// The [`Item`] it is about.
        item_id: String,
        /// The state.
        state: TaskState,
        /// The partition.
        partition: String,
        /// When anyone may claim it.
        due_at: Timestamp,
        /// The fencing token.
        attempt: i64,
        /// Who holds it.
        holder: Option<String>,
    }
    indexes [
        Index::unique("sample_tasks_one_open", &["item_id"]).only("state", Task::OPEN),
        Index::on("sample_tasks_due", &["partition", "due_at", "id"]).only("state", Task::OPEN),
        Index::on("sample_tasks_item", &["item_id"]),
    ]
    references [item_id -> Item]
}

impl Leased for Task {
    const OPEN: &'static [&'static str] = &[TaskState::Queued.name(), TaskState::Running.name()];
    const RUNNING: &'static str = TaskState::Running.name();
}

entity! {
    /// An entry of the sample's audit trail.
    pub struct Event in "audit_events" as AppendOnly, fields EventFields {
        /// The id.
        id: String,
        /// What happened.
        detail: String,
        /// When.
        timestamp: Timestamp,
        /// The row's own digest.
        digest: Vec<u8>,
        /// Its place in the chain.
        seq: i64,
        /// Its link of the chain.
        hash: Option<Vec<u8>>,
    }
    indexes [Index::on("audit_events_by_seq", &["seq", "id"])]
    references []
}

/// An owner whose name is its id.
pub fn owner(id: impl ToString) -> Owner {
    Owner { id: id.to_string(), name: id.to_string() }
}

/// An item without an owner, named after its id.
pub fn item(id: impl ToString) -> Item {
    let id = id.to_string();
    Item {
        name: format!("{id}.example"),
        id,
        owner_id: None,
        rank: 0,
        slot: None,
        state: ItemState::Fresh,
        flag: false,
        note: None,
        data: Vec::new(),
        seen_at: None,
    }
}

/// A queued task of partition `p` that has been due for ever.
pub fn task(id: impl ToString, item_id: impl ToString) -> Task {
    Task {
        id: id.to_string(),
        item_id: item_id.to_string(),
        state: TaskState::Queued,
        partition: "p".into(),
        due_at: Timestamp(0),
        attempt: 0,
        holder: None,
    }
}

/// An entry of the audit trail.
pub fn event(id: impl ToString) -> Event {
    let id = id.to_string();
    let digest = crate::domain::Fingerprint::of(id.as_bytes()).as_bytes().to_vec();
    let detail = "Zürich \"quoted\" \\ and\nmore".into();
    Event { id, detail, timestamp: Timestamp(0), digest, seq: UNSEALED, hash: None }
}
