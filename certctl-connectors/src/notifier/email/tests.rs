//! What stands in a message, whatever stands in a notice.

use certctl_core::connector::{Audience, ConnectorError, Notice, Severity};
use certctl_core::domain::{CertificateId, NotificationId};
use certctl_core::testing::ManualClock;
use serde_json::{Value, json};

use super::config::{Encryption, MailServer, address};
use super::message::message;
use super::*;

fn server(config: Value) -> Result<MailServer, ConfigError> {
    serde_json::from_value::<EmailConfig>(config).unwrap().validate()
}

fn plain() -> MailServer {
    server(json!({"smtp_host": "mail.example", "from_address": "certctl <certctl@example.com>"})).unwrap()
}

fn notice(subject: &str, text: &str) -> Notice {
    Notice {
        id: NotificationId::parse("ntf-1").unwrap(),
        event: "RenewalFailure",
        severity: Severity::Critical,
        certificate_id: Some(CertificateId::parse("mc-1").unwrap()),
        recipient: String::new(),
        subject: subject.to_owned(),
        message: text.to_owned(),
        html: None,
        created_at: ManualClock::START,
        attempt: 1,
    }
}

fn written(server: &MailServer, notice: &Notice) -> String {
    let to = [address("ops@example.com").unwrap()];
    String::from_utf8(message(server, &to, notice).unwrap()).unwrap()
}

/// The names of the headers in front of the parts, each with how often it stands there.
fn header_names(message: &str) -> Vec<&str> {
    let (head, _) = message.split_once("\r\n\r\n").unwrap();
    let mut names: Vec<_> = head
        .split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| line.split(':').next().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn a_message_has_its_headers_and_both_parts() {
    let message = written(&plain(), &notice("mc-1 was not renewed", "The CA refused.\nTry <again> & \"again\"."));
    for part in [
        "From: certctl <certctl@example.com>\r\n",
        "To: ops@example.com\r\n",
        "Subject: mc-1 was not renewed\r\n",
        "Date: Tue, 01 Jan 2030 00:00:00 +0000\r\n",
        "Message-ID: <ntf-1@example.com>\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Importance: high\r\n",
        "X-Certctl-Event: RenewalFailure\r\n",
        "Content-Type: multipart/alternative;",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Type: text/html; charset=utf-8",
        "The CA refused.\r\nTry <again> & \"again\".\r\n",
        "The CA refused.<br>",
        "Try &lt;again&gt; &amp; &quot;again&quot;.",
    ] {
        assert!(message.contains(part), "`{part}` is missing in:\n{message}");
    }
    assert!(!message.replace("\r\n", "").contains(['\r', '\n']), "a line ends otherwise than mail wants");
}

#[test]
fn no_subject_adds_a_header() {
    let usual = written(&plain(), &notice("usual", "text"));
    for subject in [
        "a\r\nBcc: all@example.com",
        "a\nBcc: all@example.com",
        "a\rBcc: all@example.com",
        "a\r\n\r\n<script>",
        "a\r\n Bcc: folded@example.com",
        "a\u{85}Bcc: all@example.com",
        "a\u{2028}Bcc: all@example.com",
        "Zürich\r\nBcc: all@example.com",
        "\0Bcc: all@example.com",
        &"ü".repeat(5_000),
        &"x".repeat(5_000),
        &"a\r\n".repeat(100),
        "\r\n",
        "",
    ] {
        let message = written(&plain(), &notice(subject, "text"));
        assert_eq!(header_names(&message), header_names(&usual), "{subject:?} made:\n{message}");
        let (head, _) = message.split_once("\r\n\r\n").unwrap();
        assert!(head.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n', '\0'])), "{head}");
    }
}

#[test]
fn no_text_leaves_its_part() {
    for text in [
        "\r\n.\r\nQUIT\r\n",
        "a\r.\rb",
        "--=_certctl_ntf-1--\r\n",
        "\0\u{1b}[31m",
        &"ü".repeat(20_000),
        &"x".repeat(20_000),
    ] {
        let message = written(&plain(), &notice("s", text));
        assert!(!message.replace("\r\n", "").contains(['\r', '\n', '\0', '\u{1b}']), "{text:?}");
        assert!(message.split("\r\n").all(|line| line.len() <= 998), "{text:?} has a line that is too long for mail");
    }
}

#[test]
fn an_address_is_one_plain_address() {
    for good in ["ops@example.com", " ops@example.com ", "o.p+s@mail.example.co", "o'brien@example.com"] {
        assert!(address(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "ops",
        "ops@",
        "@example.com",
        "ops@example.com\r\nDATA",
        "ops@example.com>\r\nRCPT TO:<all@example.com",
        "ops@example.com> SIZE=1",
        "ops@example.com,all@example.com",
        "ops@example.com all@example.com",
        "\"a\r\nb\"@example.com",
        "\"a b\"@example.com",
        "Ops <ops@example.com>",
        "öps@example.com",
        "ops@exämple.com",
        "ops@[127.0.0.1]",
        "ops@example.com\0",
        &format!("{}@example.com", "a".repeat(300)),
    ] {
        assert!(address(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn the_port_says_how_the_way_is_encrypted_unless_the_configuration_does() {
    let encryption = |port: u16, written: Value| {
        let config =
            json!({"smtp_host": "m", "smtp_port": port, "encryption": written, "from_address": "a@example.com"});
        server(config).unwrap().encryption
    };
    assert_eq!(encryption(587, Value::Null), Encryption::Starttls);
    assert_eq!(encryption(25, Value::Null), Encryption::Starttls);
    assert_eq!(encryption(465, Value::Null), Encryption::Implicit);
    assert_eq!(encryption(465, json!("starttls")), Encryption::Starttls);
    assert_eq!(encryption(25, json!("none")), Encryption::None);
}

#[test]
fn an_unusable_configuration_is_refused_where_it_is_wrong() {
    for (change, pointer) in [
        (json!({"smtp_host": ""}), "/smtp_host"),
        (json!({"smtp_host": "smtp://mail.example"}), "/smtp_host"),
        (json!({"smtp_port": 0}), "/smtp_port"),
        (json!({"username": "u"}), "/password"),
        (json!({"password": "p"}), "/username"),
        (json!({"username": "u\0v", "password": "p"}), "/username"),
        (json!({"username": "u", "password": "p", "encryption": "none"}), "/encryption"),
        (json!({"from_address": "nobody"}), "/from_address"),
        (json!({"from_address": "a\r\nBcc: b <c@example.com>"}), "/from_address"),
        (json!({"to": ["ops@example.com", "ops"]}), "/to/1"),
        (json!({"roots_pem": "no pem"}), "/roots_pem"),
        (json!({"hello_name": "a b"}), "/hello_name"),
    ] {
        let mut config = json!({"smtp_host": "mail.example", "from_address": "certctl@example.com"});
        config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(server(config.clone()).unwrap_err().pointer, pointer, "{config}");
    }
}

#[test]
fn without_addresses_of_its_own_it_writes_to_the_owner() {
    let audience = |config: Value| {
        let fakes = certctl_core::testing::FakePorts::seeded(1);
        let cx = certctl_core::testing::connector_context("mail", fakes.ports());
        let built: Result<_, ConnectorError> = Email::build(server(config).unwrap(), &cx);
        built.unwrap().audience()
    };
    let mut config = json!({"smtp_host": "mail.example", "from_address": "certctl@example.com"});
    assert_eq!(audience(config.clone()), Audience::Owner);
    config["to"] = json!(["a@example.com", "b@example.com", "a@example.com"]);
    let expected = ["a@example.com", "b@example.com"].map(str::to_owned).to_vec();
    assert_eq!(audience(config), Audience::Addresses(expected));
}
