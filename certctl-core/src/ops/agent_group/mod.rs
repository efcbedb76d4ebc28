//! Groups of agents.

mod create;
mod delete;
mod get;
mod list;
mod members;
mod named;
mod update;

pub use create::Create;
pub use delete::Delete;
pub use get::Get;
pub use list::List;
pub use members::Members;
pub use named::AgentGroupView;
pub use update::Update;
