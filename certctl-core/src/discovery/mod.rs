//! Looking for certificates that nobody told of.

mod contents;
mod files;
mod network;
mod read;

pub use contents::{Contents, MAX_CONTENTS, contents};
pub use files::{FileSearch, Looked};
pub use network::{InvalidScanRange, NetworkPlan, NetworkSearch, ScanPolicy, ScanRange, Seen};
pub use read::{described, finding};
