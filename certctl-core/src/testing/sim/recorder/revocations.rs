//! What must hold for revocations: what was revoked for good stays so, and everybody who answers for it knows.

use std::time::Duration;

use super::model::{Model, Set};
use crate::domain::{
    Certificate, Crl, CrlPart, CrlScope, Lifecycle, Revocation, RevocationNotice, RevocationNoticeState,
    RevocationReason, RevocationRelease, Timestamp, Version,
};
use crate::pki::crl::CrlEntry;
use crate::pki::path::RevocationList;
use crate::pki::tlv::{self, Damage, Reader, Tlv};
use crate::ports::{Clock, Monotonic};
use crate::testing::sim::config::DAY;

const HOLD: RevocationReason = RevocationReason::CertificateHold;
/// By then every engine has heard of a revocation (requirements B10), whichever made it.
pub(in super::super) const HEARD: Duration = Duration::from_secs(2);

/// What an OCSP response says of the one certificate that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Said {
    Good,
    Revoked,
    Unknown,
    /// Nothing.
    Error,
}

impl Said {
    /// Reads a DER OCSPResponse (RFC 6960 §4.2.1).
    pub(in super::super) fn read(der: &[u8]) -> Self {
        Self::decode(der).unwrap_or(Self::Error)
    }

    fn decode(der: &[u8]) -> Result<Self, Damage> {
        let mut response = Tlv::only(der)?.open(tlv::SEQUENCE, "an OCSPResponse")?;
        response.value()?;
        let mut bytes = response.open(0xa0, "ResponseBytes")?.open(tlv::SEQUENCE, "ResponseBytes")?;
        bytes.value()?;
        let basic = Tlv::only(bytes.expect(tlv::OCTET_STRING, "a response")?.contents)?;
        let mut data = basic.open(tlv::SEQUENCE, "a BasicOCSPResponse")?.open(tlv::SEQUENCE, "ResponseData")?;
        // Who, and when.
        data.value()?;
        data.value()?;
        let mut single = data.open(tlv::SEQUENCE, "responses")?.open(tlv::SEQUENCE, "a SingleResponse")?;
        single.value()?;
        match single.value()?.tag {
            0x80 => Ok(Self::Good),
            0xa1 => Ok(Self::Revoked),
            0x82 => Ok(Self::Unknown),
            _ => Err(Damage::Expected("a CertStatus")),
        }
    }
}

impl Model {
    pub(super) fn revoked(&mut self, before: Option<&Revocation>, after: &Revocation, set: &mut Set) {
        let id = &after.version_id;
        if let Some(before) = before {
            if before.reason != HOLD && before.reason != after.reason {
                self.broken(format!(
                    "version {id} was revoked for good ({}), and is now: {}",
                    before.reason, after.reason
                ));
            }
            if before.revoked_at != after.revoked_at {
                self.broken(format!(
                    "version {id} was revoked at {}, and is now since {}",
                    before.revoked_at, after.revoked_at
                ));
            }
        } else if self.get::<Version>(id.as_str()).is_none_or(|version| version.serial_number != after.serial_number) {
            self.broken(format!("version {id} is revoked with serial {}, which is not its own", after.serial_number));
        }
        let (serial, revoked_at, reason) = (&after.serial_number, after.revoked_at, after.reason);
        let is_listed = !after.crl_list.is_empty();
        let entry = is_listed.then(|| CrlEntry { serial, revoked_at, reason }.to_der());
        if after.crl_entry != entry.unwrap_or_default() {
            self.broken(format!("revocation lists say something else of version {id} than its revocation"));
        }
        let of = self.revoked.entry(after.certificate_id.to_string()).or_default();
        if of.insert(id.to_string(), after.reason).is_some() && before.is_none() {
            self.broken(format!("version {id} was revoked twice"));
        }
        self.decided(after, set);
    }

    /// The row is taken away.
    pub(super) fn released(&mut self, row: &Revocation, set: &mut Set) {
        if row.reason != HOLD {
            self.broken(format!(
                "version {} was revoked for good ({}), and is revoked no more",
                row.version_id, row.reason
            ));
        }
        if let Some(of) = self.revoked.get_mut(row.certificate_id.as_str()) {
            of.remove(row.version_id.as_str());
        }
        self.decided(row, set);
    }

    fn decided(&mut self, row: &Revocation, set: &mut Set) {
        self.decided.insert(row.version_id.to_string(), self.clock.monotonic());
        set.touched.insert(row.certificate_id.to_string());
    }

    /// What a certificate says of its versions, once all rows of a set are in place.
    pub(super) fn revoked_as_a_whole(&self, certificate: &Certificate) {
        let (id, now) = (&certificate.id, self.clock.now());
        let reason = |version: &str| self.revoked.get(id.as_str())?.get(version).copied();
        if certificate.lifecycle != Lifecycle::Revoked {
            let held = self.revoked.get(id.as_str()).into_iter().flatten().find(|(_, reason)| **reason == HOLD);
            if let Some((version, _)) = held {
                self.broken(format!(
                    "certificate {id} is {}, and its version {version} on hold",
                    certificate.lifecycle
                ));
            }
            return;
        }
        let on_hold = certificate.revocation_reason.as_deref() == Some(HOLD.name());
        for version in self.all::<Version>().filter(|version| version.certificate_id == *id && version.not_after > now)
        {
            match reason(version.id.as_str()) {
                None => self.broken(format!("certificate {id} is revoked, and its version {} is not", version.id)),
                Some(HOLD) if !on_hold => {
                    self.broken(format!(
                        "certificate {id} is revoked for good, and its version {} on hold",
                        version.id
                    ));
                }
                Some(_) => {}
            }
        }
    }

    /// What an engine answered for a version, which it was asked for at this moment.
    pub(in super::super) fn said(&self, version: &Version, said: Said, asked_at: Monotonic) {
        let id = version.id.as_str();
        if self.decided.get(id).is_some_and(|decided| decided.until(asked_at) < HEARD) {
            return;
        }
        let of = self.revoked.get(version.certificate_id.as_str());
        let expected = if of.is_some_and(|of| of.contains_key(id)) { Said::Revoked } else { Said::Good };
        if said != expected {
            self.broken(format!("of version {id}, which is {expected:?}, an engine says by OCSP: {said:?}"));
        }
    }

    /// What is recorded as told was told.
    pub(super) fn told(&self, before: Option<&RevocationNotice>, notice: &RevocationNotice) {
        let (id, told) = (&notice.id, RevocationNoticeState::Told);
        if notice.state == told && before.is_none_or(|before| before.state != told) && !self.is_told(notice) {
            self.broken(format!("the CA does not know of version {id}, and is recorded as told"));
        }
    }

    fn is_told(&self, notice: &RevocationNotice) -> bool {
        let version = self.get::<Version>(notice.id.as_str());
        let known = version.and_then(|version| self.world.authority.revoked(&version.serial_number));
        match notice.reason {
            // It may have been revoked there for another reason before.
            Some(reason) if reason != HOLD => known.is_some_and(|known| known != HOLD),
            reason => known == reason,
        }
    }

    /// Issuers that do not know what was decided, and lists that do not say it.
    pub(super) fn unpublished(&self, since: Timestamp) -> Vec<String> {
        let (now, mut undone) = (self.clock.now(), Vec::new());
        for notice in self.all::<RevocationNotice>().filter(|notice| notice.decided_at < since) {
            // Nobody is told of what has expired.
            let ends = self.get::<Version>(notice.id.as_str()).map_or(now, |version| version.not_after);
            if ends > now && (notice.state != RevocationNoticeState::Told || !self.is_told(&notice)) {
                let (id, state, error) = (&notice.id, notice.state, &notice.last_error);
                undone.push(format!("the CA does not know of version {id}, notice {state}: {error:?}"));
            }
        }
        let complete = |list: &Crl| list.scope() == CrlScope::Complete && list.is_made();
        for list in self.all::<Crl>().filter(complete) {
            undone.extend(self.unlisted(&list, since));
        }
        undone
    }

    /// A list at rest names what is revoked and valid, and nothing that is not revoked.
    fn unlisted(&self, list: &Crl, since: Timestamp) -> Option<String> {
        let (id, now) = (&list.id, self.clock.now());
        if list.next_update <= now {
            return Some(format!("revocation list {id} ended at {}", list.next_update));
        }
        let part = |part: &CrlPart| part.crl_id == list.id && part.number == list.number && part.making == list.making;
        let mut parts: Vec<CrlPart> = self.all().filter(part).collect();
        parts.sort_by(|one, other| one.id.cmp(&other.id));
        let octets: Vec<u8> = parts.into_iter().flat_map(|part| part.octets).collect();
        let listed = match serials(&octets) {
            Ok(listed) => listed,
            Err(error) => return Some(format!("revocation list {id} cannot be read: {error:?}")),
        };
        let rows: Vec<Revocation> =
            self.all().filter(|row: &Revocation| row.issuer_key_id.as_ref() == Some(&list.issuer_key_id)).collect();
        let is_listed = |row: &Revocation| listed.contains(&row.serial_number.to_integer().as_slice());
        let missing = rows.iter().find(|row| row.changed_at < since && row.not_after > now && !is_listed(row));
        if let Some(missing) = missing {
            return Some(format!("revocation list {id} lacks serial {}", missing.serial_number));
        }
        if self.all().any(|release: RevocationRelease| release.released_at >= since) {
            return None;
        }
        // What has expired is in one more list (RFC 5280 §3.3).
        let may_be = rows.iter().filter(|row| row.not_after + DAY * 2 > list.this_update && is_listed(row)).count();
        (may_be < listed.len())
            .then(|| format!("revocation list {id} has {} entries, of which {may_be} are revoked", listed.len()))
    }
}

/// The serial numbers of a DER CertificateList, as the contents of INTEGERs.
fn serials(der: &[u8]) -> Result<Vec<&[u8]>, Damage> {
    RevocationList::read(der).map_err(|_| Damage::Expected("a CertificateList"))?;
    let mut tbs = Tlv::only(der)?.open(tlv::SEQUENCE, "a CertificateList")?.open(tlv::SEQUENCE, "a TBSCertList")?;
    let (_version, _algorithm, _issuer) = (tbs.value()?, tbs.value()?, tbs.value()?);
    let (_this_update, _next_update) = (tbs.value()?, tbs.value()?);
    let Some(entries) = tbs.optional(tlv::SEQUENCE)? else { return Ok(Vec::new()) };
    let mut serials = Vec::new();
    for entry in Reader::new(entries.contents).values() {
        serials.push(entry?.open(tlv::SEQUENCE, "an entry")?.expect(tlv::INTEGER, "a serial number")?.contents);
    }
    Ok(serials)
}
