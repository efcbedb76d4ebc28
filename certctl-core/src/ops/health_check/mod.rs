//! Checks of what TLS endpoints serve.

mod acknowledge;
pub(crate) mod automatic;
mod create;
mod delete;
mod endpoint;
mod get;
mod history;
mod list;
mod summary;
mod update;

pub use acknowledge::Acknowledge;
pub use create::Create;
pub use delete::Delete;
pub(crate) use endpoint::endpoint;
pub use get::Get;
pub use history::History;
pub use list::{List, ListFilter};
pub use summary::{HealthSummary, Summary};
pub use update::Update;
