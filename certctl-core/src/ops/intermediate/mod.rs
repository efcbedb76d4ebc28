//! CAs of an issuer besides its own: root → intermediate → leaf.

mod create;
mod get;
mod keep;
mod list;
mod parent;
mod register;
mod retire;
mod revoke;
mod unused;

pub use create::{Create, Locations};
pub use get::Get;
pub use list::List;
pub use register::Register;
pub use retire::Retire;
pub use revoke::Revoke;
