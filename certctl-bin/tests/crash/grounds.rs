//! Where places are: each has a certificate that somebody put there by hand, and nginx serves the first.

use std::path::{Path, PathBuf};
use std::time::Duration;

use certctl_core::ports::Ports;
use certctl_core::testing::{TestAuthority, TestCertificate};
use libtest_mimic::Failed;

use super::place::{self, Issuer, Place};
use super::site;

pub(crate) struct Grounds {
    dir: PathBuf,
    ports: Ports,
    by_hand: TestAuthority,
    /// The place of nginx, until it is taken.
    first: Option<Place>,
    /// What agents on these grounds must be allowed to run.
    pub(crate) commands: Vec<Vec<String>>,
    taken: usize,
}

impl Grounds {
    pub(crate) async fn below(dir: &Path, ports: &Ports) -> Result<Self, Failed> {
        let by_hand = TestAuthority::new(1, ports.clock.now()).await;
        let commands = vec![vec!["true".to_owned()], ["test", "!", "-e"].map(str::to_owned).to_vec()];
        let mut grounds = Self { dir: dir.to_owned(), ports: ports.clone(), by_hand, first: None, commands, taken: 0 };
        if let Some(program) = super::nginx() {
            let pair = grounds.pair(site::NAME).await;
            let place = Place::with_nginx(program, &dir.join("nginx"), &pair)?;
            grounds.commands.extend(place.commands());
            grounds.first = Some(place);
        }
        Ok(grounds)
    }

    /// A place where no certificate was ordered yet.
    pub(crate) async fn another(&mut self) -> Result<Place, Failed> {
        self.taken += 1;
        match self.first.take() {
            Some(place) => Ok(place),
            None => self.plain(None).await,
        }
    }

    /// The same, of an issuer that never issued yet.
    pub(crate) async fn with_new_issuer(&mut self) -> Result<Place, Failed> {
        self.taken += 1;
        self.plain(Some(format!("iss-{}", self.taken))).await
    }

    /// Whether a deployment is looked at from outside, which needs somebody who serves it.
    pub(crate) fn are_served() -> bool {
        super::nginx().is_some()
    }

    /// From now on no plain place takes a certificate.
    pub(crate) fn refuse(&self) -> Result<(), Failed> {
        Ok(std::fs::write(place::refusal(&self.dir), "")?)
    }

    /// All take them again.
    pub(crate) fn accept(&self) -> Result<(), Failed> {
        match std::fs::remove_file(place::refusal(&self.dir)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Every second one gets its certificates by orders.
    async fn plain(&self, new_issuer: Option<String>) -> Result<Place, Failed> {
        let (usual, kind) =
            if self.taken.is_multiple_of(2) { ("iss-slow", "SlowCA") } else { ("iss-local", "GenericCA") };
        let issuer = Issuer { id: new_issuer.unwrap_or_else(|| usual.to_owned()), kind };
        Place::plain(self.taken, issuer, &self.dir, &self.pair("by-hand.example.com").await)
    }

    async fn pair(&self, name: &str) -> TestCertificate {
        let now = self.ports.clock.now();
        self.by_hand.issue(&[name], now, now + Duration::from_secs(3600)).await
    }
}
