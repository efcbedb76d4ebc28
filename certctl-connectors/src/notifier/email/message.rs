//! A notice as a message: text and HTML, with headers that no text can break out of.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use certctl_core::connector::{ConnectorError, Notice, Severity};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

use super::config::MailServer;

/// The longest subject, in characters.
const MAX_SUBJECT: usize = 250;

/// The message to these addresses, as it is sent.
pub(super) fn message(server: &MailServer, to: &[Address], notice: &Notice) -> Result<Vec<u8>, ConnectorError> {
    let seconds = u64::try_from(notice.created_at.unix_seconds()).unwrap_or(0);
    let mut builder = Message::builder()
        .from(server.from.clone())
        .subject(subject(notice))
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        // The same on every attempt, so that mailboxes drop repetitions.
        .message_id(Some(format!("<{}@{}>", notice.id, server.from.email.domain())))
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Certctl-Notification", notice.id.as_str()))
        .raw_header(header("X-Certctl-Event", notice.event));
    if notice.severity == Severity::Critical {
        builder = builder.raw_header(header("Importance", "high"));
    }
    for address in to {
        builder = builder.to(Mailbox::new(None, address.clone()));
    }
    // A boundary of its own for each notice: nothing in it is random, so that attempts are alike.
    let parts = MultiPart::alternative()
        .boundary(format!("=_certctl_{}", notice.id))
        .singlepart(SinglePart::plain(text(notice)))
        .singlepart(SinglePart::html(notice.html.clone().unwrap_or_else(|| html(notice))));
    let message = builder
        .multipart(parts)
        .map_err(|error| ConnectorError::permanent("the notice cannot be written as a message").because(error))?;
    Ok(message.formatted())
}

/// A name and a value that are ours.
fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), line(value))
}

/// One line: whatever breaks lines or is invisible is a blank.
fn line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let text: String = text.chars().map(|c| if breaks(c) { ' ' } else { c }).collect();
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn subject(notice: &Notice) -> String {
    let subject: String = line(&notice.subject).chars().take(MAX_SUBJECT).collect();
    if subject.is_empty() { notice.event.to_owned() } else { subject }
}

/// Lines end as mail wants it, and other control characters are left out.
fn lines(text: &str) -> impl Iterator<Item = String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<String> =
        text.split('\n').map(|line| line.chars().filter(|c| *c == '\t' || !c.is_control()).collect()).collect();
    lines.into_iter()
}

/// What is said besides the message.
fn facts(notice: &Notice) -> Vec<(&'static str, String)> {
    let certificate = notice.certificate_id.as_ref().map(|id| ("Certificate", id.to_string()));
    let event = [("Event", notice.event.to_owned()), ("Severity", notice.severity.to_string())];
    let rest = [("Time", notice.created_at.to_string()), ("Notification", notice.id.to_string())];
    event.into_iter().chain(certificate).chain(rest).collect()
}

fn text(notice: &Notice) -> String {
    let mut text: String = lines(&notice.message).map(|line| line + "\n").collect();
    text.push_str("\n-- \n");
    for (name, value) in facts(notice) {
        text.push_str(&format!("{name}: {}\n", line(&value)));
    }
    text
}

/// Tables and inline styles, because mail clients know little else.
fn html(notice: &Notice) -> String {
    let color = match notice.severity {
        Severity::Informational => "#2e7d32",
        Severity::Warning => "#b26a00",
        Severity::Critical => "#b00020",
    };
    let message: Vec<String> = lines(&notice.message).map(|line| escaped(&line)).collect();
    let mut rows = String::new();
    for (name, value) in facts(notice) {
        let value = escaped(&line(&value));
        let _ = writeln!(
            rows,
            "<tr><td style=\"padding:2px 12px 2px 0;color:#666666\">{name}</td><td style=\"padding:2px 0\">{value}</td></tr>"
        );
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body style=\"margin:0;padding:16px;font-family:Arial,Helvetica,sans-serif;font-size:14px;color:#222222\">\n\
         <table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" style=\"border-collapse:collapse\">\n\
         <tr><td style=\"border-left:4px solid {color};padding:4px 12px;font-size:16px\"><strong>{title}</strong></td></tr>\n\
         <tr><td style=\"padding:12px 0\">{message}</td></tr>\n\
         <tr><td style=\"border-top:1px solid #dddddd;padding-top:8px;font-size:12px\">\
         <table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\">\n{rows}</table></td></tr>\n\
         </table></body></html>\n",
        title = escaped(&subject(notice)),
        message = message.join("<br>\n"),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
