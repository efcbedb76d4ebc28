//! The issuers, profiles and renewal policies that orders are decided by: few records, read for every order.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::recent::{Recent, Since};
use crate::domain::{Certificate, IssuerRecord, Profile, RenewalPolicy};
use crate::entity::{Entity, Record};
use crate::error::Error;
use crate::ports::Monotonic;
use crate::storage::{Committed, Found, Place, Reads, UnitOfWork};

/// So long after a change every engine decides by it: twice what they are kept for.
pub(crate) const SETTLED: Duration = Duration::from_secs(2);

/// What was read of them lately.
#[derive(Debug, Default)]
pub(crate) struct RuleBook {
    issuers: Shelf<IssuerRecord>,
    profiles: Shelf<Profile>,
    policies: Shelf<RenewalPolicy>,
}

type Shelf<E> = Recent<Arc<Record<E>>>;

/// The rules of one certificate; what is absent does not exist.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) issuer: Option<Arc<Record<IssuerRecord>>>,
    pub(crate) profile: Option<Arc<Record<Profile>>>,
    pub(crate) policy: Option<Arc<Record<RenewalPolicy>>>,
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
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.issuers.clear();
        self.profiles.clear();
        self.policies.clear();
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
        let mut found = unit.read(reads).await?;
        let found = &mut found;
        Ok(Rules { issuer: issuer.answer(found)?, profile: profile.answer(found)?, policy: policy.answer(found)? })
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
