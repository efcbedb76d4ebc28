//! `certctl certs`.

use std::collections::BTreeMap;

use certctl_core::domain::CertificateId;
use certctl_http::wire::{CreateCertificate, Deploy, SubmitCsr};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Paging, Session, dash};
use crate::failure::Failure;
use crate::output::{self, moment};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List certificates
    List {
        /// Only with this status, such as Active
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a certificate
    Get { id: String },
    /// Add a certificate; its first issuance begins at once
    Create(Box<Create>),
    /// Show the versions of a certificate
    Versions {
        id: String,
        #[command(flatten)]
        paging: Paging,
    },
    /// Renew now
    Renew { id: String },
    /// Deploy the newest version again
    Deploy {
        id: String,
        /// To this target only
        #[arg(long, value_name = "ID")]
        target: Option<String>,
    },
    /// Send a certificate signing request of your own (PEM file)
    Csr { id: String, file: std::path::PathBuf },
    /// Put a certificate away
    Archive { id: String },
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
}

pub(super) async fn run(verb: Verb, session: &Session) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Verb::List { status, paging } => {
            let page = client.list_certificates(&paging.listing([("status", status)])).await?;
            let heading = ["ID", "NAME", "COMMON NAME", "STATUS", "EXPIRES", "RENEWS"];
            session.list(&page, &heading, |certificate| {
                vec![
                    certificate.id.to_string(),
                    certificate.name.clone(),
                    certificate.common_name.clone(),
                    certificate.status.to_string(),
                    moment(certificate.expires_at),
                    moment(certificate.renew_at),
                ]
            })
        }
        Verb::Get { id } => session.one(&client.certificate(&parse(id)?).await?),
        Verb::Create(create) => session.one(&client.create_certificate(&create.request()?).await?),
        Verb::Versions { id, paging } => {
            let page = client.list_certificate_versions(&parse(id)?, &paging.listing([])).await?;
            session.list(&page, &["ID", "SERIAL", "FINGERPRINT", "NOT AFTER"], |version| {
                let version = serde_json::to_value(version).unwrap_or_default();
                let field = |name: &str| dash(version.get(name).and_then(Value::as_str));
                vec![field("id"), field("serial_number"), field("fingerprint_sha256"), field("not_after")]
            })
        }
        Verb::Renew { id } => session.one(&client.renew_certificate(&parse(id)?).await?),
        Verb::Deploy { id, target } => {
            let request: Deploy = serde_json::from_value(json!({ "target_id": target }))?;
            session.one(&client.deploy_certificate(&parse(id)?, &request).await?)
        }
        Verb::Csr { id, file } => {
            let csr_pem = std::fs::read_to_string(&file)
                .map_err(|error| Failure::during(format!("cannot read {}", file.display()), error))?;
            session.one(&client.submit_certificate_csr(&parse(id)?, &SubmitCsr { csr_pem }).await?)
        }
        Verb::Archive { id } => {
            client.archive_certificate(&parse(id.clone())?).await?;
            output::line(format!("archived {id}"))
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
            "tags": BTreeMap::<String, String>::new(),
        }))?)
    }
}

fn parse(id: String) -> Result<CertificateId, Failure> {
    Ok(CertificateId::parse(id)?)
}
