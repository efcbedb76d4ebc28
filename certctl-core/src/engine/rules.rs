//! The issuers, profiles, renewal policies and policy rules that orders are decided by: few records, read for every
//! order.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::recent::{Recent, Since};
use crate::decide::policy::ActiveRule;
use crate::domain::{
    Certificate, IssuerHealth, IssuerRecord, PolicyConfig, PolicyRule, PolicyViolation, Profile, RenewalPolicy,
};
use crate::entity::{Entity, Record};
use crate::error::Error;
use crate::ports::Monotonic;
use crate::storage::{ApplyError, Committed, Found, Place, Query, Reads, UnitOfWork};

/// So long after a change every engine decides by it: twice what they are kept for.
pub(crate) const SETTLED: Duration = Duration::from_secs(2);

/// What was read of them lately.
#[derive(Debug, Default)]
pub(crate) struct RuleBook {
    issuers: Shelf<IssuerRecord>,
    profiles: Shelf<Profile>,
    policies: Shelf<RenewalPolicy>,
    /// How issuers fare; nothing is known of those that never failed.
    health: Recent<Option<Arc<Record<IssuerHealth>>>>,
    /// All that are enabled, under one key.
    compliance: Recent<Arc<[ActiveRule]>>,
}

type Shelf<E> = Recent<Arc<Record<E>>>;

/// The rules of one certificate; what is absent does not exist.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) issuer: Option<Arc<Record<IssuerRecord>>>,
    pub(crate) profile: Option<Arc<Record<Profile>>>,
    pub(crate) policy: Option<Arc<Record<RenewalPolicy>>>,
    /// How its issuer fares; absent for one that never failed.
    pub(crate) health: Option<Arc<Record<IssuerHealth>>>,
    /// The issuers that its policy falls back on, as far as they are there.
    pub(crate) fallbacks: Vec<Standby>,
    /// The policy rules in force; often none.
    pub(crate) compliance: Arc<[ActiveRule]>,
}

/// An issuer to fall back on.
#[derive(Debug)]
pub(crate) struct Standby {
    pub(crate) issuer: Arc<Record<IssuerRecord>>,
    /// How it fares; absent for one that never failed.
    pub(crate) health: Option<Arc<Record<IssuerHealth>>>,
}

impl Rules {
    /// All issuers that may be asked, the certificate's own first.
    pub(crate) fn issuers(&self) -> impl Iterator<Item = (&Record<IssuerRecord>, Option<&IssuerHealth>)> {
        let own = self.issuer.as_deref().map(|issuer| (issuer, self.health.as_deref().map(|health| &**health)));
        let others = self.fallbacks.iter();
        own.into_iter()
            .chain(others.map(|standby| (&*standby.issuer, standby.health.as_deref().map(|health| &**health))))
    }
}

impl RuleBook {
    /// Forgets what a commit may have changed.
    pub(super) fn committed(&self, committed: &Committed) {
        if committed.touches::<IssuerRecord>() {
            self.issuers.clear();
        }
        if committed.touches::<Profile>() {
            self.profiles.clear();
        }
        if committed.touches::<RenewalPolicy>() {
            self.policies.clear();
        }
        if committed.touches::<IssuerHealth>() {
            self.health.clear();
        }
        if committed.touches::<PolicyRule>() {
            self.compliance.clear();
        }
    }

    /// A rule that went away between looking at it and storing that it is violated, or the other way round: look again.
    pub(super) fn overtaken(&self, error: ApplyError) -> ApplyError {
        let entity = PolicyViolation::SCHEMA.table;
        match error {
            ApplyError::Missing { entity: missing, .. } if missing == entity => {
                self.clear();
                ApplyError::Stale { entity }
            }
            ApplyError::Referenced { by, .. } if by == entity => ApplyError::Stale { entity },
            error => error,
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.issuers.clear();
        self.profiles.clear();
        self.policies.clear();
        self.health.clear();
        self.compliance.clear();
    }
}

/// The id of the profile that a certificate must keep to.
pub(crate) fn profile_id(certificate: &Certificate) -> &str {
    certificate.certificate_profile_id.as_ref().map_or(Profile::DEFAULT_ID, |id| id.as_str())
}

impl Engine {
    /// The rules of a certificate, at most a second old, read in one trip where they are not known.
    pub(crate) async fn rules(&self, unit: &UnitOfWork, certificate: &Certificate) -> Result<Rules, Error> {
        let (book, now, mut reads) = (&self.0.rules, self.ports().clock.monotonic(), Reads::default());
        let issuer = Look::up(&book.issuers, certificate.issuer_id.as_str(), now, &mut reads);
        let profile = Look::up(&book.profiles, profile_id(certificate), now, &mut reads);
        let policy = Look::up(&book.policies, certificate.renewal_policy_id.as_str(), now, &mut reads);
        let health = Health::look_up(&book.health, certificate.issuer_id.as_str(), now, &mut reads);
        let compliance = Compliance::look_up(&book.compliance, now, &mut reads)?;
        let mut found = unit.read(reads).await?;
        let found = &mut found;
        let policy = policy.answer(found)?;
        let fallbacks = match &policy {
            Some(policy) if !policy.fallback_issuer_ids.is_empty() => self.standbys(unit, policy, certificate).await?,
            _ => Vec::new(),
        };
        Ok(Rules {
            issuer: issuer.answer(found)?,
            profile: profile.answer(found)?,
            policy,
            fallbacks,
            health: health.answer(found)?,
            compliance: compliance.answer(found)?,
        })
    }
}

impl Engine {
    /// The issuers that a policy falls back on, in one further trip where they are not known.
    async fn standbys(
        &self,
        unit: &UnitOfWork,
        policy: &RenewalPolicy,
        certificate: &Certificate,
    ) -> Result<Vec<Standby>, Error> {
        let (book, now, mut reads) = (&self.0.rules, self.ports().clock.monotonic(), Reads::default());
        let ids = policy.fallback_issuer_ids.iter().filter(|id| **id != certificate.issuer_id);
        let looks: Vec<_> = ids
            .map(|id| {
                let issuer = Look::up(&book.issuers, id.as_str(), now, &mut reads);
                (issuer, Health::look_up(&book.health, id.as_str(), now, &mut reads))
            })
            .collect();
        let mut found = unit.read(reads).await?;
        let mut standbys = Vec::with_capacity(looks.len());
        for (issuer, health) in looks {
            let (issuer, health) = (issuer.answer(&mut found)?, health.answer(&mut found)?);
            standbys.extend(issuer.map(|issuer| Standby { issuer, health }));
        }
        Ok(standbys)
    }
}

/// The policy rules, known or asked for.
enum Compliance<'a> {
    Known(Arc<[ActiveRule]>),
    Asked { shelf: &'a Recent<Arc<[ActiveRule]>>, since: Since, place: Place<PolicyRule> },
}

impl<'a> Compliance<'a> {
    const KEY: &'static str = "enabled";

    fn look_up(shelf: &'a Recent<Arc<[ActiveRule]>>, now: Monotonic, reads: &mut Reads) -> Result<Self, Error> {
        if let Some(rules) = shelf.get(Self::KEY, now) {
            return Ok(Self::Known(rules));
        }
        let since = shelf.since(now);
        let enabled = PolicyRule::FIELDS.enabled.equals(true);
        // Two may be made at the same moment, each seeing room for one: a few more than there may be are read.
        let place = reads.list(Query::<PolicyRule>::all().filter(enabled).limit(PolicyRule::MOST * 2))?;
        Ok(Self::Asked { shelf, since, place })
    }

    fn answer(self, found: &mut Found) -> Result<Arc<[ActiveRule]>, Error> {
        match self {
            Self::Known(rules) => Ok(rules),
            Self::Asked { shelf, since, place } => {
                let rules: Arc<[ActiveRule]> = found.all(&place)?.into_iter().filter_map(active).collect();
                shelf.keep(since, Self::KEY.to_owned(), Arc::clone(&rules));
                Ok(rules)
            }
        }
    }
}

/// How an issuer fares, known or asked for. That there is nothing is known as well.
enum Health<'a> {
    Known(Option<Arc<Record<IssuerHealth>>>),
    Asked {
        shelf: &'a Recent<Option<Arc<Record<IssuerHealth>>>>,
        since: Since,
        id: &'a str,
        place: Place<IssuerHealth>,
    },
}

impl<'a> Health<'a> {
    fn look_up(
        shelf: &'a Recent<Option<Arc<Record<IssuerHealth>>>>,
        id: &'a str,
        now: Monotonic,
        reads: &mut Reads,
    ) -> Self {
        match shelf.get(id, now) {
            Some(health) => Self::Known(health),
            None => Self::Asked { shelf, since: shelf.since(now), id, place: reads.get(id) },
        }
    }

    fn answer(self, found: &mut Found) -> Result<Option<Arc<Record<IssuerHealth>>>, Error> {
        match self {
            Self::Known(health) => Ok(health),
            Self::Asked { shelf, since, id, place } => {
                let health = found.one(&place)?.map(Arc::new);
                shelf.keep(since, id.to_owned(), health.clone());
                Ok(health)
            }
        }
    }
}

/// A rule that cannot be read is passed over: it was checked when it was written, so somebody else changed it.
fn active(record: Record<PolicyRule>) -> Option<ActiveRule> {
    let rule = record.into_entity();
    match PolicyConfig::parse(rule.kind, &rule.config) {
        Ok(config) => Some(ActiveRule { rule, config }),
        Err(error) => {
            tracing::error!(rule = %rule.id, error = %error, "a policy rule cannot be read and is passed over");
            None
        }
    }
}

/// One record, known or asked for.
enum Look<'a, E> {
    Known(Arc<Record<E>>),
    Asked { shelf: &'a Shelf<E>, since: Since, id: &'a str, place: Place<E> },
}

impl<'a, E: Entity> Look<'a, E> {
    fn up(shelf: &'a Shelf<E>, id: &'a str, now: Monotonic, reads: &mut Reads) -> Self {
        match shelf.get(id, now) {
            Some(record) => Self::Known(record),
            None => Self::Asked { shelf, since: shelf.since(now), id, place: reads.get(id) },
        }
    }

    fn answer(self, found: &mut Found) -> Result<Option<Arc<Record<E>>>, Error> {
        match self {
            Self::Known(record) => Ok(Some(record)),
            Self::Asked { shelf, since, id, place } => {
                let record = found.one(&place)?.map(Arc::new);
                if let Some(record) = &record {
                    shelf.keep(since, id.to_owned(), Arc::clone(record));
                }
                Ok(record)
            }
        }
    }
}
