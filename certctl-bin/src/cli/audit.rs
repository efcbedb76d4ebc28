//! `certctl audit`.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use certctl_core::audit::{ExportLine, ExportReader, Verifier, csv};
use certctl_http::client::Listing;
use certctl_http::wire::AuditVerification;
use clap::{Args, Subcommand, ValueEnum};

use super::{On, Session, show};
use crate::arguments::OutputFormat;
use crate::config::Environment;
use crate::failure::Failure;
use crate::output;

/// The exit code of a verification that found something.
const FOUND: u8 = 7;
/// Longest line of an export that is read, in bytes.
const LONGEST: u64 = 16 << 20;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Write the trail to a file, or to standard output
    Export {
        /// Where to; it must not be there yet
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// ndjson can be verified, csv is for spreadsheets
        #[arg(long = "as", value_name = "FORMAT", value_enum, default_value_t = ExportFormat::Ndjson)]
        written: ExportFormat,
        #[command(flatten)]
        wanted: Wanted,
    },
    /// Look for entries that were edited, deleted, put elsewhere or cut off; exit code 7 when there are some
    Verify(Verify),
}

/// Which entries.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// Of this actor: the id of a key or an agent, or `system`
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// By this kind of actor: User, Agent, System or Anonymous
    #[arg(long, value_name = "TYPE")]
    actor_type: Option<String>,
    /// With this action, such as certificate_created
    #[arg(long)]
    action: Option<String>,
    /// About this kind of thing, such as certificate
    #[arg(long, value_name = "TYPE")]
    resource_type: Option<String>,
    /// About this one
    #[arg(long, value_name = "ID")]
    resource_id: Option<String>,
    /// At this time or after it (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// An export (ndjson) instead of the server's trail; needs no server
    #[arg(long, value_name = "EXPORT")]
    file: Option<PathBuf>,
    /// Checkpoints that were kept outside of the database, such as a copy of the server's DIR/audit-checkpoints.ndjson
    #[arg(long, value_name = "FILE", requires = "file")]
    checkpoints: Option<PathBuf>,
    /// The only key whose checkpoints count; without it the keys are shown, to be compared with what you know
    #[arg(long, value_name = "ID", requires = "file")]
    key_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    Ndjson,
    Csv,
}

impl Wanted {
    fn filters(self) -> [(&'static str, Option<String>); 7] {
        let Self { actor, actor_type, action, resource_type, resource_id, from, to } = self;
        [
            ("actor", actor),
            ("actor_type", actor_type),
            ("action", action),
            ("resource_type", resource_type),
            ("resource_id", resource_id),
            ("from", from),
            ("to", to),
        ]
    }
}

pub(super) async fn run(on: On<Verb>, environment: &Environment) -> Result<ExitCode, Failure> {
    let On { connection, verb } = on;
    let format = connection.output;
    if let Verb::Verify(Verify { file: Some(file), checkpoints, key_id }) = verb {
        let outcome = verify_file(&file, checkpoints.as_deref(), key_id)?;
        return report(&outcome, format);
    }
    let session = Session::open(connection, environment).await?;
    match verb {
        Verb::Export { out, written, wanted } => {
            let filters = wanted.filters().into_iter().fold(Listing::default(), |listing, (name, value)| match value {
                Some(value) => listing.filter(name, value),
                None => listing,
            });
            export(&session, out.as_deref(), written, &filters).await?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Verify(_) => report(&session.client.verify_audit().await?, format),
    }
}

async fn export(session: &Session, out: Option<&Path>, format: ExportFormat, filters: &Listing) -> Result<(), Failure> {
    let cannot = |path: &Path| {
        let shown = path.display().to_string();
        move |error: std::io::Error| Failure::during(format!("cannot write {shown}"), error)
    };
    let mut writer: Box<dyn Write> = match out {
        Some(path) => Box::new(BufWriter::new(File::create_new(path).map_err(cannot(path))?)),
        None => Box::new(BufWriter::new(std::io::stdout())),
    };
    let failed = cannot(out.unwrap_or(Path::new("standard output")));
    if format == ExportFormat::Csv {
        writer.write_all(csv::HEADING.as_bytes()).map_err(&failed)?;
    }
    let (mut after, mut is_first) = (0, true);
    loop {
        let part = session.client.export_audit_part(after, filters).await?;
        let mut end = None;
        for line in part.lines() {
            let parsed = ExportLine::parse(line)
                .map_err(|why| Failure::new(format!("the server's answer is no export: {why}")))?;
            if let Some(ends) = parsed.as_end() {
                end = Some(ends);
            }
            // Of several parts one file is made, with one beginning and one end.
            let is_kept = (is_first || !parsed.is_beginning()) && end.is_none_or(|(_, more)| !more);
            let text = match format {
                ExportFormat::Csv => csv::line(&parsed),
                ExportFormat::Ndjson if is_kept => format!("{line}\n"),
                ExportFormat::Ndjson => String::new(),
            };
            writer.write_all(text.as_bytes()).map_err(&failed)?;
        }
        match end {
            Some((seq, true)) if seq > after => (after, is_first) = (seq, false),
            Some((_, false)) => break,
            _ => return Err(Failure::new("the server's answer was cut short; try again")),
        }
    }
    writer.flush().map_err(&failed)
}

/// Verifies an export, with whatever length, in constant memory besides the checkpoints that were kept elsewhere.
fn verify_file(file: &Path, checkpoints: Option<&Path>, key_id: Option<String>) -> Result<AuditVerification, Failure> {
    let mut verifier = Verifier::default();
    if let Some(key_id) = key_id {
        verifier = verifier.trusting(key_id);
    }
    if let Some(path) = checkpoints {
        each_line(path, |number, line| {
            let parsed = ExportLine::parse(line).ok();
            let checkpoint = parsed
                .and_then(|parsed| parsed.as_checkpoint())
                .ok_or_else(|| Failure::new(format!("line {number} of {} is no checkpoint", path.display())))?;
            verifier.checkpoint(&checkpoint);
            Ok(())
        })?;
    }
    let mut reader = ExportReader::new(verifier);
    let about = || format!("{} cannot be verified", file.display());
    each_line(file, |_, line| reader.line(line).map_err(|error| Failure::during(about(), error)))?;
    Ok(reader.finish().map_err(|error| Failure::during(about(), error))?.into())
}

fn each_line(path: &Path, mut take: impl FnMut(u64, &str) -> Result<(), Failure>) -> Result<(), Failure> {
    let cannot = |error| Failure::during(format!("cannot read {}", path.display()), error);
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path).map_err(cannot)?);
    let (mut line, mut number) = (String::new(), 0);
    loop {
        line.clear();
        number += 1;
        let read = reader.by_ref().take(LONGEST).read_line(&mut line).map_err(cannot)?;
        if read == 0 {
            return Ok(());
        }
        if read as u64 == LONGEST {
            return Err(Failure::new(format!("line {number} of {} is longer than any export has", path.display())));
        }
        take(number, line.trim_end_matches(['\r', '\n']))?;
    }
}

fn report(outcome: &AuditVerification, format: OutputFormat) -> Result<ExitCode, Failure> {
    output::line(match format {
        OutputFormat::Table => told(outcome),
        format => show::shown(&serde_json::to_value(outcome)?, format, &[])?,
    })?;
    Ok(if outcome.clean { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

fn told(outcome: &AuditVerification) -> String {
    let AuditVerification { sealed, unsealed, checkpoints, last_seq, last_hash, found, .. } = outcome;
    let mut lines = vec![
        format!("sealed entries    {sealed}, the last is {last_seq} with hash {last_hash}"),
        format!("unsealed entries  {unsealed}"),
    ];
    lines.extend(outcome.unsealed_ids.iter().map(|id| format!("  {id} has only its own digest to vouch for it")));
    let vouched = match (outcome.vouched_seq, outcome.vouched_at) {
        (Some(seq), Some(at)) => format!(", the last over entry {seq} of {}", at.floor_to_second()),
        _ => String::new(),
    };
    lines.push(format!("checkpoints       {checkpoints}{vouched}"));
    lines.extend(outcome.key_ids.iter().map(|key| format!("  signed by key {key}")));
    for finding in &outcome.findings {
        let place = finding.seq.map_or_else(|| "no place".to_owned(), |seq| seq.to_string());
        let id = finding.id.as_deref().map(|id| format!(" ({id})")).unwrap_or_default();
        lines.push(format!("FOUND {} at {place}{id}: {}", finding.kind, finding.message));
    }
    if *found > outcome.findings.len() as u64 {
        lines.push(format!("and {} more", found - outcome.findings.len() as u64));
    }
    lines.push(if outcome.clean {
        "The trail is whole.".to_owned()
    } else {
        format!("The trail is not what it was: {found} findings.")
    });
    lines.join("\n")
}
