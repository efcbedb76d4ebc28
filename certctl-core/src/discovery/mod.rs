//! Looking for certificates that nobody told of.

mod read;

pub use read::described;
