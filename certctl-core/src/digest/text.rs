//! The digest as plain text.

use std::fmt::Write as _;

use super::Digest;

pub(super) fn page(digest: &Digest) -> String {
    let mut page = String::new();
    for (name, count) in digest.counts() {
        let _ = writeln!(page, "{name}: {count}");
    }
    page.push_str("\nCertificates by status\n");
    for (name, count) in digest.statuses() {
        let _ = writeln!(page, "  {name}: {count}");
    }
    page.push_str("\nExpiring within 30 days\n");
    for one in &digest.expiring {
        let (name, days) = (one_line(&one.common_name), digest.days_left(one));
        let _ =
            writeln!(page, "  {} ({name}), owner {}: ends {}, {days} days left", one.id, one.owner_id, one.expires_at);
    }
    rest(&mut page, digest.expiring.len(), digest.further_expiring());
    let _ = writeln!(page, "\nFailures since {}", digest.since);
    for one in &digest.failures {
        let _ = writeln!(page, "  {} of {} ({}): {}", one.kind, one.certificate_id, one.id, one_line(&one.error));
    }
    rest(&mut page, digest.failures.len(), digest.further_failures());
    page
}

fn rest(page: &mut String, listed: usize, further: u64) {
    if listed == 0 {
        page.push_str("  none\n");
    }
    if further > 0 {
        let _ = writeln!(page, "  and {further} more");
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
