//! `certctl issuers`.

use certctl_core::domain::IssuerId;
use certctl_http::wire::CreateIssuer;
use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::{Paging, Session};
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List issuers
    List {
        #[command(flatten)]
        paging: Paging,
    },
    /// Show an issuer; secrets are hidden
    Get { id: String },
    /// Add an issuer
    Create {
        /// Its id; made up when absent
        #[arg(long)]
        id: Option<String>,
        #[arg(long)]
        name: String,
        /// The kind of connector, such as GenericCA
        #[arg(long = "type", value_name = "KIND")]
        kind: String,
        /// Its configuration as a JSON object
        #[arg(long, value_name = "JSON", default_value = "{}", value_parser = object)]
        config: Map<String, Value>,
    },
    /// Delete an issuer that no certificate uses
    Delete { id: String },
}

/// A JSON object.
pub(super) fn object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON object: {error}"))
}

pub(super) async fn run(verb: Verb, session: &Session) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Verb::List { paging } => {
            let page = client.list_issuers(&paging.listing([])).await?;
            session.list(&page, &["ID", "NAME", "TYPE", "ENABLED"], |issuer| {
                vec![issuer.id.to_string(), issuer.name.clone(), issuer.kind.clone(), issuer.enabled.to_string()]
            })
        }
        Verb::Get { id } => session.one(&client.issuer(&IssuerId::parse(id)?).await?),
        Verb::Create { id, name, kind, config } => {
            let request: CreateIssuer =
                serde_json::from_value(json!({ "id": id, "name": name, "type": kind, "config": config }))?;
            session.one(&client.create_issuer(&request).await?)
        }
        Verb::Delete { id } => {
            client.delete_issuer(&IssuerId::parse(id.clone())?).await?;
            output::line(format!("deleted {id}"))
        }
    }
}
