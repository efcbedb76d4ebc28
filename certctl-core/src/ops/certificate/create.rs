//! Creating a certificate.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::json;

use super::CertificateView;
use super::targets::map;
use crate::decide::policy::PolicyFacts;
use crate::decide::status;
use crate::domain::SubjectAltName;
use crate::domain::{
    AgentId, AuditAction, Certificate, CertificateId, IssuerId, JobType, NewCertificate, OwnerId, ProfileId,
    RenewalPolicyId, TargetId, TeamId, Timestamp,
};
use crate::engine::Engine;
use crate::error::Error;
use crate::jobs::live::{self, Standing};
use crate::jobs::open::{Opening, key_holders, open_issue_jobs};
use crate::jobs::order::Order;
use crate::jobs::policy::Judgement;
use crate::jobs::scope;
use crate::ops::{Access, Context, Operation, check};

/// Creates a certificate and, unless told otherwise, the jobs of its first issuance.
#[derive(Clone, Debug)]
pub struct Create {
    /// Kept when given.
    pub id: Option<CertificateId>,
    /// Unique; 1 to 255 characters.
    pub name: String,
    /// A host name, wildcard, IP or e-mail address; at most 253 characters.
    pub common_name: String,
    /// Further names, at most 100: `@` makes an e-mail address, an IP literal an address, a scheme a URI, else a host.
    pub sans: Vec<String>,
    /// Free text of at most 64 characters.
    pub environment: String,
    /// Who answers for it.
    pub owner_id: OwnerId,
    /// Their team.
    pub team_id: TeamId,
    /// Who issues it.
    pub issuer_id: IssuerId,
    /// When it renews.
    pub renewal_policy_id: RenewalPolicyId,
    /// What it must look like; the default profile when absent.
    pub certificate_profile_id: Option<ProfileId>,
    /// Where it is deployed.
    pub target_ids: Vec<TargetId>,
    /// The agent that holds its key when it has no targets.
    pub agent_id: Option<AgentId>,
    /// Free labels, at most 64.
    pub tags: BTreeMap<String, String>,
    /// Whether to issue it now; otherwise it is only registered.
    pub issue: bool,
}

impl Create {
    /// A certificate to be issued now, with what a fresh store holds: the default owner, team and renewal policy, and the
    /// local CA. Change what differs.
    pub fn new(name: impl Into<String>, common_name: impl Into<String>) -> Self {
        Self {
            id: None,
            name: name.into(),
            common_name: common_name.into(),
            sans: Vec::new(),
            environment: String::new(),
            owner_id: OwnerId::default(),
            team_id: TeamId::default(),
            issuer_id: IssuerId::default(),
            renewal_policy_id: RenewalPolicyId::default(),
            certificate_profile_id: None,
            target_ids: Vec::new(),
            agent_id: None,
            tags: BTreeMap::new(),
            issue: true,
        }
    }
}

#[async_trait]
impl Operation for Create {
    type Output = CertificateView;
    const NAME: &'static str = "certificate.create";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<CertificateView, Error> {
        let mut certificate = self.checked(cx.engine, cx.now())?;
        let order = Order::of(cx.engine, &cx.unit, &certificate, None).await?;
        if let Some(agent) = &self.agent_id {
            live_agent(cx, agent).await?;
        }
        let mappings = map(cx, &certificate.id, &self.target_ids).await?;
        let holders = key_holders(&certificate, &mappings);
        let groups = &scope::groups_of(&cx.unit, &order.compliance, &holders).await?;
        let facts = PolicyFacts {
            certificate: &certificate,
            names: &order.names,
            validity: None,
            issuing: self.issue,
            groups,
            now: cx.now(),
        };
        let judgement = Judgement::of(&order, &facts);
        judgement.allow()?;
        let mut jobs = Vec::new();
        if self.issue {
            certificate.renewing = true;
            let opening = Opening {
                certificate: &certificate,
                holders: &holders,
                kind: JobType::Issuance,
                policy: &order.policy,
                requested_by: &cx.principal.id,
                needs_approval: order.requires_approval,
            };
            jobs = open_issue_jobs(cx.engine, &mut cx.unit, &opening);
        }
        cx.unit.insert(certificate.clone());
        judgement.store_first(cx.engine, &mut cx.unit, cx.principal, &certificate.id);
        let details = json!({ "name": certificate.name, "common_name": certificate.common_name, "job_ids": jobs });
        cx.audit(AuditAction::CertificateCreated, ("certificate", certificate.id.as_str()), details);
        let status = status::of(&certificate, cx.now());
        let target_ids = mappings.into_iter().map(|mapping| mapping.target_id).collect();
        Ok(CertificateView { certificate, version: 1, status, target_ids, newest: None })
    }
}

impl Create {
    /// What will be stored, not issued yet.
    pub(super) fn checked(&self, engine: &Engine, now: Timestamp) -> Result<Certificate, Error> {
        check::name("/name", &self.name, 255)?;
        check_common_name(&self.common_name)?;
        check::text("/environment", &self.environment, 64)?;
        check_tags(&self.tags)?;
        let made = || CertificateId::generate(&*engine.ports().clock, &*engine.ports().rng);
        let id = self.id.clone().unwrap_or_else(made);
        Ok(NewCertificate {
            id,
            name: self.name.clone(),
            common_name: self.common_name.clone(),
            sans: self.sans.clone(),
            environment: self.environment.clone(),
            owner_id: self.owner_id.clone(),
            team_id: self.team_id.clone(),
            issuer_id: self.issuer_id.clone(),
            renewal_policy_id: self.renewal_policy_id.clone(),
            certificate_profile_id: self.certificate_profile_id.clone(),
            agent_id: self.agent_id.clone(),
            tags: self.tags.clone(),
            source: String::new(),
        }
        .made_at(now))
    }
}

/// A host name, a wildcard, an address or an e-mail address, as the wire contract has it; `_` is for hosts that have one.
pub(super) fn check_common_name(text: &str) -> Result<(), Error> {
    check::name("/common_name", text, 253)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*' | '@' | '+' | ':');
    if text.chars().all(plain) || SubjectAltName::parse(text).is_ok() {
        return Ok(());
    }
    let detail = format!("`{text}` is no host name, wildcard, address or e-mail address");
    Err(Error::invalid_field("/common_name", "bad_name", detail))
}

pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    if tags.len() > 64 {
        return Err(Error::invalid_field("/tags", "too_many", "at most 64 tags are kept"));
    }
    tags.iter().try_for_each(|(key, value)| {
        check::name("/tags", key, 128)?;
        check::text("/tags", value, 1_024)
    })
}

/// Refuses an agent that cannot hold a key. It is pinned, so that it cannot retire at the same moment.
pub(super) async fn live_agent(cx: &mut Context<'_>, id: &AgentId) -> Result<(), Error> {
    match live::one(cx.engine, &cx.unit, id).await? {
        Standing::Live(agent) => {
            cx.unit.pin(&agent);
            Ok(())
        }
        Standing::Retiring(_) => Err(live::retiring(id)),
        Standing::Unknown | Standing::Sentinel | Standing::Retired => {
            let detail = format!("there is no agent `{id}` that could hold a key; register it first");
            Err(Error::invalid_field("/agent_id", "unknown_reference", detail))
        }
    }
}
