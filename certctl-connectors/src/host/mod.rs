//! The production side of the core's ports, over tokio, rustls and the operating system.
//!
//! The only place of this crate that touches a clock, a random source, a socket, a process or a file.

#![expect(clippy::disallowed_methods, reason = "the production side of the ports is where the ambient forms belong")]

mod clock;
mod command;
mod dialer;
mod egress;
mod files;
mod http;
mod http_clients;
mod keys;
mod owner;
mod resolver;
mod rng;
mod spawner;
#[cfg(test)]
mod test_server;
mod tls;
mod trust;

pub use clock::SystemClock;
pub use command::{AllowedCommands, SystemCommands};
pub use dialer::GuardedDialer;
pub use egress::{AddressClass, EgressPolicy, EgressRefused, Guard, GuardError};
pub use files::SystemFiles;
pub use http::GuardedHttpClient;
pub use keys::SoftwareKeys;
pub use resolver::DnsResolver;
pub use rng::OsRng;
pub use spawner::TokioSpawner;
pub use tls::GuardedTlsProbe;

use std::sync::Arc;

use certctl_core::ports::{Commands, Ports};

/// How a process meets the world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostConfig {
    /// What outbound calls may reach beyond the rule (requirements D6).
    pub egress: EgressPolicy,
    /// The programs that connectors may run, each by its absolute path; any where absent.
    pub programs: Option<Vec<String>>,
}

/// The production ports could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The TLS stack refuses its own defaults.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}

/// The production ports, with private keys in this process. Nothing is dialled; a tokio runtime must run when they are used.
///
/// # Errors
/// [`HostError`] when TLS cannot be set up.
pub fn ports(config: &HostConfig) -> Result<Ports, HostError> {
    let guard = Guard::new(config.egress.clone());
    let spawner = Arc::new(TokioSpawner);
    let commands: Arc<dyn Commands> = match &config.programs {
        Some(programs) => Arc::new(AllowedCommands::new(programs.clone())),
        None => Arc::new(SystemCommands),
    };
    Ok(Ports {
        clock: Arc::new(SystemClock::new()),
        rng: Arc::new(OsRng),
        keys: Arc::new(SoftwareKeys::new(Arc::clone(&spawner) as _)),
        spawner,
        http: Arc::new(GuardedHttpClient::new(guard.clone())),
        dialer: Arc::new(GuardedDialer::new(guard.clone())),
        resolver: Arc::new(DnsResolver::new()),
        tls: Arc::new(GuardedTlsProbe::new(guard)?),
        commands,
        files: Arc::new(SystemFiles),
    })
}
