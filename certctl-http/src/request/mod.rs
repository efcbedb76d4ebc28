//! What every request goes through: its id, who asks, its path, its query and its body.

mod body;
mod caller;
mod id;
mod list;
mod path;

pub(crate) use body::{Body, OptionalBody};
pub(crate) use caller::{Caller, bearer};
pub(crate) use id::{RequestId, around};
pub(crate) use list::{ListQuery, Params, listed};
pub(crate) use path::Ids;
