//! What the engine and the agent may know of the world outside: object-safe traits, no runtime in sight.
//!
//! Nothing in this crate reads a clock, draws a random number, opens a socket, starts a process or touches a file in any
//! other way. Production implementations live in `certctl-connectors::host`, fakes in [`crate::testing`].

mod address;
mod clock;
mod command;
mod dialer;
mod files;
mod http;
mod keys;
mod resolver;
mod rng;
mod secret;
mod spawner;
mod tls;

pub use address::AddressClass;
pub use clock::{Clock, Monotonic, within};
pub use command::{CommandError, CommandOutput, CommandSpec, Commands};
pub use dialer::{ByteStream, DialError, Dialer, Endpoint, TlsTerms};
pub use files::{FileError, FileErrorKind, FileLock, FileMeta, Files, WriteOptions};
pub use http::{Egress, HttpClient, HttpError, HttpOptions, HttpRequest, HttpResponse, Identity, Method};
pub use keys::{Decrypter, GeneratedKey, KeyError, KeyTransport, Keys, Signer};
pub use resolver::{CaaRecord, ResolveError, Resolver};
pub use rng::SecureRng;
pub use secret::Secret;
pub use spawner::{Spawner, Task};
pub use tls::{Greeted, ProbeError, TlsObservation, TlsProbe, TlsProbeRequest};

use std::sync::Arc;

/// The bundle that an engine or an agent is built with.
#[derive(Clone)]
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn SecureRng>,
    /// Private keys.
    pub keys: Arc<dyn Keys>,
    /// Tasks.
    pub spawner: Arc<dyn Spawner>,
    /// Outbound HTTP, behind the egress guard.
    pub http: Arc<dyn HttpClient>,
    /// Outbound streams, behind the egress guard.
    pub dialer: Arc<dyn Dialer>,
    /// The DNS.
    pub resolver: Arc<dyn Resolver>,
    /// What a TLS endpoint serves.
    pub tls: Arc<dyn TlsProbe>,
    /// Local processes.
    pub commands: Arc<dyn Commands>,
    /// Local files.
    pub files: Arc<dyn Files>,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ports").finish_non_exhaustive()
    }
}
