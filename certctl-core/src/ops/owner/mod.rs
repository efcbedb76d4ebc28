//! Owners.

mod create;
mod get;
mod list;

pub use create::Create;
pub use get::Get;
pub use list::List;
