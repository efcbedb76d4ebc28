//! EST (RFC 7030) over real TLS: each answer, and that nothing is issued where it should not be.

mod admin;
mod door;
mod enrolment;
mod negative;
mod proof;
mod trust;

pub(crate) use door::{
    Bound, Call, Content, Door, Machine, PASSWORD, bag, by_password, foreign, named, request, signed,
};
