//! E-mail to a real server, read by a parser that is not ours.

use certctl_core::connector::{ConnectorError, ConnectorErrorKind, Notice};
use serde_json::{Value, json};

use super::mail_server::{MailServer, Mode, foreign_root};
use super::{notice, notifier, run};

pub(super) const CASES: &[(&str, fn())] = &[
    ("starttls_delivers", || delivers(Mode::Starttls)),
    ("implicit_tls_delivers", || delivers(Mode::Implicit)),
    ("a_wrong_password_is_a_matter_of_credentials", a_wrong_password_is_a_matter_of_credentials),
    ("a_server_that_cannot_be_trusted_gets_nothing", a_server_that_cannot_be_trusted_gets_nothing),
    ("a_server_without_starttls_gets_nothing", a_server_without_starttls_gets_nothing),
    ("without_encryption_it_is_delivered_when_that_is_configured", without_encryption_it_is_delivered),
    ("no_name_adds_a_header_or_a_recipient", no_name_adds_a_header_or_a_recipient),
    ("a_page_that_comes_with_a_notice_is_its_second_part", a_page_that_comes_with_a_notice_is_its_second_part),
    ("a_mailbox_that_is_not_there_is_said", a_mailbox_that_is_not_there_is_said),
];

const LOOPBACK: &[&str] = &["127.0.0.0/8", "::1/128"];

fn config(server: &MailServer, mode: Mode) -> Value {
    json!({
        "smtp_host": "localhost",
        "smtp_port": server.port,
        "encryption": if matches!(mode, Mode::Implicit) { "implicit" } else { "starttls" },
        "username": "certctl",
        "password": "s3cret",
        "from_address": "Zertifikate für alle <certctl@example.com>",
        "roots_pem": server.root_pem,
    })
}

fn send(config: &Value, notice: &Notice) -> Result<(), ConnectorError> {
    run(notifier("Email", config, LOOPBACK).send(notice))
}

fn header<'a>(taken: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = taken["headers"].as_array().unwrap().iter();
    headers.filter(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap()).collect()
}

fn delivers(mode: Mode) {
    let server = MailServer::start(mode);
    let notice = Notice {
        subject: format!("Zürich ☂ {}", "war lange nicht zu erneuern ".repeat(6).trim_end()),
        message: "The CA said:\n.\n..\n<b>no</b> & ü\n".to_owned(),
        ..notice()
    };
    send(&config(&server, mode), &notice).unwrap();
    let [taken] = <[Value; 1]>::try_from(server.taken()).unwrap();
    assert_eq!((&taken["from"], &taken["to"]), (&json!("certctl@example.com"), &json!(["ops@example.com"])));
    assert_eq!((&taken["encrypted"], &taken["user"]), (&json!(true), &json!("certctl")));
    assert_eq!(taken["defects"], json!([]));
    assert_eq!(header(&taken, "Subject"), [notice.subject.as_str()]);
    assert_eq!(header(&taken, "From"), ["Zertifikate für alle <certctl@example.com>"]);
    assert_eq!(header(&taken, "To"), ["ops@example.com"]);
    assert_eq!(header(&taken, "Message-ID"), ["<ntf-1@example.com>"]);
    assert_eq!(header(&taken, "Date"), ["Sun, 17 Mar 2030 17:46:40 +0000"]);
    assert_eq!(header(&taken, "Auto-Submitted"), ["auto-generated"]);
    let part = |kind: &str| taken["parts"][kind].as_str().unwrap().replace("\r\n", "\n");
    assert!(part("text/plain").starts_with("The CA said:\n.\n..\n<b>no</b> & ü\n"), "{}", part("text/plain"));
    let html = part("text/html");
    assert!(html.contains("&lt;b&gt;no&lt;/b&gt; &amp; ü") && !html.contains("<b>"), "{html}");
}

fn a_wrong_password_is_a_matter_of_credentials() {
    for mode in [Mode::Starttls, Mode::Implicit] {
        let server = MailServer::start(mode);
        let mut config = config(&server, mode);
        config["password"] = json!("wr0ng");
        let error = send(&config, &notice()).unwrap_err();
        assert_eq!(error.kind, ConnectorErrorKind::Auth, "{error}");
        assert!(!error.explained().contains("wr0ng"));
        assert!(server.taken().is_empty());
    }
}

fn a_server_that_cannot_be_trusted_gets_nothing() {
    for mode in [Mode::Starttls, Mode::Implicit] {
        let server = MailServer::start(mode);
        let good = config(&server, mode);
        let mut public = good.clone();
        public.as_object_mut().unwrap().remove("roots_pem");
        let mut foreign = good.clone();
        foreign["roots_pem"] = json!(foreign_root());
        // The same server by a name that its certificate does not have.
        let mut misnamed = good.clone();
        misnamed["smtp_host"] = json!("127.1");
        for config in [public, foreign, misnamed] {
            let error = send(&config, &notice()).unwrap_err();
            assert_eq!(error.kind, ConnectorErrorKind::Unreachable, "{error}");
            assert!(error.to_string().starts_with("no TLS with"), "{error}");
        }
        assert!(server.taken().is_empty());
        send(&good, &notice()).unwrap();
        assert_eq!(server.taken().len(), 1);
    }
}

fn a_server_without_starttls_gets_nothing() {
    let server = MailServer::start(Mode::Plain);
    let error = send(&config(&server, Mode::Starttls), &notice()).unwrap_err();
    assert!(error.to_string().contains("does not offer STARTTLS"), "{error}");
    assert!(server.taken().is_empty());
}

fn without_encryption_it_is_delivered() {
    let server = MailServer::start(Mode::Plain);
    let config = json!({
        "smtp_host": "127.0.0.1",
        "smtp_port": server.port,
        "encryption": "none",
        "from_address": "certctl@example.com",
        "to": ["a@example.com", "b@example.com"],
    });
    send(&config, &Notice { recipient: String::new(), ..notice() }).unwrap();
    assert_eq!(server.taken()[0]["to"], json!(["a@example.com", "b@example.com"]));
    assert_eq!(server.taken()[0]["encrypted"], false);
}

fn no_name_adds_a_header_or_a_recipient() {
    let server = MailServer::start(Mode::Starttls);
    let config = config(&server, Mode::Starttls);
    let evil = "shop\r\nBcc: all@example.com\r\n\r\nboo\r\n.\r\nMAIL FROM:<x@example.com>";
    let notices = [
        Notice { subject: evil.to_owned(), ..notice() },
        Notice { message: evil.to_owned(), ..notice() },
        Notice { subject: evil.replace("\r\n", "\n"), message: evil.replace("\r\n", "\r"), ..notice() },
    ];
    for (sent, notice) in notices.iter().enumerate() {
        send(&config, notice).unwrap();
        let taken = server.taken();
        assert_eq!(taken.len(), sent + 1, "one message became several");
        assert_eq!(taken[sent]["to"], json!(["ops@example.com"]));
        assert!(header(&taken[sent], "Bcc").is_empty(), "{}", taken[sent]["headers"]);
        assert_eq!(taken[sent]["defects"], json!([]));
    }
    for recipient in ["ops@example.com\r\nRCPT TO:<all@example.com>", "ops@example.com> NOTIFY=NEVER", "a@b, c@d"] {
        let error = send(&config, &Notice { recipient: recipient.to_owned(), ..notice() }).unwrap_err();
        assert_eq!(error.kind, ConnectorErrorKind::Permanent, "{error}");
    }
    assert_eq!(server.taken().len(), notices.len());
}

fn a_page_that_comes_with_a_notice_is_its_second_part() {
    let server = MailServer::start(Mode::Implicit);
    let page = format!("<!DOCTYPE html>\n<p>{}</p>\n<p>.</p>\n.\n", "Übersicht — ".repeat(200));
    let notice = Notice { event: "Digest", certificate_id: None, html: Some(page.clone()), ..notice() };
    send(&config(&server, Mode::Implicit), &notice).unwrap();
    let taken = server.taken();
    assert_eq!(taken[0]["defects"], json!([]));
    assert_eq!(taken[0]["parts"]["text/html"].as_str().unwrap().replace("\r\n", "\n"), page);
    assert!(taken[0]["parts"]["text/plain"].as_str().unwrap().starts_with("The CA refused the order."));
}

fn a_mailbox_that_is_not_there_is_said() {
    let server = MailServer::start(Mode::Starttls);
    let notice = Notice { recipient: "nobody@example.com".to_owned(), ..notice() };
    let error = send(&config(&server, Mode::Starttls), &notice).unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Permanent);
    assert_eq!(error.to_string(), "the mail server answered 550 (5.1.1) to RCPT TO");
    assert!(server.taken().is_empty());
}
