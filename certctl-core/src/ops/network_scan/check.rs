//! What networks and limits a target may have.

use std::time::Duration;

use crate::discovery::{InvalidScanRange, NetworkPlan, ScanPolicy, ScanRange};
use crate::domain::NetworkScanTarget;
use crate::error::Error;
use crate::ops::check;

/// The most networks and the most ports of one target.
const MOST: usize = 64;
/// The most endpoints of one target: an hour of waiting where every one of them is silent for five seconds would not do.
const MOST_ENDPOINTS: u128 = 1 << 18;

/// What every target must be.
pub(super) fn check(target: &NetworkScanTarget) -> Result<(), Error> {
    check::name("/name", &target.name, 255)?;
    check::within("/scan_interval_hours", target.scan_interval_hours, 1..=8_760)?;
    check::within("/timeout_ms", target.timeout_ms, 50..=60_000)?;
    let many = |pointer: &str, count: usize| {
        let detail = format!("name 1 to {MOST}; there are {count}");
        if (1..=MOST).contains(&count) { Ok(()) } else { Err(Error::invalid_field(pointer, "out_of_range", detail)) }
    };
    many("/cidrs", target.cidrs.len())?;
    many("/ports", target.ports.len())?;
    if let Some(index) = target.ports.iter().position(|port| *port == 0) {
        let detail = "0 is no TCP port; name one from 1 to 65535";
        return Err(Error::invalid_field(format!("/ports/{index}"), "out_of_range", detail));
    }
    let endpoints = plan(target)?.endpoints();
    if endpoints > MOST_ENDPOINTS {
        let detail = format!(
            "these are {endpoints} addresses and ports, and one search looks at {MOST_ENDPOINTS} at most; \
                              make several targets of them"
        );
        return Err(Error::invalid_field("/cidrs", "too_many", detail));
    }
    Ok(())
}

/// How a target is searched.
///
/// # Errors
/// The place of a network that may not be searched.
pub(crate) fn plan(target: &NetworkScanTarget) -> Result<NetworkPlan, Error> {
    let ranges = target.cidrs.iter().enumerate().map(|(index, text)| {
        ScanRange::parse(text.trim(), ScanPolicy::default()).map_err(|error| {
            let code = match &error {
                InvalidScanRange::TooLarge(_) => "too_large",
                InvalidScanRange::Reserved { .. } => "reserved_range",
                InvalidScanRange::Cidr(_) => "invalid_cidr",
            };
            Error::invalid_field(format!("/cidrs/{index}"), code, error.to_string())
        })
    });
    let ranges = ranges.collect::<Result<Vec<_>, Error>>()?;
    let timeout = Duration::from_millis(u64::try_from(target.timeout_ms).unwrap_or(1).max(1));
    Ok(NetworkPlan::new(ranges, target.ports.0.clone(), timeout))
}
