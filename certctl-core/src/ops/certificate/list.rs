//! Listing certificates.

use async_trait::async_trait;

use super::get::views;
use super::{Beside, CertificateView};
use crate::decide::status;
use crate::domain::{
    AgentId, Certificate, CertificateStatus, CertificateTarget, IssuerId, Lifecycle, OwnerId, ProfileId, TeamId,
    Timestamp, VersionSummary,
};
use crate::error::Error;
use crate::ops::{Access, Context, Listed, Operation, PageRequest};
use crate::storage::Query;
use crate::text_enum;

text_enum! {
    /// What a list of certificates is sorted by, with the names of the wire.
    pub enum CertificateSort {
        /// The common name.
        CommonName = "commonName",
        /// When it was made.
        CreatedAt = "createdAt",
        /// The environment.
        Environment = "environment",
        /// When it ends.
        ExpiresAt = "expiresAt",
        /// The name.
        Name = "name",
        /// When it ends, by its other name.
        NotAfter = "notAfter",
        /// The stored part of the state.
        Status = "status",
        /// When it was last changed.
        UpdatedAt = "updatedAt",
    }
}

/// Which certificates are wanted; all conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Archived ones are left out unless asked for by this.
    pub status: Option<CertificateStatus>,
    /// Exactly this environment.
    pub environment: Option<String>,
    /// Exactly this owner.
    pub owner_id: Option<OwnerId>,
    /// Exactly this team.
    pub team_id: Option<TeamId>,
    /// Exactly this issuer.
    pub issuer_id: Option<IssuerId>,
    /// Exactly this profile.
    pub profile_id: Option<ProfileId>,
    /// With a target of this agent.
    pub agent_id: Option<AgentId>,
    /// Ends before this.
    pub expires_before: Option<Timestamp>,
    /// Ends at this or after it.
    pub expires_after: Option<Timestamp>,
    /// Made at this or after it.
    pub created_after: Option<Timestamp>,
    /// Changed at this or after it.
    pub updated_after: Option<Timestamp>,
}

/// How many targets of certificates the filter by agent looks through at most; more are refused, because a part of the list
/// would look like the whole.
const MAX_MAPPED: usize = 10_000;

/// Lists certificates.
#[derive(Clone, Debug)]
pub struct List {
    /// Which.
    pub filter: ListFilter,
    /// In which order.
    pub sort: CertificateSort,
    /// Whether largest first.
    pub descending: bool,
    /// Which part.
    pub page: PageRequest,
    /// What is read beside the certificates: nothing that nobody looks at.
    pub beside: Beside,
}

impl Default for List {
    /// All but archived ones, newest first.
    fn default() -> Self {
        let (filter, page) = (ListFilter::default(), PageRequest::default());
        Self { filter, sort: CertificateSort::CreatedAt, descending: true, page, beside: Beside::ALL }
    }
}

#[async_trait]
impl Operation for List {
    type Output = (Listed<Certificate>, Vec<CertificateView<VersionSummary>>);
    const NAME: &'static str = "certificate.list";
    const ACCESS: Access = Access::READ;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Self::Output, Error> {
        let query = self.query(cx).await?;
        let listed = self.page.read(&cx.unit, query).await?;
        let certificates = listed.records.iter().map(|record| Certificate::clone(record)).collect();
        let views = views(&cx.unit, certificates, self.beside).await?;
        Ok((listed, views))
    }
}

impl List {
    async fn query(&self, cx: &Context<'_>) -> Result<Query<Certificate>, Error> {
        let fields = Certificate::FIELDS;
        let filter = &self.filter;
        let mut conditions = match filter.status {
            Some(CertificateStatus::Active) if matches!(self.page, PageRequest::Cursor { .. }) => {
                status::active_along_a_list(cx.now())
            }
            Some(CertificateStatus::Expiring)
                if matches!(self.page, PageRequest::Cursor { .. }) && cx.engine.warns_of_many().await? =>
            {
                status::expiring_along_a_list(cx.now())
            }
            Some(status) => status::filter(status, cx.now()),
            None => vec![fields.lifecycle.differs(Lifecycle::Archived)],
        };
        conditions.extend(filter.environment.clone().map(|value| fields.environment.equals(value)));
        conditions.extend(filter.owner_id.clone().map(|value| fields.owner_id.equals(value)));
        conditions.extend(filter.team_id.clone().map(|value| fields.team_id.equals(value)));
        conditions.extend(filter.issuer_id.clone().map(|value| fields.issuer_id.equals(value)));
        conditions.extend(filter.profile_id.clone().map(|value| fields.certificate_profile_id.equals(Some(value))));
        conditions.extend(filter.expires_before.map(|value| fields.expires_at.below(value)));
        conditions.extend(filter.expires_after.map(|value| fields.expires_at.at_least(value)));
        conditions.extend(filter.created_after.map(|value| fields.created_at.at_least(value)));
        conditions.extend(filter.updated_after.map(|value| fields.updated_at.at_least(value)));
        if filter.expires_after.is_some() {
            // What was never issued has no end.
            conditions.push(fields.expires_at.below(Timestamp::NEVER));
        }
        if let Some(agent) = &filter.agent_id {
            let mapped = Query::<CertificateTarget>::all()
                .filter(CertificateTarget::FIELDS.agent_id.equals(agent.clone()))
                .limit(MAX_MAPPED + 1);
            let mapped = cx.unit.list(mapped).await?.records;
            if mapped.len() > MAX_MAPPED {
                let detail =
                    format!("the agent has more than {MAX_MAPPED} deployments of certificates; list without it");
                return Err(Error::invalid_field("/agent_id", "too_many", detail));
            }
            let mapped = mapped.into_iter().map(|mapping| mapping.into_entity().certificate_id);
            conditions.push(fields.id.one_of(mapped.collect::<std::collections::BTreeSet<_>>()));
        }
        Ok(conditions.into_iter().fold(self.sorted(), Query::filter))
    }

    fn sorted(&self) -> Query<Certificate> {
        let fields = Certificate::FIELDS;
        macro_rules! by {
            ($field:ident) => {
                Query::sorted(if self.descending { fields.$field.descending() } else { fields.$field.ascending() })
            };
        }
        match self.sort {
            CertificateSort::CommonName => by!(common_name),
            CertificateSort::CreatedAt => by!(created_at),
            CertificateSort::Environment => by!(environment),
            CertificateSort::ExpiresAt | CertificateSort::NotAfter => by!(expires_at),
            CertificateSort::Name => by!(name),
            CertificateSort::Status => by!(lifecycle),
            CertificateSort::UpdatedAt => by!(updated_at),
        }
    }
}
