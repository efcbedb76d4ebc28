//! `certctl import`: certificates that exist elsewhere, registered from their files.

use std::collections::BTreeSet;
use std::path::PathBuf;

use certctl_core::domain::pem;
use certctl_core::pki::certificate;
use certctl_core::pki::chain::{Root, assemble};
use certctl_http::wire::{ImportCertificates, ImportCertificatesResult};
use clap::Args;
use serde_json::{Value, json};

use super::Session;
use crate::arguments::{Connection, OutputFormat};
use crate::failure::Failure;
use crate::output;

/// The longest file that is read, in bytes.
const LONGEST: usize = 64 << 20;
/// So much PEM is sent at once, in bytes: servers read a body of 1 MiB, and JSON makes line ends longer.
const AT_ONCE: usize = 700_000;

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
    /// PEM files of any length. Certificates of CAs among them make up the chains; private keys are not read, nor sent
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
    /// What their successors must look like; the default profile when absent
    #[arg(long, value_name = "ID")]
    profile_id: Option<String>,
    /// The agent that makes the keys of their successors
    #[arg(long, value_name = "ID")]
    agent_id: Option<String>,
    /// Their names; `{cn}` stands for the common name, `{serial}` for the serial number
    #[arg(long, value_name = "TEXT", default_value = "{cn}")]
    name_template: String,
    #[arg(long, value_name = "TEXT", default_value = "imported")]
    environment: String,
    /// Only tell what would be registered
    #[arg(long)]
    dry_run: bool,
}

/// A certificate of a file.
struct Found {
    from: String,
    der: Vec<u8>,
}

/// What is sent at once, and where each block of it comes from.
#[derive(Default)]
struct Batch {
    pem: String,
    from: Vec<String>,
    holds: BTreeSet<Vec<u8>>,
}

/// Reads all files before anything is sent, and then has what they hold registered.
pub(super) async fn run(what: What, session: &Session) -> Result<(), Failure> {
    let (mut leaves, mut authorities, mut keys) = (Vec::new(), Vec::new(), 0);
    for path in &what.files {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| Failure::during(format!("cannot read {}", path.display()), error))?;
        keys += read(&path.display().to_string(), &text, (&mut leaves, &mut authorities))?;
    }
    if leaves.is_empty() {
        return Err(Failure::new("the files hold certificates of CAs alone; name those of servers or clients"));
    }
    if keys > 0 {
        output::note(&format!("{keys} private keys were not read and not sent: certctl keeps none"));
    }
    let mut told = Told::default();
    for batch in batches(&leaves, &authorities) {
        let request = what.request(batch.pem)?;
        told.add(session.client.import_certificates(&request).await?, &batch.from);
    }
    told.show(what.dry_run, session)
}

impl Import {
    /// Where it goes, and what it is.
    pub(super) fn parts(self) -> (Connection, What) {
        (self.connection, self.what)
    }
}

impl What {
    fn request(&self, pem: String) -> Result<ImportCertificates, Failure> {
        Ok(serde_json::from_value(json!({
            "pem": pem,
            "owner_id": self.owner_id,
            "team_id": self.team_id,
            "issuer_id": self.issuer_id,
            "renewal_policy_id": self.renewal_policy_id,
            "certificate_profile_id": self.profile_id,
            "agent_id": self.agent_id,
            "name_template": self.name_template,
            "environment": self.environment,
            "dry_run": self.dry_run,
        }))?)
    }
}

/// Sorts the certificates of a file; gives how many private keys it has.
fn read(file: &str, text: &str, (leaves, authorities): (&mut Vec<Found>, &mut Vec<Vec<u8>>)) -> Result<usize, Failure> {
    let blocks = pem::parse(text, LONGEST).map_err(|error| Failure::during(format!("{file} cannot be used"), error))?;
    let keys = blocks.iter().filter(|block| block.label.contains("PRIVATE KEY")).count();
    let certificates = blocks.into_iter().filter(|block| block.label == "CERTIFICATE");
    let before = leaves.len() + authorities.len();
    for (block, number) in certificates.zip(1..) {
        let from = format!("{file}, certificate {number}");
        let facts =
            certificate::parse(&block.der).map_err(|error| Failure::during(format!("{from} cannot be read"), error))?;
        if facts.is_ca { authorities.push(block.der) } else { leaves.push(Found { from, der: block.der }) }
    }
    if leaves.len() + authorities.len() == before {
        return Err(Failure::new(format!("{file} holds no block CERTIFICATE")));
    }
    Ok(keys)
}

/// Each certificate with those above it, and as many of them together as may be sent at once.
fn batches(leaves: &[Found], authorities: &[Vec<u8>]) -> Vec<Batch> {
    let mut batches: Vec<Batch> = vec![Batch::default()];
    for leaf in leaves {
        let chain = assemble(&leaf.der, authorities, Root::Omit);
        let chain = chain.map_or_else(|_| vec![leaf.der.clone()], |chain| chain.certificates().to_vec());
        let length: usize = chain.iter().map(|der| der.len() * 4 / 3 + 100).sum();
        match batches.last_mut() {
            Some(batch) if batch.pem.is_empty() || batch.pem.len() + length <= AT_ONCE => batch.add(leaf, chain),
            _ => {
                let mut batch = Batch::default();
                batch.add(leaf, chain);
                batches.push(batch);
            }
        }
    }
    batches
}

impl Batch {
    fn add(&mut self, leaf: &Found, chain: Vec<Vec<u8>>) {
        for (at, der) in chain.into_iter().enumerate() {
            // What stands in the files twice is told of, but for CAs.
            if at == 0 || !self.holds.contains(&der) {
                self.pem.push_str(&pem::encode("CERTIFICATE", &der));
                self.from.push(leaf.from.clone());
                self.holds.insert(der);
            }
        }
    }
}

/// What was answered to all of them.
#[derive(Default)]
struct Told {
    imported: Vec<Value>,
    skipped: Vec<Value>,
    errors: Vec<Value>,
}

impl Told {
    fn add(&mut self, result: ImportCertificatesResult, from: &[String]) {
        let origin = |position: usize| position.checked_sub(1).and_then(|at| from.get(at)).cloned().unwrap_or_default();
        for one in result.certificates {
            self.imported.push(json!({
                "id": one.certificate_id, "name": one.name, "common_name": one.common_name, "not_after": one.not_after,
                "fingerprint_sha256": one.fingerprint_sha256, "issuers": one.issuers, "from": origin(one.position),
            }));
        }
        for one in result.skipped {
            let from = origin(one.position);
            self.skipped.push(json!({ "from": from, "reason": one.reason, "certificate_id": one.certificate_id }));
        }
        for one in result.errors {
            self.errors.push(json!({ "from": origin(one.position), "error": one.error }));
        }
    }

    fn show(self, dry_run: bool, session: &Session) -> Result<(), Failure> {
        let Self { imported, skipped, errors } = self;
        let (total, failed) = (imported.len() + skipped.len() + errors.len(), errors.len());
        let text = |value: &Value, member: &str| value[member].as_str().unwrap_or_default().to_owned();
        for one in &skipped {
            output::note(&format!("{} is passed over: {}", text(one, "from"), text(one, "reason")));
        }
        for one in &errors {
            output::note(&format!("{} is not imported: {}", text(one, "from"), text(one, "error")));
        }
        match session.format {
            OutputFormat::Table | OutputFormat::Name => {
                session.show(&Value::Array(imported), &["id", "name", "common_name", "not_after", "issuers"])?;
            }
            OutputFormat::Json | OutputFormat::Yaml => session.one(&json!({
                "dry_run": dry_run, "total_matched": total, "total_imported": imported.len(),
                "total_skipped": skipped.len(), "total_failed": failed, "certificates": imported,
                "skipped": skipped, "errors": errors,
            }))?,
        }
        match failed {
            0 => Ok(()),
            failed => Err(Failure::new(format!("{failed} of {total} certificates were not imported"))),
        }
    }
}
