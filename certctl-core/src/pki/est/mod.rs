//! What EST (RFC 7030) and its clarifications (RFC 8951) add to requests and certificates: how they travel in bodies, what a
//! server asks of requests, and how a request is bound to the connection that it came over.

mod attributes;
mod binding;
mod body;

pub use attributes::csr_attributes;
pub use binding::{BINDING_LABEL, channel_binding, is_binding};
pub use body::{BodyError, MAX_BODY_OCTETS, encode, request};
