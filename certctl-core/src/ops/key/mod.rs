//! API keys: what people and programs show to prove who they are (requirements D1).

mod create;
mod delete;
mod get;
mod keep;
mod list;
mod rotate;
mod update;

pub use create::Create;
pub(crate) use create::insert;
pub use delete::Delete;
pub use get::Get;
pub use list::List;
pub use rotate::Rotate;
pub use update::Update;
