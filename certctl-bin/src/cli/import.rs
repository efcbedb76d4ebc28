//! `certctl import`: certificates that exist elsewhere, registered from their files.

use std::path::PathBuf;

use certctl_core::domain::pem;
use certctl_core::pki::certificate;
use certctl_core::ports::Method;
use certctl_http::client::RawRequest;
use clap::Args;
use serde_json::{Value, json};

use super::Session;
use crate::arguments::Connection;
use crate::failure::Failure;

/// The longest file that is read, in bytes.
const LONGEST: usize = 16 << 20;

/// `certctl import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    what: What,
}

/// What is to be imported, and how it is to be registered.
#[derive(Debug, Args)]
pub(super) struct What {
    /// PEM files; each CERTIFICATE block is one certificate. Private keys are not read
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Who answers for them
    #[arg(long, value_name = "ID")]
    owner_id: String,
    /// Their team
    #[arg(long, value_name = "ID")]
    team_id: String,
    /// When they are renewed
    #[arg(long, value_name = "ID")]
    renewal_policy_id: String,
    /// Who issues their successors
    #[arg(long, value_name = "ID")]
    issuer_id: String,
    /// Their names; `{cn}` stands for the common name, `{serial}` for the serial number
    #[arg(long, value_name = "TEXT", default_value = "{cn}")]
    name_template: String,
    #[arg(long, value_name = "TEXT", default_value = "imported")]
    environment: String,
}

/// A certificate as it will be registered.
struct Found {
    from: String,
    request: Value,
}

/// Reads all files before anything is sent, then registers one certificate after the other.
pub(super) async fn run(what: What, session: &Session) -> Result<(), Failure> {
    let mut found = Vec::new();
    for path in &what.files {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| Failure::during(format!("cannot read {}", path.display()), error))?;
        found.extend(what.read(&path.display().to_string(), &text)?);
    }
    let (mut made, mut failed) = (Vec::new(), 0_usize);
    for Found { from, request } in &found {
        let path = ["api", "v1", "certificates"].map(str::to_owned);
        let request = RawRequest::new(Method::Post, path).body("application/json", request.to_string());
        match session.client.raw(request).await {
            Ok(answer) => made.push(serde_json::from_slice(&answer.body)?),
            Err(error) => {
                failed += 1;
                Failure::during(format!("{from} is not imported"), error).report(&mut std::io::stderr());
            }
        }
    }
    session.show(&Value::Array(made), &["id", "name", "common_name", "status"])?;
    match failed {
        0 => Ok(()),
        failed => Err(Failure::new(format!("{failed} of {} certificates were not imported", found.len()))),
    }
}

impl Import {
    /// Where it goes, and what it is.
    pub(super) fn parts(self) -> (Connection, What) {
        (self.connection, self.what)
    }
}

impl What {
    fn read(&self, file: &str, text: &str) -> Result<Vec<Found>, Failure> {
        let blocks =
            pem::parse(text, LONGEST).map_err(|error| Failure::during(format!("{file} cannot be used"), error))?;
        let certificates: Vec<_> = blocks.iter().filter(|block| block.label == "CERTIFICATE").collect();
        if certificates.is_empty() {
            return Err(Failure::new(format!("{file} holds no block CERTIFICATE")));
        }
        certificates
            .iter()
            .enumerate()
            .map(|(at, block)| self.found(format!("{file}, certificate {}", at + 1), &block.der))
            .collect()
    }

    fn found(&self, from: String, der: &[u8]) -> Result<Found, Failure> {
        let facts =
            certificate::parse(der).map_err(|error| Failure::during(format!("{from} cannot be read"), error))?;
        let sans: Vec<String> = facts.names.sans.iter().map(ToString::to_string).collect();
        let common_name = facts.names.common_name.clone().or_else(|| sans.first().cloned());
        let common_name = common_name.ok_or_else(|| Failure::new(format!("{from} has no name that certctl knows")))?;
        let name = self.name_template.replace("{cn}", &common_name).replace("{serial}", &facts.serial.to_string());
        let request = json!({
            "name": name,
            "common_name": common_name,
            "sans": sans,
            "environment": self.environment,
            "owner_id": self.owner_id,
            "team_id": self.team_id,
            "issuer_id": self.issuer_id,
            "renewal_policy_id": self.renewal_policy_id,
            "status": "Active",
        });
        Ok(Found { from, request })
    }
}
