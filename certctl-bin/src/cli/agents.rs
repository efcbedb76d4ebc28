//! `certctl agents`.

use certctl_core::domain::AgentId;
use certctl_http::wire::CreateEnrolToken;
use clap::Subcommand;

use super::{Paging, Session};
use crate::failure::Failure;
use crate::output::moment;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List agents
    List {
        /// Only with this status, such as Online
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show an agent
    Get { id: String },
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
        Verb::List { status, paging } => {
            let page = client.list_agents(&paging.listing([("status", status)])).await?;
            let heading = ["ID", "NAME", "HOST", "STATUS", "LAST HEARTBEAT", "VERSION"];
            session.list(&page, &heading, |agent| {
                vec![
                    agent.id.to_string(),
                    agent.name.clone(),
                    agent.hostname.clone(),
                    agent.status.to_string(),
                    moment(agent.last_heartbeat_at),
                    agent.version.clone(),
                ]
            })
        }
        Verb::Get { id } => session.one(&client.agent(&AgentId::parse(id)?).await?),
        Verb::EnrolToken { agent_id, expires_in } => {
            let agent_id = agent_id.map(AgentId::parse).transpose()?;
            session.one(&client.create_enrol_token(&CreateEnrolToken { agent_id, expires_in }).await?)
        }
    }
}
