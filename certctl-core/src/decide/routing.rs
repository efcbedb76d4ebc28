//! Who is told of what.
//!
//! Three things can say it, in this order: the channels that a renewal policy names for a tier of its alerts, the routes of
//! the configuration, and else what each notifier is for.

use crate::domain::{NotificationType, Severity};

/// Sends events to notifiers. An empty list of events or severities stands for all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Which events.
    pub events: Vec<NotificationType>,
    /// Of which severities.
    pub severities: Vec<Severity>,
    /// The names of the notifiers that are told.
    pub notifiers: Vec<String>,
}

/// What happened, as routing sees it.
#[derive(Clone, Copy, Debug)]
pub struct Occurrence<'a> {
    /// What it is.
    pub kind: NotificationType,
    /// How much it matters.
    pub severity: Severity,
    /// The kinds of notifiers that the renewal policy names for it, such as `Slack`; `None` where it names none.
    pub channels: Option<&'a [String]>,
}

/// A notifier, as routing sees it.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// Its name, unique.
    pub name: &'a str,
    /// Its kind, such as `Slack`.
    pub kind: &'a str,
    /// The least severity that it is for.
    pub least: Severity,
}

/// Why a notifier is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The renewal policy names its kind.
    Policy,
    /// This route names it; the first counts from 0.
    Route(usize),
    /// There are no routes, and the event is of a severity that it is for.
    Default,
}

/// The verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routed<'a> {
    /// The names of those that are told, each once, and why.
    pub told: Vec<(&'a str, Because)>,
    /// Kinds that the policy names and nobody configured.
    pub missing: Vec<&'a str>,
}

/// Decides who is told.
pub fn route<'a>(
    occurrence: &Occurrence<'a>,
    routes: &[Route],
    destinations: impl Iterator<Item = Destination<'a>> + Clone,
) -> Routed<'a> {
    if let Some(channels) = occurrence.channels {
        let named = |kind: &str| channels.iter().any(|channel| channel.eq_ignore_ascii_case(kind));
        let missing = channels.iter().map(String::as_str);
        return Routed {
            told: destinations.clone().filter(|one| named(one.kind)).map(|one| (one.name, Because::Policy)).collect(),
            missing: missing
                .filter(|channel| !destinations.clone().any(|one| one.kind.eq_ignore_ascii_case(channel)))
                .collect(),
        };
    }
    let why = |one: &Destination<'_>| {
        if routes.is_empty() {
            return (occurrence.severity >= one.least).then_some(Because::Default);
        }
        let names = |route: &Route| fits(route, occurrence) && route.notifiers.iter().any(|name| name == one.name);
        routes.iter().position(names).map(Because::Route)
    };
    Routed { told: destinations.filter_map(|one| Some((one.name, why(&one)?))).collect(), missing: Vec::new() }
}

/// Whether a route is for it.
fn fits(route: &Route, occurrence: &Occurrence<'_>) -> bool {
    (route.events.is_empty() || route.events.contains(&occurrence.kind))
        && (route.severities.is_empty() || route.severities.contains(&occurrence.severity))
}

/// How much an event matters where nothing else says it.
pub const fn severity(kind: NotificationType) -> Severity {
    match kind {
        NotificationType::RenewalSuccess | NotificationType::DeploymentSuccess | NotificationType::Digest => {
            Severity::Informational
        }
        NotificationType::EndpointHealth | NotificationType::ExpirationWarning | NotificationType::PolicyViolation => {
            Severity::Warning
        }
        NotificationType::RenewalFailure | NotificationType::DeploymentFailure | NotificationType::Revocation => {
            Severity::Critical
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use NotificationType::{DeploymentFailure, ExpirationWarning, RenewalFailure, RenewalSuccess};

    const HERE: [Destination<'static>; 4] = [
        Destination { name: "mail", kind: "Email", least: Severity::Informational },
        Destination { name: "pager", kind: "PagerDuty", least: Severity::Warning },
        Destination { name: "room-a", kind: "Slack", least: Severity::Informational },
        Destination { name: "room-b", kind: "Slack", least: Severity::Informational },
    ];

    fn told<'a>(kind: NotificationType, channels: Option<&'a [String]>, routes: &[Route]) -> Vec<(&'a str, Because)> {
        let occurrence = Occurrence { kind, severity: severity(kind), channels };
        route(&occurrence, routes, HERE.into_iter()).told
    }

    fn to(events: &[NotificationType], severities: &[Severity], notifiers: &[&str]) -> Route {
        Route {
            events: events.to_vec(),
            severities: severities.to_vec(),
            notifiers: notifiers.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn without_routes_everybody_is_told_and_nobody_is_paged_for_nothing() {
        let success: Vec<_> = told(RenewalSuccess, None, &[]).into_iter().map(|(name, _)| name).collect();
        assert_eq!(success, ["mail", "room-a", "room-b"]);
        for kind in [RenewalFailure, DeploymentFailure, ExpirationWarning] {
            assert_eq!(told(kind, None, &[]).len(), 4, "{kind}");
        }
    }

    #[test]
    fn routes_choose_by_event_and_severity_and_name_each_notifier_once() {
        let routes = [
            to(&[RenewalFailure], &[], &["pager", "room-b"]),
            to(&[], &[Severity::Critical], &["room-b", "room-a"]),
            to(&[RenewalSuccess, ExpirationWarning], &[Severity::Warning], &["mail"]),
        ];
        let failure = told(RenewalFailure, None, &routes);
        let expected = [("pager", Because::Route(0)), ("room-a", Because::Route(1)), ("room-b", Because::Route(0))];
        assert_eq!(failure, expected);
        let deployment = told(DeploymentFailure, None, &routes);
        assert_eq!(deployment, [("room-a", Because::Route(1)), ("room-b", Because::Route(1))]);
        assert_eq!(told(ExpirationWarning, None, &routes), [("mail", Because::Route(2))]);
        assert_eq!(told(RenewalSuccess, None, &routes), [], "its severity fits no route");
        assert_eq!(told(RenewalSuccess, None, &[to(&[], &[], &["pager"])]), [("pager", Because::Route(0))]);
    }

    #[test]
    fn a_policy_that_names_channels_decides_alone() {
        let channels = ["slack".to_owned(), "PagerDuty".to_owned()];
        let routes = [to(&[], &[], &["mail"])];
        let expected = [("pager", Because::Policy), ("room-a", Because::Policy), ("room-b", Because::Policy)];
        assert_eq!(told(ExpirationWarning, Some(&channels), &routes), expected);
        assert_eq!(told(ExpirationWarning, Some(&[]), &routes), [], "an empty list tells nobody");
    }

    #[test]
    fn a_channel_that_nobody_configured_is_said() {
        let channels = ["Teams".to_owned(), "Email".to_owned()];
        let occurrence = Occurrence { kind: ExpirationWarning, severity: Severity::Warning, channels: Some(&channels) };
        let routed = route(&occurrence, &[], HERE.into_iter());
        assert_eq!((routed.told, routed.missing), (vec![("mail", Because::Policy)], vec!["Teams"]));
    }
}
