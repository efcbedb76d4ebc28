//! What must hold after every kill, and at the end.

use std::collections::{BTreeMap, BTreeSet};

use certctl_core::domain::JobState;
use libtest_mimic::Failed;

use super::desk::Desk;
use super::ensure;
use super::place::Place;

#[derive(Default)]
pub(crate) struct Verdict {
    /// Fingerprints that the server told of, by certificate.
    acknowledged: BTreeMap<String, BTreeSet<String>>,
    /// Fingerprints of what somebody put in place by hand.
    by_hand: BTreeSet<String>,
    /// Fingerprints of what lay ready to be served, by certificate.
    served: BTreeMap<String, BTreeSet<String>>,
}

impl Verdict {
    /// What lies at a place before anything was ordered.
    pub(crate) async fn begin(&mut self, desk: &Desk, place: &Place) -> Result<(), Failed> {
        self.by_hand.insert(place.look(desk.ports()).await?.to_string());
        Ok(())
    }

    /// At every moment: each place has a certificate with its own key. Takes down what the server says is issued.
    pub(crate) async fn look(&mut self, desk: &Desk, places: &[Place]) -> Result<(), Failed> {
        for place in places {
            let ready = place.look(desk.ports()).await?.to_string();
            self.served.entry(place.certificate.clone()).or_default().insert(ready);
            if let Some(newest) = desk.newest(place).await? {
                self.acknowledged.entry(place.certificate.clone()).or_default().insert(newest);
            }
        }
        Ok(())
    }

    /// At rest: every place serves the newest version.
    pub(crate) async fn rest(&mut self, desk: &Desk, places: &[Place]) -> Result<(), Failed> {
        self.look(desk, places).await?;
        for place in places {
            let (ready, newest) = (place.look(desk.ports()).await?.to_string(), desk.newest(place).await?);
            ensure(newest.as_ref() == Some(&ready), || {
                format!("{} serves {ready} at rest, the newest version is {newest:?}", place.name)
            })?;
        }
        Ok(())
    }

    /// At the end: every job is finished, nothing that was acknowledged or served is lost, no serial is there twice.
    pub(crate) async fn end(&self, desk: &Desk, places: &[Place]) -> Result<Tally, Failed> {
        let jobs = desk.jobs().await?;
        for job in &jobs {
            ensure(matches!(job.status, JobState::Completed | JobState::Cancelled), || {
                format!("{} job {} is {} at the end: {:?}", job.kind, job.id, job.status, job.last_error)
            })?;
        }
        let (mut serials, none) = (BTreeSet::new(), BTreeSet::new());
        for place in places {
            let mut stored = BTreeSet::new();
            for version in desk.versions(place).await? {
                ensure(serials.insert(version.serial_number.clone()), || {
                    format!("serial {} is there twice", version.serial_number)
                })?;
                stored.insert(version.fingerprint_sha256);
            }
            for (told, by) in [(&self.acknowledged, "acknowledged"), (&self.served, "served")] {
                let told = told.get(&place.certificate).unwrap_or(&none);
                let lost: Vec<_> = told.difference(&stored).filter(|print| !self.by_hand.contains(*print)).collect();
                ensure(lost.is_empty(), || format!("{by} and lost: {lost:?} of {}", place.name))?;
            }
            ensure(stored.len() > 1, || format!("{} was never renewed", place.name))?;
        }
        Ok(Tally { jobs: jobs.len(), versions: serials.len() })
    }
}

/// How much was done in spite of it all.
pub(crate) struct Tally {
    pub(crate) jobs: usize,
    pub(crate) versions: usize,
}
