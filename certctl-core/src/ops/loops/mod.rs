//! The loops of the engine.

mod list;

pub use list::{List, LoopReport};
