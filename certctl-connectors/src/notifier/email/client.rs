//! The dialogue with the mail server (RFC 5321), up to the moment when it is responsible for the message.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certctl_core::connector::{ConnectorError, ConnectorErrorKind};
use certctl_core::ports::{ByteStream, Clock, DialError, Dialer, Egress, Endpoint, Ports, TlsTerms, within};
use lettre::Address;
use zeroize::Zeroizing;

use super::config::{Credentials, Encryption, MailServer};
use super::reply::Reply;

/// For the connection.
const CONNECT: Duration = Duration::from_secs(10);
/// For all that is said.
const DIALOGUE: Duration = Duration::from_secs(60);
/// For the server's last word, which changes nothing any more.
const FAREWELL: Duration = Duration::from_secs(2);

/// Hands messages to one mail server.
pub(super) struct SmtpClient {
    server: MailServer,
    dialer: Arc<dyn Dialer>,
    clock: Arc<dyn Clock>,
}

impl SmtpClient {
    pub(super) fn new(server: MailServer, ports: &Ports) -> Self {
        Self { server, dialer: Arc::clone(&ports.dialer), clock: Arc::clone(&ports.clock) }
    }

    pub(super) fn server(&self) -> &MailServer {
        &self.server
    }

    /// Hands over one message. `Ok` means that the server has it.
    pub(super) async fn deliver(&self, to: &[Address], message: &[u8]) -> Result<(), ConnectorError> {
        let handed = within(&*self.clock, DIALOGUE, self.hand_over(to, message)).await;
        let mut session = handed.unwrap_or_else(|| {
            Err(ConnectorError::unreachable(format!("the mail server did not take the message within {DIALOGUE:?}")))
        })?;
        // The message is the server's now: how it says goodbye is no failure of the delivery.
        let _ = within(&*self.clock, FAREWELL, session.command("QUIT", "QUIT")).await;
        Ok(())
    }

    async fn hand_over(&self, to: &[Address], message: &[u8]) -> Result<Session, ConnectorError> {
        let server = &self.server;
        let endpoint = Endpoint { host: server.host.clone(), port: server.port };
        let stream = self.dialer.connect(&endpoint, Egress::Configured, CONNECT).await.map_err(broken)?;
        let mut session = Session { stream, read: Vec::new() };
        if server.encryption == Encryption::Implicit {
            session = session.secure(server).await?;
        }
        session.reply("the connection").await?.expect(220, "the connection")?;
        let mut hello = session.hello(server).await?;
        if server.encryption == Encryption::Starttls {
            if hello.offers("STARTTLS").is_none() {
                let message = "the mail server does not offer STARTTLS; nothing was sent to it in the clear";
                return Err(ConnectorError::permanent(message));
            }
            session.command("STARTTLS", "STARTTLS").await?.expect(220, "STARTTLS")?;
            session = session.secure(server).await?;
            // What was said in the clear may have been anybody's (RFC 3207 §4.2).
            hello = session.hello(server).await?;
        }
        if let Some(credentials) = &server.credentials {
            session.sign_in(credentials, &hello).await?;
        }
        let from = format!("MAIL FROM:<{}>", server.from.email);
        session.command(&from, "MAIL FROM").await?.expect(250, "MAIL FROM")?;
        for address in to {
            let reply = session.command(&format!("RCPT TO:<{address}>"), "RCPT TO").await?;
            if reply.code != 251 {
                reply.expect(250, "RCPT TO")?;
            }
        }
        session.command("DATA", "DATA").await?.expect(354, "DATA")?;
        session.say(&stuffed(message)).await?;
        session.reply("the message").await?.expect(250, "the message")?;
        Ok(session)
    }
}

impl std::fmt::Debug for SmtpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.server.fmt(f)
    }
}

struct Session {
    stream: Box<dyn ByteStream>,
    /// What was read and not yet understood.
    read: Vec<u8>,
}

impl Session {
    async fn secure(self, server: &MailServer) -> Result<Self, ConnectorError> {
        // Whatever follows the go-ahead in the clear was put there by somebody on the way.
        if !self.read.is_empty() {
            return Err(ConnectorError::permanent("the mail server spoke in the clear where TLS should begin"));
        }
        let terms = TlsTerms { server_name: server.host.clone(), roots_pem: server.roots_pem.clone() };
        let stream = self.stream.secure(&terms).await.map_err(broken)?;
        Ok(Self { stream, read: Vec::new() })
    }

    async fn hello(&mut self, server: &MailServer) -> Result<Reply, ConnectorError> {
        self.command(&format!("EHLO {}", server.hello_name), "EHLO").await?.expect(250, "EHLO")
    }

    /// PLAIN (RFC 4616), or LOGIN where that is all there is.
    async fn sign_in(&mut self, credentials: &Credentials, hello: &Reply) -> Result<(), ConnectorError> {
        let mechanisms = hello.offers("AUTH").unwrap_or_default();
        let offers = |name: &str| mechanisms.iter().any(|mechanism| mechanism == name);
        let encoded = |text: &str| Zeroizing::new(STANDARD.encode(text));
        let Credentials { username, password } = credentials;
        if offers("PLAIN") {
            let both = Zeroizing::new(format!("\0{username}\0{}", password.expose()));
            let command = Zeroizing::new(format!("AUTH PLAIN {}", *encoded(&both)));
            self.command(&command, "AUTH").await?.expect(235, "AUTH")?;
        } else if offers("LOGIN") {
            self.command("AUTH LOGIN", "AUTH").await?.expect(334, "AUTH")?;
            self.command(&encoded(username), "AUTH").await?.expect(334, "AUTH")?;
            self.command(&encoded(password.expose()), "AUTH").await?.expect(235, "AUTH")?;
        } else {
            let message = "the mail server offers neither AUTH PLAIN nor AUTH LOGIN; leave out username and password, \
                           or use another port";
            return Err(ConnectorError::new(ConnectorErrorKind::Auth, message));
        }
        Ok(())
    }

    async fn command(&mut self, line: &str, step: &str) -> Result<Reply, ConnectorError> {
        self.say(Zeroizing::new(format!("{line}\r\n")).as_bytes()).await?;
        self.reply(step).await
    }

    async fn say(&mut self, bytes: &[u8]) -> Result<(), ConnectorError> {
        self.stream.write_all(bytes).await.map_err(broken)
    }

    async fn reply(&mut self, step: &str) -> Result<Reply, ConnectorError> {
        let mut buffer = [0; 2048];
        loop {
            let taken = Reply::take(&mut self.read);
            let taken = taken.map_err(|_| ConnectorError::permanent("what answers on that port is no mail server"))?;
            if let Some(reply) = taken {
                return Ok(reply);
            }
            match self.stream.read(&mut buffer).await.map_err(broken)? {
                0 => {
                    let message = format!("the mail server closed the connection instead of answering {step}");
                    return Err(ConnectorError::unreachable(message));
                }
                count => self.read.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            }
        }
    }
}

impl Reply {
    fn expect(self, code: u16, step: &str) -> Result<Self, ConnectorError> {
        if self.code == code { Ok(self) } else { Err(self.refusal(step)) }
    }
}

/// The message as DATA carries it: lines that begin with a dot get a second one, and a dot alone ends it (RFC 5321 §4.5.2).
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 16);
    let mut begins = true;
    for octet in message {
        if begins && *octet == b'.' {
            out.push(b'.');
        }
        out.push(*octet);
        begins = *octet == b'\n';
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

fn broken(error: DialError) -> ConnectorError {
    let kind = match error {
        DialError::Refused { .. } => ConnectorErrorKind::Permanent,
        _ => ConnectorErrorKind::Unreachable,
    };
    ConnectorError::new(kind, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_dot_does_not_end_the_message() {
        assert_eq!(stuffed(b".a\r\n.\r\nb.c\r\n..\r\nd"), b"..a\r\n..\r\nb.c\r\n...\r\nd\r\n.\r\n");
        assert_eq!(stuffed(b""), b"\r\n.\r\n");
    }
}
