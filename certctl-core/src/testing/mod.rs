//! A world for tests: public fakes for every port, with the world's faults and none of its accidents.

mod authorities;
mod authority;
mod block_on;
mod clock;
mod commands;
mod config;
mod dialer;
mod files;
mod http;
pub mod issuer;
mod keys;
pub mod notifier;
mod ports;
mod rng;
mod script;
mod spawner;
pub mod storage;
pub mod target;
mod tls;

pub use authorities::MemoryAuthorities;
pub use authority::{TestAuthority, TestCertificate};
pub use block_on::block_on;
pub use clock::ManualClock;
pub use commands::ScriptedCommands;
pub use dialer::{FakeDialer, Peer};
pub use files::{Entry, Fault, MemoryFiles};
pub use http::ScriptedHttp;
pub use keys::TestKeys;
pub use ports::{FakePorts, ports};
pub use rng::SeededRng;
pub use spawner::InlineSpawner;
pub use tls::FakeTls;
