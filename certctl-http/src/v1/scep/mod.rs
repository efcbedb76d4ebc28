//! What operators do about SCEP; the protocol itself is in `public/scep`.

pub(crate) mod create_challenge;
pub(crate) mod profiles;
