//! Whether an agent is a member of a group.

use std::net::IpAddr;

use crate::domain::{Agent, AgentGroup};

/// What decides about one agent and one group.
#[derive(Clone, Copy, Debug)]
pub struct MembershipInput<'a> {
    /// The group.
    pub group: &'a AgentGroup,
    /// The agent, as it last reported itself.
    pub agent: &'a Agent,
    /// Whether the group includes it by name.
    pub included: bool,
    /// Whether the group excludes it by name.
    pub excluded: bool,
}

/// Why an agent is a member, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipReason {
    /// It is retired.
    Retired,
    /// It is no program, and only stands for what no agent discovered.
    Sentinel,
    /// The group is disabled.
    GroupDisabled,
    /// The group excludes it by name.
    Excluded,
    /// The group includes it by name.
    Included,
    /// The group has no criteria: whoever is in it is included by name.
    NoCriteria,
    /// It has another operating system.
    Os,
    /// It has another architecture.
    Architecture,
    /// It has no address, or one outside of the network.
    Address,
    /// It has another version.
    Version,
    /// It meets every criterion.
    Criteria,
}

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MembershipVerdict {
    /// Whether it is a member.
    pub member: bool,
    /// Why.
    pub reason: MembershipReason,
}

type Rule = fn(&MembershipInput<'_>) -> Option<MembershipReason>;

/// The rules in order; the first that has an answer decides (requirements C4). Who passes all of them is a member.
const RULES: &[Rule] = &[retired, sentinel, disabled, excluded, included, criteria, os, architecture, address, version];

/// Whether the agent is a member of the group.
pub fn decide(input: &MembershipInput<'_>) -> MembershipVerdict {
    let reason = RULES.iter().find_map(|rule| rule(input)).unwrap_or(MembershipReason::Criteria);
    let member = matches!(reason, MembershipReason::Included | MembershipReason::Criteria);
    MembershipVerdict { member, reason }
}

fn retired(input: &MembershipInput<'_>) -> Option<MembershipReason> {
    input.agent.retired_at.map(|_| MembershipReason::Retired)
}

fn sentinel(input: &MembershipInput<'_>) -> Option<MembershipReason> {
    input.agent.sentinel.then_some(MembershipReason::Sentinel)
}

fn disabled(input: &MembershipInput<'_>) -> Option<MembershipReason> {
    (!input.group.enabled).then_some(MembershipReason::GroupDisabled)
}

fn excluded(input: &MembershipInput<'_>) -> Option<MembershipReason> {
    input.excluded.then_some(MembershipReason::Excluded)
}

fn included(input: &MembershipInput<'_>) -> Option<MembershipReason> {
    input.included.then_some(MembershipReason::Included)
}

fn criteria(input: &MembershipInput<'_>) -> Option<MembershipReason> {
    let group = input.group;
    let texts = [&group.match_os, &group.match_architecture, &group.match_version];
    (texts.iter().all(|text| text.is_empty()) && group.match_ip_cidr.is_none()).then_some(MembershipReason::NoCriteria)
}

/// In any case: one agent says `linux`, another `Linux`.
fn os(input: &MembershipInput<'_>) -> Option<MembershipReason> {
    let wanted = &input.group.match_os;
    let meets = wanted.is_empty() || wanted.eq_ignore_ascii_case(&input.agent.os);
    (!meets).then_some(MembershipReason::Os)
}

fn architecture(input: &MembershipInput<'_>) -> Option<MembershipReason> {
    let wanted = &input.group.match_architecture;
    let meets = wanted.is_empty() || wanted.eq_ignore_ascii_case(&input.agent.architecture);
    (!meets).then_some(MembershipReason::Architecture)
}

fn address(input: &MembershipInput<'_>) -> Option<MembershipReason> {
    let network = input.group.match_ip_cidr?;
    let address: Option<IpAddr> = input.agent.ip_address.trim().parse().ok();
    (!address.is_some_and(|address| network.contains(address))).then_some(MembershipReason::Address)
}

fn version(input: &MembershipInput<'_>) -> Option<MembershipReason> {
    let wanted = &input.group.match_version;
    (!wanted.is_empty() && *wanted != input.agent.version).then_some(MembershipReason::Version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AgentGroupId, AgentId, Timestamp};
    use crate::entity::Json;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

    fn agent() -> Agent {
        Agent {
            id: AgentId::parse("edge-1").unwrap(),
            name: "edge-1".into(),
            hostname: "edge-1".into(),
            os: "Linux".into(),
            architecture: "amd64".into(),
            ip_address: "10.1.2.3".into(),
            version: "1.2.0".into(),
            target_kinds: Json(Vec::new()),
            credential_hash: None,
            sentinel: false,
            last_heartbeat_at: NOW,
            registered_at: NOW,
            offline_since: None,
            retired_at: None,
            retired_reason: None,
            retiring_until: None,
            updated_at: NOW,
        }
    }

    /// A group whose every criterion [`agent`] meets.
    fn group() -> AgentGroup {
        AgentGroup {
            id: AgentGroupId::parse("grp-1").unwrap(),
            name: "edge".into(),
            description: String::new(),
            match_os: "linux".into(),
            match_architecture: "AMD64".into(),
            match_ip_cidr: "10.0.0.0/8".parse().ok(),
            match_version: "1.2.0".into(),
            enabled: true,
            created_at: NOW,
            updated_at: NOW,
        }
    }

    fn empty() -> AgentGroup {
        let (match_os, match_architecture, match_version) = Default::default();
        AgentGroup { match_os, match_architecture, match_version, match_ip_cidr: None, ..group() }
    }

    fn verdict(group: &AgentGroup, agent: &Agent, included: bool, excluded: bool) -> (bool, MembershipReason) {
        let MembershipVerdict { member, reason } = decide(&MembershipInput { group, agent, included, excluded });
        (member, reason)
    }

    #[test]
    fn all_criteria_must_hold_together() {
        use MembershipReason::{Address, Architecture, Criteria, Os, Version};
        assert_eq!(verdict(&group(), &agent(), false, false), (true, Criteria));
        for (agent, reason) in [
            (Agent { os: "windows".into(), ..agent() }, Os),
            (Agent { architecture: "arm64".into(), ..agent() }, Architecture),
            (Agent { ip_address: "11.1.2.3".into(), ..agent() }, Address),
            (Agent { ip_address: String::new(), ..agent() }, Address),
            (Agent { ip_address: "a host".into(), ..agent() }, Address),
            (Agent { version: "1.2".into(), ..agent() }, Version),
        ] {
            assert_eq!(verdict(&group(), &agent, false, false), (false, reason));
        }
    }

    #[test]
    fn one_criterion_is_enough_to_choose_by() {
        let by_network = AgentGroup { match_ip_cidr: "10.0.0.0/8".parse().ok(), ..empty() };
        let elsewhere = Agent { ip_address: "2001:db8::1".into(), ..agent() };
        assert!(verdict(&by_network, &agent(), false, false).0);
        assert_eq!(verdict(&by_network, &elsewhere, false, false), (false, MembershipReason::Address));
        let by_os = AgentGroup { match_os: "LINUX".into(), ..empty() };
        assert!(verdict(&by_os, &elsewhere, false, false).0);
    }

    #[test]
    fn a_group_without_criteria_has_those_it_names() {
        assert_eq!(verdict(&empty(), &agent(), false, false), (false, MembershipReason::NoCriteria));
        assert_eq!(verdict(&empty(), &agent(), true, false), (true, MembershipReason::Included));
    }

    #[test]
    fn names_decide_before_criteria_and_an_exclusion_wins() {
        let windows = Agent { os: "windows".into(), ..agent() };
        assert_eq!(verdict(&group(), &windows, true, false), (true, MembershipReason::Included));
        assert_eq!(verdict(&group(), &agent(), false, true), (false, MembershipReason::Excluded));
        assert_eq!(verdict(&group(), &agent(), true, true), (false, MembershipReason::Excluded));
    }

    #[test]
    fn nobody_retired_is_a_member_and_a_disabled_group_has_none() {
        let retired = Agent { retired_at: Some(NOW), ..agent() };
        assert_eq!(verdict(&group(), &retired, true, false), (false, MembershipReason::Retired));
        let sentinel = Agent { sentinel: true, ..agent() };
        assert_eq!(verdict(&group(), &sentinel, true, false), (false, MembershipReason::Sentinel));
        let disabled = AgentGroup { enabled: false, ..group() };
        assert_eq!(verdict(&disabled, &agent(), true, false), (false, MembershipReason::GroupDisabled));
    }
}
