//! `certctl targets`.

use certctl_core::domain::TargetId;
use certctl_http::wire::CreateTarget;
use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::issuers::object;
use super::{Paging, Session};
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List targets
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a target; secrets are hidden
    Get { id: String },
    /// Add a target
    Create {
        /// Its id; made up when absent
        #[arg(long)]
        id: Option<String>,
        #[arg(long)]
        name: String,
        /// The kind of connector, such as NGINX
        #[arg(long = "type", value_name = "KIND")]
        kind: String,
        /// The agent that deploys to it
        #[arg(long, value_name = "ID")]
        agent_id: String,
        /// Its configuration as a JSON object
        #[arg(long, value_name = "JSON", value_parser = object)]
        config: Map<String, Value>,
    },
    /// Delete a target
    Delete { id: String },
}

pub(super) async fn run(verb: Verb, session: &Session) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Verb::List { paging } => {
            let page = client.list_targets(&paging.listing([])).await?;
            session.list(&page, &["ID", "NAME", "TYPE", "AGENT", "ENABLED"], |target| {
                vec![
                    target.id.to_string(),
                    target.name.clone(),
                    target.kind.clone(),
                    target.agent_id.to_string(),
                    target.enabled.to_string(),
                ]
            })
        }
        Verb::Get { id } => session.one(&client.target(&TargetId::parse(id)?).await?),
        Verb::Create { id, name, kind, agent_id, config } => {
            let request: CreateTarget = serde_json::from_value(
                json!({ "id": id, "name": name, "type": kind, "agent_id": agent_id, "config": config }),
            )?;
            session.one(&client.create_target(&request).await?)
        }
        Verb::Delete { id } => {
            client.delete_target(&TargetId::parse(id.clone())?).await?;
            output::line(format!("deleted {id}"))
        }
    }
}
