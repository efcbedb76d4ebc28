//! Every way of writing an address of this host or its link is refused, and nobody is called.

use std::net::TcpListener;

use certctl_core::connector::ConnectorErrorKind;
use serde_json::json;

use super::{notice, notifier, run};

pub(super) const CASES: &[(&str, fn())] = &[
    ("egress::a_webhook_reaches_neither_this_host_nor_its_link", a_webhook_reaches_neither_this_host_nor_its_link),
    ("egress::a_mail_server_is_neither_this_host_nor_on_its_link", a_mail_server_is_neither_this_host_nor_on_its_link),
    ("egress::what_is_allowed_is_reached", what_is_allowed_is_reached),
];

/// Hosts as a URL may write them. Names are only those that every host knows.
const HOSTS: &[&str] = &[
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "0X7F.0X0.0X0.0X1",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.01",
    "00000177.1",
    "127.0x0.0.1",
    "127%2e0%2e0%2e1",
    "%31%32%37.0.0.1",
    "１２７.0.0.1",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "127．0．0．1",
    "localhost",
    "LOCALHOST",
    "ｌｏｃａｌｈｏｓｔ",
    "0.0.0.0",
    "0",
    "0x0",
    "0.0.0.1",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    "169.254.169.254",
    "169.254.0.1",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "169.16689662",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "[fe80::1]",
    "[febf:ffff::1]",
    "[fd00:ec2::254]",
    "100.100.100.200",
    "192.0.0.192",
    "224.0.0.1",
    "255.255.255.255",
    "[ff02::1]",
];

/// URLs whose host is not where it seems to be.
const URLS: &[&str] = &[
    "http:\\\\127.0.0.1:PORT\\",
    "http:127.0.0.1:PORT/",
    "http:/127.0.0.1:PORT/",
    "http:///127.0.0.1:PORT/",
    "http://127.0.0.1:PORT\\@hooks.example/",
    "http://127.0.0.1:PORT#@hooks.example/",
    "http://127.0.0.1:PORT?@hooks.example/",
    "  http://127.0.0.1:PORT/  ",
    "ht\ntp://127.0.\t0.1:PORT/",
    "HTTP://127.0.0.1:PORT/",
    "https://127.0.0.1:PORT/",
];

/// A listener that would be reached if the guard let anybody through.
fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn a_webhook_reaches_neither_this_host_nor_its_link() {
    let (listener, port) = listener();
    let hosts = HOSTS.iter().map(|host| format!("http://{host}:{port}/"));
    let urls = URLS.iter().map(|url| url.replace("PORT", &port.to_string()));
    let forms: Vec<_> = hosts.chain(urls).collect();
    assert!(forms.len() >= 40);
    for url in forms {
        let webhook = notifier("Webhook", &json!({ "url": url }), &[]);
        let error = run(webhook.send(&notice())).expect_err(&url);
        assert_eq!(error.kind, ConnectorErrorKind::Permanent, "{url}: {error}");
        assert!(error.to_string().contains("must not call"), "{url}: {error}");
        assert!(listener.accept().is_err(), "{url} reached this host");
    }
}

fn a_mail_server_is_neither_this_host_nor_on_its_link() {
    let (listener, port) = listener();
    let plain = ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "localhost", "LOCALHOST"];
    let others =
        ["::1", "[::1]", "::ffff:127.0.0.1", "0.0.0.0", "::", "169.254.169.254", "fe80::1", "64:ff9b::a9fe:a9fe"];
    for host in plain.iter().chain(&others) {
        let config = json!({ "smtp_host": host, "smtp_port": port, "from_address": "certctl@example.com" });
        let error = run(notifier("Email", &config, &[]).send(&notice())).expect_err(host);
        assert_eq!(error.kind, ConnectorErrorKind::Permanent, "{host}: {error}");
        assert!(error.to_string().contains("must not call"), "{host}: {error}");
        assert!(listener.accept().is_err(), "{host} reached this host");
    }
}

/// The same listener is reached where an operator allows it: what is refused above is refused by the guard.
fn what_is_allowed_is_reached() {
    let (listener, port) = listener();
    let webhook = notifier("Webhook", &json!({ "url": format!("http://0x7f.1:{port}/") }), &["127.0.0.0/8"]);
    run(async {
        let sending = tokio::spawn(async move { webhook.send(&notice()).await });
        let mut reached = false;
        for _ in 0..200 {
            reached = listener.accept().is_ok();
            if reached {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert!(reached, "nobody came");
        let error = sending.await.unwrap().expect_err("it was hung up on");
        assert_eq!(error.kind, ConnectorErrorKind::Unreachable, "{error}");
    });
}
