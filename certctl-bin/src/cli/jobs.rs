//! `certctl jobs`.

use certctl_core::domain::JobId;
use clap::Subcommand;

use super::{Paging, Session, dash};
use crate::failure::Failure;
use crate::output::moment;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List jobs
    List {
        /// Only with this status, such as Failed
        #[arg(long)]
        status: Option<String>,
        /// Only of this type, such as Renewal
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        /// Only of this certificate
        #[arg(long, value_name = "ID")]
        certificate_id: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a job
    Get { id: String },
    /// Call a job off
    Cancel { id: String },
}

pub(super) async fn run(verb: Verb, session: &Session) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Verb::List { status, kind, certificate_id, paging } => {
            let filters = [("status", status), ("type", kind), ("certificate_id", certificate_id)];
            let page = client.list_jobs(&paging.listing(filters)).await?;
            let heading = ["ID", "TYPE", "CERTIFICATE", "TARGET", "STATUS", "ATTEMPTS", "CREATED", "ERROR"];
            session.list(&page, &heading, |job| {
                vec![
                    job.id.to_string(),
                    job.kind.to_string(),
                    job.certificate_id.to_string(),
                    dash(job.target_id.as_ref()),
                    job.status.to_string(),
                    format!("{}/{}", job.attempts, job.max_attempts),
                    moment(Some(job.created_at)),
                    dash(job.last_error.as_ref()),
                ]
            })
        }
        Verb::Get { id } => session.one(&client.job(&JobId::parse(id)?).await?),
        Verb::Cancel { id } => session.one(&client.cancel_job(&JobId::parse(id)?).await?),
    }
}
