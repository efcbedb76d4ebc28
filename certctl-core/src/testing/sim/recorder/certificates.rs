//! What must hold for certificates and their versions.

use super::model::{Model, Set};
use crate::domain::{Certificate, CertificateKey, Lifecycle, Timestamp, Version};
use crate::ports::Clock;

impl Model {
    pub(super) fn certificate(&mut self, before: Option<&Certificate>, after: &Certificate, set: &mut Set) {
        let id = &after.id;
        if let Some(before) = before {
            let (from, to) = (before.lifecycle, after.lifecycle);
            if from != to && !from.can_become(to) {
                self.broken(format!("illegal transition: certificate {id} went from {from} to {to}"));
            }
            self.ends.remove(&(before.expires_at, id.to_string()));
            let (now, begun) = (self.clock.now(), !before.renewing && after.renewing);
            let late = now.since(before.renew_at);
            if begun && self.promptness.is_some_and(|longest| late > longest) {
                self.broken(format!("the renewal of {id} was due and overlooked for {late:?}"));
            }
        }
        if after.lifecycle == Lifecycle::Issued && after.expires_at > self.clock.now() {
            self.ends.insert((after.expires_at, id.to_string()));
        }
        set.touched.insert(id.to_string());
    }

    /// What a certificate says of its jobs, once all rows of a set are in place.
    pub(super) fn consistent(&self, id: &str) {
        let Some(certificate) = self.get::<Certificate>(id) else { return };
        let open = self.open.get(id).is_some_and(|open| !open.is_empty());
        if certificate.renewing != open {
            let says = if certificate.renewing { "says that an issuing job is open" } else { "says that none is open" };
            self.broken(format!("certificate {id} {says}, and open are {:?}", self.open.get(id)));
        }
        let planned = certificate.renew_at != Timestamp::NEVER;
        if open && planned {
            self.broken(format!("certificate {id} has a renewal planned while an issuing job is open"));
        }
        self.revoked_as_a_whole(&certificate);
        match certificate.lifecycle {
            Lifecycle::Revoked if open || planned => {
                self.broken(format!("certificate {id} is revoked, and a renewal is planned or under way"));
            }
            Lifecycle::Issued | Lifecycle::Failed if !open && planned != self.renews(&certificate) => {
                let renews = self.renews(&certificate);
                self.broken(format!(
                    "certificate {id} renews by itself: {renews}, but a renewal is planned: {planned}"
                ));
            }
            _ => {}
        }
    }

    pub(super) fn version(&mut self, updated: bool, version: &Version, set: &mut Set) {
        let id = &version.id;
        if updated {
            self.broken(format!("version {id} of {} changed after it was issued", version.certificate_id));
            return;
        }
        self.counts.versions += 1;
        set.touched.insert(version.certificate_id.to_string());
        let day = usize::try_from(self.clock.monotonic().0 / 86_400_000_000).unwrap_or(usize::MAX);
        self.issued_on.resize(self.issued_on.len().max(day.saturating_add(1)), 0);
        if let Some(count) = self.issued_on.get_mut(day) {
            *count += 1;
        }
        if !self.serials.insert((version.issuer_id.to_string(), version.serial_number.clone())) {
            self.broken(format!("serial {} of {} was used twice", version.serial_number, version.issuer_id));
        }
        let holder = (version.certificate_id.to_string(), version.key_holder.clone());
        self.renewed.insert(holder, self.clock.now());
        let key = self.get::<CertificateKey>(version.key_id.as_str());
        if key.is_some_and(|key| key.certificate_id != version.certificate_id || key.key_holder != version.key_holder) {
            self.broken(format!("version {id} has the key of another certificate or holder"));
        }
    }
}
