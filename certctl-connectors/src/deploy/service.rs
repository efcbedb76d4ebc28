//! The server that reads the files: its configuration test, its reload, and what it then serves.

use std::time::Duration;

use certctl_core::connector::{DeployCause, ProbePoint};
use certctl_core::domain::Fingerprint;
use certctl_core::ports::{CommandSpec, Egress, Ports, ProbeError, TlsProbeRequest};

use super::failure::Failure;

/// What a server is told, and where it can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Tests the server's configuration without touching what runs.
    pub check: Option<Vec<String>>,
    /// Makes the server load its files.
    pub reload: Option<Vec<String>>,
    /// Where a handshake shows what is served.
    pub observe: Option<Observe>,
}

/// How a server is observed after a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observe {
    /// Where.
    pub point: ProbePoint,
    /// For one handshake.
    pub timeout: Duration,
    /// How long a server may take to serve the new certificate: old workers finish first.
    pub within: Duration,
    /// What follows when it does not.
    pub on_mismatch: OnMismatch,
}

/// What follows when another certificate is served than deployed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMismatch {
    /// The deployment stands; verification reports it.
    #[default]
    Keep,
    /// The previous release goes back into service.
    RollBack,
}

/// Between two looks at a server.
const INTERVAL: Duration = Duration::from_millis(250);

/// The most of a command's output that an error carries, in characters.
const EXCERPT: usize = 800;

impl Service {
    /// Check, activate, observe. The files have been switched already.
    pub(super) async fn activate(&self, ports: &Ports, expected: Fingerprint) -> Result<(), Failure> {
        self.check_and_reload(ports).await?;
        let Some(observe) = &self.observe else { return Ok(()) };
        match (observe.until(ports, expected).await, observe.on_mismatch) {
            (Err(reason), OnMismatch::RollBack) => Err(Failure::passing(DeployCause::Observe, reason)),
            (Err(reason), OnMismatch::Keep) => {
                tracing::warn!(%reason, "the deployed certificate is not seen in service");
                Ok(())
            }
            (Ok(()), _) => Ok(()),
        }
    }

    pub(super) async fn check_and_reload(&self, ports: &Ports) -> Result<(), Failure> {
        if let Some(check) = &self.check {
            run(ports, check, DeployCause::ConfigTest).await?;
        }
        if let Some(reload) = &self.reload {
            run(ports, reload, DeployCause::Reload).await?;
        }
        Ok(())
    }

    /// Whether this certificate is seen in service at this moment.
    pub(super) async fn serves(&self, ports: &Ports, expected: Fingerprint) -> bool {
        match &self.observe {
            Some(observe) => observe.once(ports, expected).await.is_ok(),
            None => false,
        }
    }
}

impl Observe {
    async fn until(&self, ports: &Ports, expected: Fingerprint) -> Result<(), String> {
        let deadline = ports.clock.monotonic() + self.within;
        loop {
            let (reason, may_change) = match self.once(ports, expected).await {
                Ok(()) => return Ok(()),
                Err(seen) => seen,
            };
            let next = ports.clock.monotonic() + INTERVAL;
            if !may_change || next > deadline {
                return Err(reason);
            }
            ports.clock.sleep_until(next).await;
        }
    }

    /// What was seen instead, and whether waiting may change it.
    async fn once(&self, ports: &Ports, expected: Fingerprint) -> Result<(), (String, bool)> {
        let request = TlsProbeRequest {
            endpoint: self.point.endpoint.clone(),
            server_name: self.point.server_name.clone(),
            timeout: self.timeout,
            // This host's own server, which mostly listens on loopback: the guard is for what lies elsewhere.
            egress: Egress::ControlPlane,
        };
        let seen = ports.tls.probe(&request).await.map_err(|error| {
            let may_change = !matches!(error, ProbeError::Refused { .. });
            (error.to_string(), may_change)
        })?;
        let served = seen.chain.first().map(|leaf| Fingerprint::of(leaf));
        if served == Some(expected) {
            return Ok(());
        }
        let served = served.map_or_else(|| "no certificate".to_owned(), |print| format!("the certificate {print}"));
        let endpoint = &self.point.endpoint;
        Err((
            format!(
                "{endpoint} serves {served}, not {expected}; check that the server's configuration names the \
                 configured files for this server name, and that nothing else listens there"
            ),
            true,
        ))
    }
}

async fn run(ports: &Ports, argv: &[String], cause: DeployCause) -> Result<(), Failure> {
    let shown = argv.join(" ");
    let output = ports
        .commands
        .run(&CommandSpec::new(argv.iter().cloned()))
        .await
        .map_err(|error| Failure::passing(cause, format!("`{shown}` did not run: {error}")))?;
    if output.succeeded() {
        return Ok(());
    }
    let ended = output.code.map_or_else(|| "was killed by a signal".to_owned(), |code| format!("ended with {code}"));
    // Servers complain on standard error; some do on standard output.
    let complaint = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    Err(Failure::passing(cause, format!("`{shown}` {ended}: {}", excerpt(complaint))))
}

/// The end of a text, where the reason is; without control characters, which terminals act upon.
fn excerpt(text: &str) -> String {
    let text = text.trim();
    let skip = text.chars().count().saturating_sub(EXCERPT);
    let mut shown: String = text.chars().skip(skip).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if skip > 0 {
        shown.insert(0, '…');
    }
    if shown.is_empty() { "it printed nothing".to_owned() } else { shown }
}
