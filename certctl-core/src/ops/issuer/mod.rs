//! Issuers.

mod configure;
mod create;
mod delete;
mod get;
mod list;
mod test;
mod types;
mod update;

pub(crate) use configure::configure;
pub use create::Create;
pub(crate) use create::{check_id, config_error, object};
pub use delete::Delete;
pub use get::Get;
pub use list::List;
pub use test::Test;
pub use types::Types;
pub use update::Update;
