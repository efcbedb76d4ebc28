//! Certificates (RFC 5280 §4): reading what they say.

mod parse;

pub use parse::{MAX_CERTIFICATE_OCTETS, parse};
