//! What happens, as it happens.

pub(crate) mod follow;
mod places;

pub(crate) use places::Places;
