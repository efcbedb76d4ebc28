//! What every request goes through: its id, who asks, its path, its query and its body.

mod body;
mod caller;
mod condition;
mod id;
mod list;
mod path;
mod tagged;

pub(crate) use body::{Body, OptionalBody, read};
pub(crate) use caller::{Allowed, Caller, bearer, without_key};
pub(crate) use condition::IfMatch;
pub(crate) use id::{around, panic_text};
pub(crate) use list::{ListQuery, PageQuery, Params, listed, moment, page, value, whole};
pub(crate) use path::Ids;
pub(crate) use tagged::Tagged;
