//! The digest as HTML: tables and inline styles, because mail clients know little else, and every value escaped.

use std::fmt::Write as _;

use super::Digest;

const CELL: &str = "padding:6px 8px;border-bottom:1px solid #dddddd;text-align:left;vertical-align:top;font-size:13px";
const HEAD: &str = "padding:6px 8px;border-bottom:2px solid #1f3a5f;text-align:left;font-size:12px;color:#555555";
const TABLE: &str = "width:100%;border-collapse:collapse;margin:0 0 8px 0";
const TITLE: &str = "padding:16px 0 6px 0;font-size:16px;font-weight:bold;color:#1f3a5f";

pub(super) fn page(digest: &Digest) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body style=\"margin:0;padding:0;background-color:#f4f4f4\">\n\
         <table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" style=\"background-color:#f4f4f4\">\n\
         <tr><td align=\"center\" style=\"padding:16px\">\n\
         <table role=\"presentation\" width=\"680\" cellpadding=\"0\" cellspacing=\"0\" \
         style=\"width:680px;max-width:100%;background-color:#ffffff;font-family:Arial,Helvetica,sans-serif;color:#222222\">\n\
         <tr><td style=\"padding:16px 20px;background-color:#1f3a5f;color:#ffffff;font-size:18px\">{title}</td></tr>\n\
         <tr><td style=\"padding:4px 20px 20px 20px\">\n",
        title = escaped(&digest.subject()),
    );
    let counts = digest.counts().into_iter().map(|(name, count)| vec![name.to_owned(), count.to_string()]);
    table(&mut page, "Counts", &["", ""], counts);
    let statuses = digest.statuses().map(|(name, count)| vec![name.to_owned(), count.to_string()]);
    table(&mut page, "Certificates by status", &["Status", "Certificates"], statuses);
    let expiring = digest.expiring.iter().map(|one| {
        let days = digest.days_left(one).to_string();
        vec![one.id.to_string(), one.common_name.clone(), one.owner_id.to_string(), one.expires_at.to_string(), days]
    });
    let heads = ["Certificate", "Common name", "Owner", "Ends", "Days left"];
    table(&mut page, "Expiring within 30 days", &heads, expiring);
    further(&mut page, digest.further_expiring());
    let failures = digest
        .failures
        .iter()
        .map(|one| vec![one.id.to_string(), one.certificate_id.to_string(), one.kind.to_string(), one.error.clone()]);
    let title = format!("Failures since {}", digest.since);
    table(&mut page, &title, &["Job", "Certificate", "Type", "Error"], failures);
    further(&mut page, digest.further_failures());
    page.push_str("</td></tr>\n</table>\n</td></tr>\n</table>\n</body>\n</html>\n");
    page
}

/// A table with its title; `none` where it has no rows.
fn table(page: &mut String, title: &str, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let _ = write!(
        page,
        "<div style=\"{TITLE}\">{}</div>\n<table cellpadding=\"0\" cellspacing=\"0\" style=\"{TABLE}\">\n",
        escaped(title)
    );
    if heads.iter().any(|head| !head.is_empty()) {
        page.push_str("<tr>");
        for head in heads {
            let _ = write!(page, "<th style=\"{HEAD}\">{}</th>", escaped(head));
        }
        page.push_str("</tr>\n");
    }
    let mut any = false;
    for row in rows {
        any = true;
        page.push_str("<tr>");
        for value in row {
            let _ = write!(page, "<td style=\"{CELL}\">{}</td>", escaped(&value));
        }
        page.push_str("</tr>\n");
    }
    if !any {
        let _ = writeln!(page, "<tr><td colspan=\"{}\" style=\"{CELL}\">none</td></tr>", heads.len());
    }
    page.push_str("</table>\n");
}

fn further(page: &mut String, count: u64) {
    if count > 0 {
        let _ = writeln!(page, "<div style=\"font-size:12px;color:#555555\">and {count} more</div>");
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
