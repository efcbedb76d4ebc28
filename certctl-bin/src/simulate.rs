//! `certctl simulate`: what would happen to the certificates of a store, which is only read.

use std::path::Path;

use certctl_core::domain::Timestamp;
use certctl_core::testing::sim::forecast::{
    ForecastConfig, ForecastError, ForecastReport, Happening, Moment, ToldBy, forecast,
};

use crate::arguments::SimulateArguments;
use crate::config::Environment;
use crate::failure::Failure;
use crate::{cli, compose, output};

/// Moments that people are shown; JSON has all of them.
const SHOWN: usize = 40;
/// The longest bar of the days.
const BAR: u64 = 50;

/// Simulates, and says what came of it.
pub(crate) async fn run(arguments: &SimulateArguments, environment: &Environment) -> Result<(), Failure> {
    let SimulateArguments { from, days, seed, at, lifetime_days, down, json } = arguments;
    // Said before the store is read, which may take a while.
    if !(1..=ForecastConfig::MOST_DAYS).contains(days) {
        return Err(Failure::usage(format!("--days: {}", ForecastError::Days(*days))));
    }
    let place = if Path::new(from).is_file() { format!("sqlite:{from}") } else { from.clone() };
    let config = cli::store_configuration("--from", &place, environment)?.validate()?;
    let copy = compose::store_copy(&config).await?;
    let begin = match at.as_deref() {
        None => None,
        Some("now") => Some(copy.now()),
        Some(text) => Some(Timestamp::parse_rfc3339(text).map_err(|error| Failure::usage(format!("--at: {error}")))?),
    };
    let wanted = ForecastConfig {
        from: begin,
        lifetime_days: *lifetime_days,
        down: down.iter().cloned().collect(),
        notifiers: config.notifiers.clone(),
        routes: config.routes.clone(),
        ..ForecastConfig::new(*days, *seed)
    };
    let report = forecast(&copy, &wanted).map_err(|error| match error {
        ForecastError::Days(_) => Failure::usage(format!("--days: {error}")),
        ForecastError::Lifetime(_) => Failure::usage(format!("--lifetime-days: {error}")),
        ForecastError::NobodyOfThatName(_) => Failure::usage(format!("--down: {error}")),
        error => error.into(),
    })?;
    output::line(if *json { serde_json::to_string_pretty(&report)? } else { told(&report) })
}

fn told(report: &ForecastReport) -> String {
    let parts = [Some(heading(report)), Some(expiring(report)), days(report), notifications(report), moments(report)];
    let assumptions = report.assumptions.iter().map(|said| format!("- {said}"));
    let assumed = format!("Taken for granted:\n{}", assumptions.collect::<Vec<_>>().join("\n"));
    parts.into_iter().flatten().chain([assumed]).collect::<Vec<_>>().join("\n\n")
}

fn heading(report: &ForecastReport) -> String {
    let (fleet, load) = (&report.certificates, &report.renewals);
    let mut lines = vec![
        format!("{} days from {} to {}, seed {}", report.days, second(report.from), second(report.to), report.seed),
        format!(
            "certificates  {}, of which {} renew by themselves; {} had expired before",
            fleet.total, fleet.renew_by_themselves, fleet.expired_already
        ),
        format!("agents        {} heard of, {} not", fleet.agents_online, fleet.agents_silent),
    ];
    if let Some(days) = report.lifetime_days {
        lines.push(format!("what if       no certificate is issued for more than {days} days"));
    }
    if !report.down.is_empty() {
        lines.push(format!("what if       nobody reaches {}", report.down.join(", ")));
    }
    let peak = load.peak_day.map(|day| format!(", at most {} on {day}", load.peak)).unwrap_or_default();
    let (whole, part) = (load.mean_hundredths / 100, load.mean_hundredths % 100);
    lines.push(format!("issued        {} versions: {whole}.{part:02} a day{peak}", load.issued));
    lines.push(format!("deployed      {}", load.deployed));
    lines.push(format!("failed jobs   {}", load.failed_jobs));
    lines.push(format!("told          {} notifications", report.notifications.total));
    lines.join("\n")
}

fn expiring(report: &ForecastReport) -> String {
    if report.expiring.is_empty() {
        return "No certificate would expire.".to_owned();
    }
    let mut lines = vec![format!("{} would expire:", report.expiring.len())];
    for expiry in &report.expiring {
        let renewed = expiry.renewed_at.map(|at| format!(", and be renewed on {}", second(at))).unwrap_or_default();
        lines.push(format!("  {} ({}) on {}{renewed}", expiry.certificate_id, expiry.name, second(expiry.expires_at)));
        lines.extend(expiry.reasons.iter().map(|reason| format!("    {}: {}", reason.gate, reason.reason)));
    }
    lines.join("\n")
}

/// A bar for each day on which something is issued.
fn days(report: &ForecastReport) -> Option<String> {
    let load = &report.renewals;
    let scale = load.peak.max(1);
    let bar = |issued: u64| "#".repeat(usize::try_from((issued * BAR).div_ceil(scale.max(BAR))).unwrap_or(0));
    let rows = load.per_day.iter().map(|day| vec![day.day.to_string(), day.issued.to_string(), bar(day.issued)]);
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| output::table(&["DAY", "ISSUED", ""], &rows))
}

fn notifications(report: &ForecastReport) -> Option<String> {
    let cells =
        |by: &ToldBy| vec![by.event.to_string(), by.severity.to_string(), by.notifier.clone(), by.count.to_string()];
    let rows: Vec<_> = report.notifications.by.iter().map(cells).collect();
    (!rows.is_empty()).then(|| output::table(&["TOLD", "SEVERITY", "BY", "COUNT"], &rows))
}

/// What somebody should know of.
fn moments(report: &ForecastReport) -> Option<String> {
    let notable: Vec<_> = report.timeline.iter().filter(|moment| moment.what != Happening::Issued).collect();
    let cells = |moment: &&Moment| {
        let what = moment.what.to_string();
        vec![second(moment.at), what, moment.certificate_id.to_string(), moment.detail.clone()]
    };
    let rows: Vec<_> = notable.iter().take(SHOWN).map(cells).collect();
    if rows.is_empty() {
        return None;
    }
    let table = output::table(&["AT", "WHAT", "CERTIFICATE", "DETAIL"], &rows);
    let more = notable.len().saturating_sub(SHOWN);
    Some(if more == 0 { table } else { format!("{table}\nand {more} more; --json has all of them") })
}

fn second(at: Timestamp) -> String {
    at.floor_to_second().to_string()
}
