mod down_level;

pub use down_level::down_level;

pub const COMMITTED: &str = include_str!("../../openapi.json");
