//! Which policy rules are for the agents that hold the key of a certificate.

use std::collections::BTreeSet;

use crate::decide::agent_group::{MembershipInput, decide};
use crate::decide::policy::ActiveRule;
use crate::domain::{Agent, AgentGroup, AgentGroupId, AgentGroupMember, AgentId, MembershipType};
use crate::error::Error;
use crate::storage::{Query, Reads, UnitOfWork};

/// Whether any of the rules is for a group of agents.
pub(crate) fn is_needed(rules: &[ActiveRule]) -> bool {
    rules.iter().any(|active| active.rule.agent_group_id.is_some())
}

/// The groups that rules are for and that one of the key holders is a member of, read in one trip; nothing is read where
/// no rule is for a group, or nobody holds the key. A group that is gone, or disabled, has nobody.
pub(crate) async fn groups_of(
    unit: &UnitOfWork,
    rules: &[ActiveRule],
    holders: &BTreeSet<AgentId>,
) -> Result<BTreeSet<AgentGroupId>, Error> {
    let wanted: BTreeSet<&AgentGroupId> =
        rules.iter().filter_map(|active| active.rule.agent_group_id.as_ref()).collect();
    if wanted.is_empty() || holders.is_empty() {
        return Ok(BTreeSet::new());
    }
    let ids = || wanted.iter().copied().cloned();
    let mut reads = Reads::default();
    let groups = Query::<AgentGroup>::all().filter(AgentGroup::FIELDS.id.one_of(ids()));
    let groups = reads.list(groups.limit(wanted.len()))?;
    let agents = Query::<Agent>::all().filter(Agent::FIELDS.id.one_of(holders.iter().cloned()));
    let agents = reads.list(agents.limit(holders.len()))?;
    let named = Query::<AgentGroupMember>::all()
        .filter(AgentGroupMember::FIELDS.agent_group_id.one_of(ids()))
        .filter(AgentGroupMember::FIELDS.agent_id.one_of(holders.iter().cloned()));
    // Each holder at most once as included and once as excluded.
    let named = reads.list(named.limit(wanted.len() * holders.len() * 2))?;
    let mut found = unit.read(reads).await?;
    let (groups, agents, named) = (found.all(&groups)?, found.all(&agents)?, found.all(&named)?);
    let named: BTreeSet<(&AgentGroupId, &AgentId, MembershipType)> =
        named.iter().map(|member| (&member.agent_group_id, &member.agent_id, member.membership_type)).collect();
    let has_one = |group: &AgentGroup| {
        agents.iter().any(|agent| {
            let says = |kind| named.contains(&(&group.id, &agent.id, kind));
            let (included, excluded) = (says(MembershipType::Include), says(MembershipType::Exclude));
            decide(&MembershipInput { group, agent, included, excluded }).member
        })
    };
    Ok(groups.iter().filter(|group| has_one(group)).map(|group| group.id.clone()).collect())
}
