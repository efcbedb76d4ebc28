//! The ACME server (RFC 8555, RFC 8657, RFC 8737, RFC 8738, RFC 9773): messages in, messages out.
//!
//! [`Acme`] is the door: it reads a signed message, finds who signed it, has the operation of `ops/acme` done, and gives the
//! answer as plain data. HTTP only carries it.

mod answer;
pub mod caa;
mod config;
mod counts;
mod directory;
mod door;
pub mod eab;
pub mod identifier;
pub mod jwk;
pub mod jws;
mod nonce;
mod payload;
mod problem;
mod reads;
mod renewal;
pub(crate) mod validate;
mod view;

pub use answer::{Answer, Body, Link};
pub use config::{AcmeAuthMode, AcmeConfig, AcmeLimits, AcmeProfile, AcmeValidation};
pub use counts::{AcmeEvent, AcmeFamily, AcmeResource};
pub use directory::Directory;
pub use door::{Acme, Call, Resource};
pub use problem::{Problem, ProblemType, Subproblem};

pub(crate) use door::Server;
