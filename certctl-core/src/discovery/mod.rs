//! Looking for certificates that nobody told of.

mod contents;
mod files;
mod read;

pub use contents::{Contents, MAX_CONTENTS, contents};
pub use files::{FileSearch, Looked};
pub use read::{described, finding};
