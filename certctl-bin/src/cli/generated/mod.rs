//! Commands that are made from the OpenAPI document: whatever the API can do, the command line can.

mod arguments;
mod names;

use std::io::{IsTerminal, Write};

use certctl_core::ports::Method;
use certctl_http::client::RawAnswer;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches};
use serde_json::Value;

use super::Session;
use crate::arguments::{Arguments, Connection};
use crate::config::Environment;
use crate::failure::Failure;
use crate::operations::{Operation, operations};
use crate::output;
use names::{HAND_MADE, Placement, by_method, placement};

/// Every operation that has a command.
pub(crate) struct Plan(Vec<Planned>);

/// An operation and its command.
struct Planned {
    noun: String,
    verb: String,
    operation: Operation,
}

/// A command that somebody typed.
pub(crate) struct Chosen<'a> {
    planned: &'a Planned,
    connection: Connection,
    matches: &'a ArgMatches,
}

impl Plan {
    /// The commands of the document's operations.
    pub(crate) fn new() -> Result<Self, Failure> {
        let placed: Vec<Planned> = operations()?
            .into_iter()
            .filter_map(|operation| match placement(&operation) {
                Placement::Command { noun, verb } => Some(Planned { noun, verb, operation }),
                Placement::Exempt(_) => None,
            })
            .collect();
        let clashes = |one: &Planned| {
            let same = |other: &&Planned| other.noun == one.noun && other.verb == one.verb;
            one.operation.method != Method::Get && placed.iter().filter(same).count() > 1
        };
        let clashing: Vec<bool> = placed.iter().map(clashes).collect();
        let all = placed.into_iter().zip(clashing).map(|(mut planned, clashes)| {
            if clashes {
                planned.verb = by_method(&planned.operation, &planned.verb);
            }
            planned
        });
        Ok(Self(all.collect()))
    }

    /// The whole command line: what is made by hand, and the rest.
    pub(crate) fn command(&self) -> clap::Command {
        let mut root = Arguments::command();
        for planned in self.generated() {
            let verb = arguments::command(&planned.verb, &planned.operation);
            if root.find_subcommand(&planned.noun).is_none() {
                let noun = clap::Command::new(planned.noun.clone()).about(planned.operation.tag.clone());
                let noun = noun.subcommand_required(true).arg_required_else_help(true);
                root = root.subcommand(Connection::augment_args(noun));
            }
            root = root.mut_subcommand(&planned.noun, |noun| noun.subcommand(verb));
        }
        root
    }

    /// The command that was typed, unless it is made by hand.
    pub(crate) fn chosen<'a>(&'a self, matches: &'a ArgMatches) -> Result<Option<Chosen<'a>>, clap::Error> {
        let Some((noun, matches)) = matches.subcommand() else { return Ok(None) };
        let Some((verb, verb_matches)) = matches.subcommand() else { return Ok(None) };
        let found = self.generated().find(|planned| planned.noun == noun && planned.verb == verb);
        let Some(planned) = found else { return Ok(None) };
        let connection = Connection::from_arg_matches(matches)?;
        Ok(Some(Chosen { planned, connection, matches: verb_matches }))
    }

    fn generated(&self) -> impl Iterator<Item = &Planned> {
        self.0
            .iter()
            .filter(|planned| !HAND_MADE.iter().any(|(noun, verb)| planned.noun == *noun && planned.verb == *verb))
    }
}

impl Chosen<'_> {
    /// Sends the request and shows the answer.
    pub(crate) async fn run(self, environment: &Environment) -> Result<(), Failure> {
        let Planned { noun, verb, operation } = self.planned;
        let arguments = arguments::arguments(operation, self.matches)?;
        let request = operation.request(arguments).map_err(|bad| Failure::usage(bad.to_string()))?;
        let session = Session::open(self.connection, environment).await?;
        if operation.method == Method::Delete {
            session.confirm(&format!("{noun} {verb}"))?;
        }
        let answer = session.client.raw(request).await?;
        if answer.body.is_empty() {
            output::note("done");
            return Ok(());
        }
        if answer.media_type == "application/json" {
            let value: Value = serde_json::from_slice(&answer.body)?;
            return session.show(&value, columns(noun));
        }
        write(&answer, arguments::destination(self.matches))
    }
}

/// The columns of a noun's tables, where the first few members are not what people look for.
fn columns(noun: &str) -> &'static [&'static str] {
    match noun {
        "agents" => &["id", "name", "hostname", "status", "last_heartbeat_at", "version"],
        "audit" => &["seq", "timestamp", "actor", "action", "resource_type", "resource_id", "id"],
        "certs" => &["id", "name", "common_name", "serial_number", "status", "expires_at", "not_after", "renew_at"],
        "intermediates" => &["id", "name", "state", "subject", "parent_id", "not_after", "path_length"],
        "issuers" => &["id", "name", "type", "enabled", "test_status"],
        "jobs" => &["id", "type", "certificate_id", "target_id", "status", "attempts", "created_at", "last_error"],
        "targets" => &["id", "name", "type", "agent_id", "enabled"],
        _ => &[],
    }
}

/// Writes what is no JSON to a file, or to standard output.
fn write(answer: &RawAnswer, to: Option<&String>) -> Result<(), Failure> {
    if let Some(path) = to {
        return std::fs::write(path, &answer.body)
            .map_err(|error| Failure::during(format!("cannot write {path}"), error));
    }
    let mut out = std::io::stdout().lock();
    if out.is_terminal() && std::str::from_utf8(&answer.body).is_err() {
        return Err(Failure::usage(format!(
            "the answer is {}, no text; name a file with --to FILE",
            answer.media_type
        )));
    }
    match out.write_all(&answer.body).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_operation_has_one_command_or_a_reason_why_not() {
        let plan = Plan::new().unwrap();
        let root = plan.command();
        let mut taken = BTreeSet::new();
        for operation in operations().unwrap() {
            let planned = plan.0.iter().find(|planned| planned.operation.id == operation.id);
            let Some(Planned { noun, verb, .. }) = planned else {
                assert!(
                    matches!(placement(&operation), Placement::Exempt(reason) if !reason.is_empty()),
                    "{}",
                    operation.id
                );
                continue;
            };
            assert!(taken.insert((noun.clone(), verb.clone())), "`{noun} {verb}` is {} and another", operation.id);
            let there = root.find_subcommand(noun).and_then(|noun| noun.find_subcommand(verb));
            assert!(there.is_some(), "{} has no command `{noun} {verb}`", operation.id);
        }
        assert!(taken.len() > 40, "{}", taken.len());
        root.debug_assert();
    }

    #[test]
    fn what_is_made_by_hand_hides_nothing() {
        let (root, plan) = (Arguments::command(), Plan::new().unwrap());
        for noun in ["agents", "audit", "certs"] {
            for verb in root.find_subcommand(noun).unwrap().get_subcommands().map(clap::Command::get_name) {
                assert!(HAND_MADE.contains(&(noun, verb)), "`{noun} {verb}` is made by hand and not in the list");
            }
        }
        for (noun, verb) in HAND_MADE {
            assert!(plan.0.iter().any(|planned| planned.noun == *noun && planned.verb == *verb), "{noun} {verb}");
        }
    }

    #[test]
    fn commands_are_called_as_people_say_them() {
        let plan = Plan::new().unwrap();
        for (id, noun, verb) in [
            ("listCertificates", "certs", "list"),
            ("triggerRenewal", "certs", "renew"),
            ("archiveCertificate", "certs", "archive"),
            ("listCertificateVersions", "certs", "versions"),
            ("createRenewalPolicy", "renewal-policies", "create"),
            ("deleteTarget", "targets", "delete"),
            ("cancelJob", "jobs", "cancel"),
            ("agentPickupCertificate", "agents", "get-certificates"),
            ("checkAuth", "auth", "check"),
        ] {
            let planned = plan.0.iter().find(|planned| planned.operation.id == id).unwrap();
            assert_eq!((planned.noun.as_str(), planned.verb.as_str()), (noun, verb), "{id}");
        }
    }
}
