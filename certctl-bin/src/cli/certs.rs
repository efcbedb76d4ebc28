//! `certctl certs`.

use std::collections::BTreeMap;

use certctl_core::domain::CertificateId;
use certctl_http::wire::{CreateCertificate, SubmitCsr};
use clap::{Args, Subcommand};
use serde_json::json;

use super::Session;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Add a certificate; its first issuance begins at once
    Create(Box<Create>),
    /// Send a certificate signing request of your own (PEM file)
    Csr { id: String, file: std::path::PathBuf },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its id; made up when absent
    #[arg(long)]
    id: Option<String>,
    /// What people call it; the common name when absent
    #[arg(long)]
    name: Option<String>,
    #[arg(long)]
    common_name: String,
    /// A subject alternative name; several times for several
    #[arg(long)]
    san: Vec<String>,
    #[arg(long, default_value = "iss-local")]
    issuer_id: String,
    #[arg(long, default_value = "o-default")]
    owner_id: String,
    #[arg(long, default_value = "team-default")]
    team_id: String,
    #[arg(long, default_value = "rp-default")]
    renewal_policy_id: String,
    #[arg(long)]
    profile_id: Option<String>,
    /// A target to deploy to; several times for several
    #[arg(long)]
    target_id: Vec<String>,
    /// The agent that holds the key, for a certificate without targets
    #[arg(long)]
    agent_id: Option<String>,
    #[arg(long, default_value = "")]
    environment: String,
    /// A label; several times for several
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    tag: Vec<(String, String)>,
    /// Only register it; nothing is issued
    #[arg(long)]
    no_issue: bool,
}

pub(super) async fn run(verb: Verb, session: &Session) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Verb::Create(create) => session.one(&client.create_certificate(&create.request()?).await?),
        Verb::Csr { id, file } => {
            let csr_pem = std::fs::read_to_string(&file)
                .map_err(|error| Failure::during(format!("cannot read {}", file.display()), error))?;
            session.one(&client.submit_certificate_csr(&parse(id)?, &SubmitCsr { csr_pem }).await?)
        }
    }
}

impl Create {
    fn request(self) -> Result<CreateCertificate, Failure> {
        Ok(serde_json::from_value(json!({
            "id": self.id,
            "name": self.name.unwrap_or_else(|| self.common_name.clone()),
            "common_name": self.common_name,
            "sans": self.san,
            "environment": self.environment,
            "owner_id": self.owner_id,
            "team_id": self.team_id,
            "issuer_id": self.issuer_id,
            "renewal_policy_id": self.renewal_policy_id,
            "certificate_profile_id": self.profile_id,
            "agent_id": self.agent_id,
            "target_ids": self.target_id,
            "tags": BTreeMap::from_iter(self.tag),
            "issue": !self.no_issue,
        }))?)
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn parse(id: String) -> Result<CertificateId, Failure> {
    Ok(CertificateId::parse(id)?)
}
