//! `certctl agents`.

use certctl_core::domain::AgentId;
use certctl_http::client::{ClientError, Retirement};
use certctl_http::wire::CreateEnrolToken;
use clap::Subcommand;

use super::{Paging, Session};
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List agents
    List {
        /// Only with this status, such as Online
        #[arg(long)]
        status: Option<String>,
        /// Those that are retired instead
        #[arg(long, conflicts_with = "status")]
        retired: bool,
        #[command(flatten)]
        paging: Paging,
    },
    /// Retire an agent for good; refused while anything depends on it
    Retire {
        id: String,
        /// Retire its targets with it, and call off the open jobs of both; needs --reason
        #[arg(long, requires = "reason")]
        force: bool,
        /// Why
        #[arg(long, value_name = "TEXT", value_parser = said)]
        reason: Option<String>,
    },
    /// Make a token with which one agent enrols, once
    EnrolToken {
        /// Only the agent with this id
        #[arg(long, value_name = "ID")]
        agent_id: Option<String>,
        /// How long it is good, in seconds
        #[arg(long, value_name = "SECONDS")]
        expires_in: Option<u64>,
    },
}

pub(super) async fn run(verb: Verb, session: &Session) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Verb::List { retired: true, paging, .. } => {
            let page = client.list_retired_agents(&paging.listing([])).await?;
            session.list(&page, &["id", "name", "hostname", "retired_at", "retired_reason"])
        }
        Verb::List { status, paging, .. } => {
            let page = client.list_agents(&paging.listing([("status", status)])).await?;
            session.list(&page, &["id", "name", "hostname", "status", "last_heartbeat_at", "version"])
        }
        Verb::Retire { id, force, reason } => {
            let (id, retirement) = (AgentId::parse(id)?, Retirement { force, reason });
            session.confirm(&format!("retire agent {id} for good"))?;
            match client.retire_agent(&id, &retirement).await.map_err(|error| blocked(&id, error))? {
                Some(retired) => session.one(&retired),
                None => output::line(format!("{id} was retired before; nothing was changed")),
            }
        }
        Verb::EnrolToken { agent_id, expires_in } => {
            let agent_id = agent_id.map(AgentId::parse).transpose()?;
            session.one(&client.create_enrol_token(&CreateEnrolToken { agent_id, expires_in }).await?)
        }
    }
}

/// A text that says something.
fn said(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("say why".to_owned()) } else { Ok(text.to_owned()) }
}

/// What stands in the way, and how to go on from here.
fn blocked(id: &AgentId, error: ClientError) -> Failure {
    let ClientError::Refused { problem, .. } = &error else { return error.into() };
    let Some(counts) = problem.counts else { return error.into() };
    Failure::conflict(format!(
        "{id} is not retired, because something depends on it: active_targets {}, active_certificates {}, pending_jobs {}\n  \
         move them to another agent, or retire them with it: certctl agents retire {id} --force --reason TEXT",
        counts.active_targets, counts.active_certificates, counts.pending_jobs
    ))
}
