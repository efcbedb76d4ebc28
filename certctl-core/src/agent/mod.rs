//! The agent: makes keys, asks for certificates, puts them in service, and looks at what is served. A library: it runs
//! inside another program over the engine itself, or remotely over HTTP.

mod begun;
mod config;
mod control_plane;
mod deploy;
mod discover;
mod in_process;
mod key_store;
mod request;
mod runtime;

pub use config::AgentConfig;
pub use control_plane::{ControlError, ControlPlane, CsrAnswer, DiscoveryFound, HeartbeatReport, VerificationReport};
pub use in_process::InProcess;
pub use key_store::{KeyStore, KeyStoreError};
pub use runtime::{AgentRuntime, Stopped};
