//! Which certificates are meant.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::domain::{
    AgentId, CertificateId, CertificateTarget, CertificateTies, EnrolSource, IssuerId, OwnerId, Profile, ProfileId,
    TeamId,
};
use crate::error::Error;
use crate::storage::{Query, UnitOfWork};

/// Rows of one page while they are looked for.
const PAGE: usize = 500;

/// Which certificates are meant: those for which all hold that are given. At least one must be given besides the source, which
/// alone would mean all machines of a protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BulkCriteria {
    /// Of this profile. The default profile is also that of certificates that name none.
    pub profile_id: Option<ProfileId>,
    /// Of this owner.
    pub owner_id: Option<OwnerId>,
    /// Whose key this agent holds: with a target of it, or without targets and with it as their agent.
    pub agent_id: Option<AgentId>,
    /// Of this issuer.
    pub issuer_id: Option<IssuerId>,
    /// Of this team.
    pub team_id: Option<TeamId>,
    /// These.
    pub certificate_ids: Vec<CertificateId>,
    /// That machines asked for through this protocol.
    pub source: Option<EnrolSource>,
}

impl BulkCriteria {
    /// Refuses to mean everything.
    ///
    /// # Errors
    /// `no_criterion`.
    pub(super) fn check(&self) -> Result<(), Error> {
        let Self { profile_id, owner_id, agent_id, issuer_id, team_id, certificate_ids, source: _ } = self;
        let any = profile_id.is_some()
            || owner_id.is_some()
            || agent_id.is_some()
            || issuer_id.is_some()
            || team_id.is_some()
            || !certificate_ids.is_empty();
        if any {
            return Ok(());
        }
        let detail = "say which certificates are meant: give at least one of certificate_ids, owner_id, team_id, issuer_id, \
                      profile_id and agent_id";
        Err(Error::invalid_field("", "no_criterion", detail))
    }

    /// For the audit trail: ids are counted, for there may be thousands, and each has an event of its own.
    pub(in crate::ops::certificate) fn told(&self) -> Value {
        let Self { profile_id, owner_id, agent_id, issuer_id, team_id, certificate_ids, source } = self;
        let ids = Some(certificate_ids.len()).filter(|count| *count > 0);
        let mut told = json!({
            "profile_id": profile_id, "owner_id": owner_id, "agent_id": agent_id, "issuer_id": issuer_id,
            "team_id": team_id, "certificate_ids": ids, "source": source,
        });
        if let Some(members) = told.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
        told
    }

    /// Whether a certificate is meant, but for its ids and its agent.
    pub(super) fn fit(&self, ties: &CertificateTies) -> bool {
        fn is<T: PartialEq>(wanted: Option<&T>, has: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == has)
        }
        let profile = ties.certificate_profile_id.as_ref().map_or(Profile::DEFAULT_ID, |id| id.as_str());
        is(self.owner_id.as_ref(), &ties.owner_id)
            && is(self.team_id.as_ref(), &ties.team_id)
            && is(self.issuer_id.as_ref(), &ties.issuer_id)
            && self.profile_id.as_ref().is_none_or(|wanted| wanted.as_str() == profile)
            && self.source.is_none_or(|wanted| wanted.name() == ties.source)
    }

    /// All that are meant at this moment, each once. Of those that are named, also such as there are none of.
    pub(super) async fn select(&self, unit: &UnitOfWork) -> Result<Vec<CertificateId>, Error> {
        let held = match &self.agent_id {
            Some(agent) => Some(held_by(unit, agent).await?),
            None => None,
        };
        if !self.certificate_ids.is_empty() {
            let named: BTreeSet<CertificateId> = self.certificate_ids.iter().cloned().collect();
            return self.among(unit, named, held.as_ref()).await;
        }
        match held {
            Some(held) => self.among(unit, held, None).await,
            None => self.all(unit).await,
        }
    }

    async fn among(
        &self,
        unit: &UnitOfWork,
        ids: BTreeSet<CertificateId>,
        held: Option<&BTreeSet<CertificateId>>,
    ) -> Result<Vec<CertificateId>, Error> {
        let ids: Vec<CertificateId> = ids.into_iter().collect();
        let mut meant = Vec::with_capacity(ids.len());
        for part in ids.chunks(PAGE) {
            let of = CertificateTies::FIELDS.id.one_of(part.iter().cloned());
            let found = unit.list(Query::<CertificateTies>::all().filter(of).limit(part.len())).await?.records;
            let others: BTreeSet<&CertificateId> = found
                .iter()
                .filter(|ties| !self.fit(ties) || held.is_some_and(|held| !held.contains(&ties.id)))
                .map(|ties| &ties.id)
                .collect();
            meant.extend(part.iter().filter(|id| !others.contains(id)).cloned());
        }
        Ok(meant)
    }

    /// Along the order of their creation, which indexes of the criteria go on with.
    async fn all(&self, unit: &UnitOfWork) -> Result<Vec<CertificateId>, Error> {
        let fields = CertificateTies::FIELDS;
        let conditions = [
            self.owner_id.clone().map(|id| fields.owner_id.equals(id)),
            self.team_id.clone().map(|id| fields.team_id.equals(id)),
            self.issuer_id.clone().map(|id| fields.issuer_id.equals(id)),
            // Who has the default profile often does not say so.
            self.profile_id.clone().map(|id| {
                let unsaid = (id.as_str() == Profile::DEFAULT_ID).then_some(None);
                fields.certificate_profile_id.one_of([Some(Some(id)), unsaid].into_iter().flatten())
            }),
            self.source.map(|source| fields.source.equals(source.name().to_owned())),
        ];
        let query = Query::sorted(fields.created_at.ascending());
        let query = conditions.into_iter().flatten().fold(query, Query::filter).limit(PAGE);
        let (mut meant, mut after) = (Vec::new(), None);
        loop {
            let page = unit.list(query.clone().after(after)).await?;
            meant.extend(page.records.iter().filter(|ties| self.fit(ties)).map(|ties| ties.id.clone()));
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(meant),
            }
        }
    }
}

/// The certificates whose key an agent holds.
async fn held_by(unit: &UnitOfWork, agent: &AgentId) -> Result<BTreeSet<CertificateId>, Error> {
    let mapped = CertificateTarget::FIELDS;
    let query = Query::<CertificateTarget>::all().filter(mapped.agent_id.equals(agent.clone())).limit(PAGE);
    let (mut held, mut after) = (BTreeSet::new(), None);
    loop {
        let page = unit.list(query.clone().after(after)).await?;
        held.extend(page.records.into_iter().map(|mapping| mapping.into_entity().certificate_id));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let named = CertificateTies::FIELDS.agent_id.equals(Some(agent.clone()));
    let query = Query::<CertificateTies>::all().filter(named).limit(PAGE);
    let mut after = None;
    loop {
        let page = unit.list(query.clone().after(after)).await?;
        let ids: Vec<CertificateId> = page.records.iter().map(|ties| ties.id.clone()).collect();
        if !ids.is_empty() {
            held.extend(without_targets(unit, ids).await?);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(held),
        }
    }
}

/// Those of certificates that have no targets: only then their agent holds the key.
async fn without_targets(unit: &UnitOfWork, mut ids: Vec<CertificateId>) -> Result<Vec<CertificateId>, Error> {
    let of = CertificateTarget::FIELDS.certificate_id.one_of(ids.iter().cloned());
    let query = Query::<CertificateTarget>::all().filter(of).limit(PAGE);
    let (mut mapped, mut after) = (BTreeSet::new(), None);
    loop {
        let page = unit.list(query.clone().after(after)).await?;
        mapped.extend(page.records.into_iter().map(|mapping| mapping.into_entity().certificate_id));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    ids.retain(|id| !mapped.contains(id));
    Ok(ids)
}
