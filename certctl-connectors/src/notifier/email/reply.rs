//! What a mail server says (RFC 5321 §4.2).

use certctl_core::connector::{ConnectorError, ConnectorErrorKind};

/// The longest reply that is read, in octets.
pub(super) const MAX_REPLY: usize = 64 * 1024;

/// A whole reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    /// The text of each line.
    pub(super) lines: Vec<String>,
}

impl Reply {
    /// Takes a whole reply from the front of what was read; `Ok(None)` while it is not whole.
    ///
    /// # Errors
    /// What came is no reply.
    pub(super) fn take(read: &mut Vec<u8>) -> Result<Option<Self>, NoReply> {
        let (mut lines, mut begun, mut code) = (Vec::new(), 0, None);
        while let Some(length) = read.get(begun..).and_then(|rest| rest.iter().position(|octet| *octet == b'\n')) {
            let line = read.get(begun..begun + length).unwrap_or_default();
            begun += length + 1;
            let line = String::from_utf8_lossy(line).trim_end_matches('\r').to_owned();
            let digits = line.get(..3).filter(|digits| digits.bytes().all(|octet| octet.is_ascii_digit()));
            let number: u16 = digits.and_then(|digits| digits.parse().ok()).ok_or(NoReply)?;
            if !(200..600).contains(&number) || code.is_some_and(|code| code != number) {
                return Err(NoReply);
            }
            code = Some(number);
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            match line.as_bytes().get(3) {
                Some(b'-') => {}
                None | Some(b' ') => {
                    read.drain(..begun);
                    return Ok(Some(Self { code: number, lines }));
                }
                Some(_) => return Err(NoReply),
            }
        }
        if read.len() > MAX_REPLY { Err(NoReply) } else { Ok(None) }
    }

    /// Whether the reply to EHLO offers this (RFC 5321 §4.1.1.1), with its parameters.
    pub(super) fn offers(&self, keyword: &str) -> Option<Vec<String>> {
        self.lines.iter().skip(1).find_map(|line| {
            // `AUTH=LOGIN` is what some old servers write.
            let mut words = line.split([' ', '=']).map(str::to_ascii_uppercase);
            (words.next()? == keyword).then(|| words.collect())
        })
    }

    /// The error that this reply to a step stands for. Of its text only the enhanced status code (RFC 3463) is repeated.
    pub(super) fn refusal(&self, step: &str) -> ConnectorError {
        let status = self.lines.first().and_then(|line| line.split(' ').next()).filter(|word| enhanced(word));
        let shown = status.map(|status| format!(" ({status})")).unwrap_or_default();
        let signing_in = step == "AUTH";
        let (kind, advice) = match self.code {
            // Greylisting and limits of how many messages may come are policies (RFC 3463 §3.8).
            400..=499 if status.is_some_and(|status| status.starts_with("4.7.")) => {
                (ConnectorErrorKind::Quota, "; it wants to be asked later")
            }
            400..=499 => (ConnectorErrorKind::Transient, ""),
            530 | 534 | 535 | 538 => (ConnectorErrorKind::Auth, "; check username and password"),
            500..=599 if signing_in => (ConnectorErrorKind::Auth, "; check username and password"),
            _ => (ConnectorErrorKind::Permanent, ""),
        };
        ConnectorError::new(kind, format!("the mail server answered {}{shown} to {step}{advice}", self.code))
    }
}

/// `class.subject.detail`.
fn enhanced(word: &str) -> bool {
    let parts: Vec<_> = word.split('.').collect();
    let number = |part: &&str| !part.is_empty() && part.len() <= 3 && part.bytes().all(|octet| octet.is_ascii_digit());
    parts.len() == 3 && parts.iter().all(number)
}

/// What came is no reply of a mail server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoReply;

#[cfg(test)]
mod tests {
    use super::*;

    fn take(text: &str) -> (Result<Option<Reply>, NoReply>, String) {
        let mut read = text.as_bytes().to_vec();
        let taken = Reply::take(&mut read);
        (taken, String::from_utf8(read).unwrap())
    }

    #[test]
    fn a_reply_ends_with_the_line_without_a_hyphen() {
        let (reply, rest) = take("250-mail.example\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n220 next");
        let reply = reply.unwrap().unwrap();
        assert_eq!((reply.code, rest.as_str()), (250, "220 next"));
        assert_eq!(reply.offers("STARTTLS"), Some(vec![]));
        assert_eq!(reply.offers("AUTH"), Some(vec!["PLAIN".to_owned(), "LOGIN".to_owned()]));
        assert_eq!(reply.offers("SIZE"), None);
        for open in ["", "250", "250-a\r\n", "250-a\r\n250 b\r"] {
            assert_eq!(take(open).0, Ok(None), "{open:?}");
        }
        assert_eq!(take("354\r\n").0.unwrap().unwrap().code, 354);
    }

    #[test]
    fn what_no_mail_server_says_is_no_reply() {
        for wrong in [
            "HTTP/1.1 400 Bad Request\r\n",
            "\r\n",
            "2x0 a\r\n",
            "250-a\r\n251 b\r\n",
            "999 a\r\n",
            "250_a\r\n",
            "2é0 a\r\n",
        ] {
            assert_eq!(take(wrong).0, Err(NoReply), "{wrong:?}");
        }
        assert_eq!(take(&"x".repeat(MAX_REPLY + 1)).0, Err(NoReply));
    }

    #[test]
    fn a_code_says_whether_to_try_again() {
        let refusal = |code: u16, text: &str, step: &str| Reply { code, lines: vec![text.to_owned()] }.refusal(step);
        for (code, text, step, kind) in [
            (421, "4.3.2 shutting down", "MAIL FROM", ConnectorErrorKind::Transient),
            (450, "4.7.1 greylisted", "RCPT TO", ConnectorErrorKind::Quota),
            (450, "mailbox busy", "RCPT TO", ConnectorErrorKind::Transient),
            (535, "5.7.8 bad credentials", "AUTH", ConnectorErrorKind::Auth),
            (530, "5.7.0 must authenticate", "MAIL FROM", ConnectorErrorKind::Auth),
            (504, "5.5.4 mechanism", "AUTH", ConnectorErrorKind::Auth),
            (550, "5.1.1 no such user <secret>", "RCPT TO", ConnectorErrorKind::Permanent),
            (250, "out of turn", "DATA", ConnectorErrorKind::Permanent),
        ] {
            let error = refusal(code, text, step);
            assert_eq!(error.kind, kind, "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert!(refusal(550, "5.1.1 no", "RCPT TO").to_string().contains("550 (5.1.1) to RCPT TO"));
    }
}
