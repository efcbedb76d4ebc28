//! Deployment targets.

mod create;
mod delete;
mod get;
mod list;
mod reassign;
mod test;
mod types;
mod update;

pub use create::Create;
pub use delete::Delete;
pub use get::Get;
pub use list::List;
pub use test::Test;
pub use types::Types;
pub use update::Update;
