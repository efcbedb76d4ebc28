//! Records that certificates of short-lived profiles have ended: once for each version, for their end is their revocation
//! (requirements B9).
//!
//! That a certificate is expired is what the clock says of it, and is stored nowhere. What is stored is one moment: until when
//! ends are recorded. It is moved on in the commit of the events, and pinned, so neither a restart nor another replica records one
//! again; and no certificate needs a column for it. A version ends once, and one that is renewed in time is not what the
//! certificate ends with.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use crate::domain::{
    AuditAction, Certificate, Lifecycle, Principal, Profile, ProfileId, Setting, SettingId, Timestamp,
};
use crate::engine::Engine;
use crate::entity::Record;
use crate::error::Error;
use crate::ops::context::audit_event;
use crate::storage::{ApplyError, Query, Reads, UnitOfWork};

/// The row that holds until when ends are recorded.
const UNTIL: &str = "short-lived-ends-until";
/// Profiles that are looked at.
const MOST_PROFILES: usize = 10_000;

/// Records the ends that have come; gives how many.
pub(crate) async fn sweep(engine: &Engine) -> Result<usize, Error> {
    let mut unit = UnitOfWork::begin(engine.storage()).await?;
    let now = unit.now();
    let known = Known::read(&unit).await?;
    let found = known.ended(&unit, engine.cadence().sweep_batch.max(1)).await?;
    let Some(until) = found.iter().map(|certificate| certificate.expires_at).max() else { return Ok(0) };
    for certificate in &found {
        let details = json!({
            "version_id": certificate.newest_version_id, "expires_at": certificate.expires_at,
            "profile_id": certificate.certificate_profile_id.as_ref().map_or(Profile::DEFAULT_ID, |id| id.as_str()),
        });
        let (action, about) = (AuditAction::ShortLivedExpired, ("certificate", certificate.id.as_str()));
        unit.append(audit_event(engine, &Principal::system(), now, action, about, details));
    }
    let value = until.0.to_string().into_bytes();
    match known.row {
        Some(mut row) => {
            (row.value, row.updated_at) = (value, now);
            unit.update(row);
        }
        None => unit.insert(Setting { id: SettingId::parse(UNTIL).map_err(Error::internal)?, value, updated_at: now }),
    }
    match engine.commit(unit).await {
        Ok(()) => Ok(found.len()),
        // Another server did it.
        Err(ApplyError::Stale { .. } | ApplyError::Conflict { .. }) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// When the next of them ends, from now; nothing where no profile is short-lived.
pub(crate) async fn next_due(engine: &Engine) -> Result<Option<Duration>, Error> {
    let unit = UnitOfWork::begin(engine.storage()).await?;
    let Some(query) = Known::read(&unit).await?.later() else { return Ok(None) };
    let next = unit.first(query.filter(Certificate::FIELDS.expires_at.below(Timestamp::NEVER))).await?;
    Ok(next.map(|certificate| certificate.expires_at.since(unit.now())))
}

/// What decides about it.
struct Known {
    row: Option<Record<Setting>>,
    until: Timestamp,
    /// The short-lived profiles; with `None` where that of certificates that name none is one of them.
    profiles: BTreeSet<Option<ProfileId>>,
}

impl Known {
    async fn read(unit: &UnitOfWork) -> Result<Self, Error> {
        let mut reads = Reads::default();
        let row = reads.get::<Setting>(UNTIL);
        let allowed = Profile::FIELDS.allow_short_lived.equals(true);
        let place = reads.list(Query::<Profile>::all().filter(allowed).limit(MOST_PROFILES))?;
        let mut found = unit.read(reads).await?;
        let row = found.one(&row)?;
        let mut profiles = BTreeSet::new();
        for profile in found.all::<Profile>(&place)?.iter().filter(|profile| profile.is_short_lived()) {
            profiles.insert(Some(profile.id.clone()));
            if profile.id.as_str() == Profile::DEFAULT_ID {
                profiles.insert(None);
            }
        }
        let until = row.as_ref().and_then(|row| std::str::from_utf8(&row.value).ok()?.parse().ok());
        Ok(Self { row, until: Timestamp(until.unwrap_or(0)), profiles })
    }

    /// The certificates whose end is not recorded yet, the earliest first.
    fn later(&self) -> Option<Query<Certificate>> {
        let fields = Certificate::FIELDS;
        let query = Query::sorted(fields.expires_at.ascending())
            .filter(fields.lifecycle.equals(Lifecycle::Issued))
            .filter(fields.expires_at.at_least(Timestamp(self.until.0.saturating_add(1))))
            .filter(fields.certificate_profile_id.one_of(self.profiles.iter().cloned()));
        (!self.profiles.is_empty()).then_some(query)
    }

    /// Those that have ended. All that end in one moment are given, or none of them: the moment is all that is stored of where
    /// the next sweep begins.
    async fn ended(&self, unit: &UnitOfWork, limit: usize) -> Result<Vec<Record<Certificate>>, Error> {
        let Some(later) = self.later() else { return Ok(Vec::new()) };
        let ends = Certificate::FIELDS.expires_at;
        let until = |moment: Timestamp| later.clone().filter(ends.below(Timestamp(moment.0.saturating_add(1))));
        let mut found = unit.list(until(unit.now()).limit(limit)).await?.records;
        let Some(last) = found.last().map(|certificate| certificate.expires_at).filter(|_| found.len() == limit) else {
            return Ok(found);
        };
        found.retain(|certificate| certificate.expires_at < last);
        if !found.is_empty() {
            return Ok(found);
        }
        let mut after = None;
        loop {
            let page = unit.list(until(last).limit(limit).after(after)).await?;
            found.extend(page.records);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(found),
            }
        }
    }
}
