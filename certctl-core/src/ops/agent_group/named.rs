//! The agents that a group names.

use std::collections::BTreeSet;

use crate::domain::{Agent, AgentGroup, AgentGroupId, AgentGroupMember, AgentGroupMemberId, AgentId, MembershipType};
use crate::entity::Record;
use crate::error::Error;
use crate::ops::Context;
use crate::storage::{Query, Reads, UnitOfWork};

/// The most agents that a group includes or excludes by name.
const MOST: usize = 1_000;

/// A group with the agents that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentGroupView {
    /// The group.
    pub group: AgentGroup,
    /// Those that are members whatever they are.
    pub include_agent_ids: Vec<AgentId>,
    /// Those that are no members whatever else holds.
    pub exclude_agent_ids: Vec<AgentId>,
}

impl AgentGroupView {
    /// The group as it is stored.
    pub(super) async fn of(unit: &UnitOfWork, group: AgentGroup) -> Result<Self, Error> {
        let named = Named::read(unit, &group.id).await?;
        let ids = |kind| named.ids(kind).into_iter().collect();
        let (include_agent_ids, exclude_agent_ids) = (ids(MembershipType::Include), ids(MembershipType::Exclude));
        Ok(Self { group, include_agent_ids, exclude_agent_ids })
    }
}

/// What is stored of the agents that one group names.
#[derive(Default)]
pub(super) struct Named(Vec<Record<AgentGroupMember>>);

impl Named {
    pub(super) async fn read(unit: &UnitOfWork, group: &AgentGroupId) -> Result<Self, Error> {
        let fields = AgentGroupMember::FIELDS;
        let of_group = Query::sorted(fields.agent_id.ascending()).filter(fields.agent_group_id.equals(group.clone()));
        Ok(Self(unit.list(of_group.limit(2 * MOST)).await?.records))
    }

    /// Those of one kind.
    pub(super) fn ids(&self, kind: MembershipType) -> BTreeSet<AgentId> {
        let of_kind = self.0.iter().filter(|member| member.membership_type == kind);
        of_kind.map(|member| member.agent_id.clone()).collect()
    }

    /// Records that the group names nobody any more.
    pub(super) fn forget(&self, cx: &mut Context<'_>) {
        self.0.iter().for_each(|member| cx.unit.delete(member));
    }

    /// Records that the group names exactly these agents, and gives them; without a list it names those that it named.
    pub(super) async fn replace(
        &self,
        cx: &mut Context<'_>,
        group: &AgentGroupId,
        kind: MembershipType,
        wanted: Option<&Vec<AgentId>>,
    ) -> Result<Vec<AgentId>, Error> {
        let stored = self.ids(kind);
        let Some(wanted) = wanted else { return Ok(stored.into_iter().collect()) };
        check(cx, kind, wanted, &stored).await?;
        let wanted: BTreeSet<AgentId> = wanted.iter().cloned().collect();
        for member in &self.0 {
            if member.membership_type == kind && !wanted.contains(&member.agent_id) {
                cx.unit.delete(member);
            }
        }
        for agent_id in wanted.difference(&stored) {
            let id = AgentGroupMemberId::generate(&*cx.ports().clock, &*cx.ports().rng);
            let (agent_group_id, agent_id) = (group.clone(), agent_id.clone());
            cx.unit.insert(AgentGroupMember { id, agent_group_id, agent_id, membership_type: kind });
        }
        Ok(wanted.into_iter().collect())
    }
}

/// Refuses agents that do not exist, with their place. Retired ones may be named: they are no members anyway.
async fn check(
    cx: &Context<'_>,
    kind: MembershipType,
    wanted: &[AgentId],
    stored: &BTreeSet<AgentId>,
) -> Result<(), Error> {
    let member = format!("/{kind}_agent_ids");
    if wanted.len() > MOST {
        let detail = format!("a group names at most {MOST} agents here; choose the others by a criterion");
        return Err(Error::invalid_field(member, "too_many", detail));
    }
    let mut reads = Reads::default();
    let places: Vec<_> = wanted
        .iter()
        .enumerate()
        .filter(|(_, id)| !stored.contains(id))
        .map(|(index, id)| (index, id, reads.get::<Agent>(id.as_str())))
        .collect();
    let mut found = cx.unit.read(reads).await?;
    for (index, id, place) in places {
        if found.one(&place)?.is_none() {
            let detail = format!("there is no agent `{id}`; register it first or correct the id");
            return Err(Error::invalid_field(format!("{member}/{index}"), "unknown_reference", detail));
        }
    }
    Ok(())
}
