//! What a simulation takes over from a store: how things stand, without secrets, keys and history.

use std::collections::BTreeMap;

use crate::domain::{
    Agent, AgentGroup, AgentGroupMember, Certificate, CertificateTarget, IssuerHealth, IssuerRecord, Job, LoopState,
    Notification, NotificationType, Owner, PolicyRule, PolicyViolation, Profile, RenewalPolicy, Replan, TargetRecord,
    Team, Timestamp, Version,
};
use crate::entity::{Entity, Record};
use crate::storage::{Query, Snapshot, StorageError};

/// How things stand in a store. Neither configurations of connectors nor keys are in it.
#[derive(Clone, Debug)]
pub struct StoreCopy {
    /// The store's clock when it was read.
    pub(super) now: Timestamp,
    pub(super) teams: Vec<Team>,
    pub(super) owners: Vec<Owner>,
    pub(super) issuers: Vec<IssuerRecord>,
    pub(super) health: Vec<IssuerHealth>,
    pub(super) profiles: Vec<Profile>,
    pub(super) policies: Vec<RenewalPolicy>,
    pub(super) replans: Vec<Replan>,
    pub(super) agents: Vec<Agent>,
    pub(super) groups: Vec<AgentGroup>,
    pub(super) members: Vec<AgentGroupMember>,
    pub(super) rules: Vec<PolicyRule>,
    pub(super) targets: Vec<TargetRecord>,
    pub(super) certificates: Vec<Certificate>,
    pub(super) violations: Vec<PolicyViolation>,
    pub(super) mappings: Vec<CertificateTarget>,
    /// The newest of each certificate and key holder.
    pub(super) versions: Vec<Version>,
    /// Open ones that obtain a version.
    pub(super) jobs: Vec<Job>,
    /// That somebody was told of an end already.
    pub(super) warnings: Vec<Notification>,
    recorded: Timestamp,
}

impl StoreCopy {
    /// Reads a store; writes nothing. Take a view at a point in time, so that all of it stood so at once.
    ///
    /// # Errors
    /// The store's.
    pub async fn read(view: &dyn Snapshot) -> Result<Self, StorageError> {
        let mut newest: BTreeMap<(String, String), Version> = BTreeMap::new();
        for version in all(view, Query::<Version>::sorted(Version::FIELDS.created_at.ascending())).await? {
            newest.insert((version.certificate_id.to_string(), version.key_holder.clone()), version);
        }
        let jobs = Query::<Job>::all().filter(Job::FIELDS.open_slot.is_set());
        let warnings = Notification::FIELDS.kind.equals(NotificationType::ExpirationWarning);
        let mut copy = Self {
            now: view.now(),
            teams: all(view, Query::all()).await?,
            owners: all(view, Query::all()).await?,
            issuers: all(view, Query::all()).await?,
            health: all(view, Query::all()).await?,
            profiles: all(view, Query::all()).await?,
            policies: all(view, Query::all()).await?,
            replans: all(view, Query::all()).await?,
            agents: all(view, Query::all()).await?,
            groups: all(view, Query::all()).await?,
            members: all(view, Query::all()).await?,
            rules: all(view, Query::all()).await?,
            targets: all(view, Query::all()).await?,
            certificates: all(view, Query::all()).await?,
            violations: all(view, Query::all()).await?,
            mappings: all(view, Query::all()).await?,
            versions: newest.into_values().collect(),
            jobs: all(view, jobs).await?.into_iter().filter(|job: &Job| job.kind.issues()).collect(),
            warnings: all(view, Query::<Notification>::all().filter(warnings)).await?,
            recorded: Timestamp(i64::MIN),
        };
        let loops: Vec<LoopState> = all(view, Query::all()).await?;
        copy.recorded = copy.newest_moment(&loops);
        Ok(copy)
    }

    /// The last moment that the store recorded: of a server that runs it is nearly now, of a backup it is when that was made. The
    /// store's clock where nothing is recorded.
    pub fn last_moment(&self) -> Timestamp {
        if self.recorded == Timestamp(i64::MIN) { self.now } else { self.recorded }
    }

    /// The store's clock when it was read.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    fn newest_moment(&self, loops: &[LoopState]) -> Timestamp {
        let certificates = self.certificates.iter().map(|certificate| certificate.updated_at);
        let versions = self.versions.iter().map(|version| version.created_at);
        let agents = self.agents.iter().flat_map(|agent| [agent.last_heartbeat_at, agent.updated_at]);
        let jobs = self.jobs.iter().flat_map(|job| [Some(job.created_at), job.started_at]).flatten();
        let loops = loops.iter().flat_map(|one| [one.started_at, one.ended_at]).flatten();
        let rules = self.policies.iter().map(|policy| policy.updated_at);
        let issuers = self.issuers.iter().map(|issuer| issuer.updated_at);
        let all = certificates.chain(versions).chain(agents).chain(jobs).chain(loops).chain(rules).chain(issuers);
        // What lies ahead of the store's clock is a plan or a mistake, and no record.
        all.filter(|at| *at <= self.now).max().unwrap_or(Timestamp(i64::MIN))
    }
}

async fn all<E: Entity>(view: &dyn Snapshot, query: Query<E>) -> Result<Vec<E>, StorageError> {
    Ok(view.all(query).await?.into_iter().map(Record::into_entity).collect())
}
