//! Teams.

mod create;
mod delete;
mod get;
mod list;
mod update;

pub use create::Create;
pub use delete::Delete;
pub use get::Get;
pub use list::List;
pub use update::Update;
