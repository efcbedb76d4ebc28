//! Networks that the server searches for certificates.

mod begin;
mod check;
mod create;
mod delete;
mod get;
mod list;
mod schedule;
mod update;

pub(crate) use begin::Begin;
pub(crate) use check::plan;
pub use create::Create;
pub use delete::Delete;
pub use get::Get;
pub use list::List;
pub use update::Update;

/// Searches a network now; [`Engine::scan_network`](crate::Engine::scan_network) runs it.
pub use begin::Begin as Scan;
