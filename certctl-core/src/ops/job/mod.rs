//! Jobs.

mod cancel;
mod get;
mod list;

pub use cancel::Cancel;
pub use get::Get;
pub use list::{List, ListFilter};
