//! A mail server that speaks from a script.

#![expect(clippy::unwrap_used, reason = "a subject that cannot be set up fails its cases")]

use certctl_core::ports::TlsTerms;
use certctl_core::testing::notifier::{Reaction, Subject, Unusable};
use certctl_core::testing::{FakePorts, Peer};
use serde_json::{Value, json};

/// How the way to the server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Email {
    Starttls,
    Implicit,
}

const HOST: &str = "mail.example";
const PASSWORD: &str = "the-password-of-the-sender";

impl Email {
    fn port(self) -> u16 {
        if self == Self::Implicit { 465 } else { 587 }
    }
}

impl Subject for Email {
    fn config(&self) -> Value {
        json!({
            "smtp_host": HOST,
            "smtp_port": self.port(),
            "username": "certctl",
            "password": PASSWORD,
            "from_address": "certctl <certctl@example.com>",
        })
    }

    fn secrets(&self) -> Vec<String> {
        vec![PASSWORD.to_owned()]
    }

    fn unusable(&self) -> Vec<Unusable> {
        let with = |member: &str, value: Value| {
            let mut config = self.config();
            config[member] = value;
            config
        };
        vec![
            Unusable::at("/smtp_host", with("smtp_host", json!("https://mail.example"))),
            Unusable::at("/encryption", with("encryption", json!("none"))),
            Unusable::at("/from_address", with("from_address", json!("certctl"))),
            Unusable::at("/username", with("username", Value::Null)),
        ]
    }

    fn says_how_long(&self) -> bool {
        false
    }

    fn react(&self, world: &FakePorts, reaction: Reaction) {
        let implicit = *self == Self::Implicit;
        let peer = move || -> Box<dyn Peer> {
            Box::new(Server { reaction, implicit, secured: false, in_data: false, heard: Vec::new() })
        };
        world.dialer.serve(HOST, self.port(), peer);
    }

    fn received(&self, world: &FakePorts) -> Vec<String> {
        let heard = world.dialer.heard().into_iter().map(|bytes| String::from_utf8(bytes).unwrap());
        heard.filter_map(|text| Some(text.split_once("DATA\r\n")?.1.split("\r\n.\r\n").next()?.to_owned())).collect()
    }
}

struct Server {
    reaction: Reaction,
    implicit: bool,
    secured: bool,
    in_data: bool,
    heard: Vec<u8>,
}

impl Server {
    fn greets(&self) -> Vec<u8> {
        if self.reaction == Reaction::Vanish { Vec::new() } else { b"220 mail.example ESMTP\r\n".to_vec() }
    }

    fn answer(&self, command: &str) -> &'static str {
        let verb = command.split([' ', ':']).next().unwrap_or_default();
        match (verb, self.reaction) {
            ("EHLO", _) if self.secured => "250-mail.example\r\n250-SIZE 1000000\r\n250 AUTH LOGIN PLAIN\r\n",
            ("EHLO", _) => "250-mail.example\r\n250 STARTTLS\r\n",
            ("STARTTLS", _) if !self.secured => "220 go ahead\r\n",
            ("AUTH", Reaction::RefuseCredentials) => "535 5.7.8 the-password-of-the-sender is wrong\r\n",
            // `certctl` and the password, as PLAIN writes them.
            ("AUTH", _) if command == "AUTH PLAIN AGNlcnRjdGwAdGhlLXBhc3N3b3JkLW9mLXRoZS1zZW5kZXI=" => {
                "235 2.7.0 ok\r\n"
            }
            ("MAIL", _) if !self.secured => "530 5.7.0 Must issue a STARTTLS command first\r\n",
            ("MAIL", Reaction::Throttle(_)) => "450 4.7.1 too many messages\r\n",
            ("RCPT", Reaction::Reject) => "550 5.1.1 no the-password-of-the-sender here\r\n",
            ("MAIL" | "RCPT", _) => "250 2.1.0 ok\r\n",
            ("DATA", _) => "354 go on\r\n",
            ("QUIT", _) => "221 bye\r\n",
            _ => "503 5.5.1 out of turn\r\n",
        }
    }
}

impl Peer for Server {
    fn greeting(&mut self) -> Vec<u8> {
        if self.implicit { Vec::new() } else { self.greets() }
    }

    fn hear(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.heard.extend_from_slice(bytes);
        if self.in_data {
            if !self.heard.ends_with(b"\r\n.\r\n") {
                return Some(Vec::new());
            }
            (self.in_data, self.heard) = (false, Vec::new());
            let answer =
                if self.reaction == Reaction::Fail { "451 4.3.0 try again\r\n" } else { "250 2.0.0 taken\r\n" };
            return Some(answer.as_bytes().to_vec());
        }
        let command = String::from_utf8(std::mem::take(&mut self.heard)).unwrap();
        let answer = self.answer(command.trim_end());
        self.in_data = answer.starts_with("354");
        Some(answer.as_bytes().to_vec())
    }

    fn secured(&mut self, terms: &TlsTerms) -> Option<Vec<u8>> {
        (!self.secured && terms.server_name == HOST).then(|| {
            self.secured = true;
            if self.implicit { self.greets() } else { Vec::new() }
        })
    }
}
