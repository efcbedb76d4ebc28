//! A kept HTTP/1.1 connection (RFC 9112) that costs the load generator next to nothing.

use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::Failure;

/// The key that the measured servers are configured with.
pub(crate) const KEY: &str = "key-of-the-load-generator";

/// The media type of signed messages.
const JOSE: &str = "application/jose+json";

pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    key: String,
    buffer: Vec<u8>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The status line and the headers, where they were asked for.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    /// Over plain HTTP, with the administrator's key.
    pub(crate) async fn open(address: &str) -> Result<Self, Failure> {
        Ok(Self::over(Box::new(connect(address).await?), KEY))
    }

    /// Over TLS to 127.0.0.1, with a key.
    pub(crate) async fn open_tls(address: &str, tls: &TlsConnector, key: &str) -> Result<Self, Failure> {
        let name = ServerName::try_from("127.0.0.1")?;
        Ok(Self::over(Box::new(tls.connect(name, connect(address).await?).await?), key))
    }

    fn over(stream: Box<dyn Stream>, key: &str) -> Self {
        Self { stream, key: key.to_owned(), buffer: Vec::with_capacity(1 << 10) }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer, Failure> {
        self.send("GET", path, ("application/json", "")).await
    }

    /// Posts a signed message, and keeps the headers of the answer (RFC 8555 §6.2).
    pub(crate) async fn post_jose(&mut self, path: &str, message: &str) -> Result<Answer, Failure> {
        self.send("POST", path, (JOSE, message)).await
    }

    /// The same as a GET whose headers are asked for.
    pub(crate) async fn get_head(&mut self, path: &str) -> Result<Answer, Failure> {
        self.send("GET", path, (JOSE, "")).await
    }

    pub(crate) async fn post(&mut self, path: &str, json: &str) -> Result<Answer, Failure> {
        self.send("POST", path, ("application/json", json)).await
    }

    /// Sends octets of a media type.
    pub(crate) async fn post_octets(&mut self, path: &str, media_type: &str, body: &[u8]) -> Result<Answer, Failure> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.exchange(media_type, &[head.as_bytes(), body].concat()).await
    }

    async fn send(&mut self, method: &str, path: &str, (kind, body): (&str, &str)) -> Result<Answer, Failure> {
        let (length, key) = (body.len(), &self.key);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\
             content-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.exchange(kind, request.as_bytes()).await
    }

    async fn exchange(&mut self, kind: &str, request: &[u8]) -> Result<Answer, Failure> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            self.fill().await?;
        };
        let text = std::str::from_utf8(self.buffer.get(..head).unwrap_or_default())?;
        let (status, length) = parse(text)?;
        let kept = if kind == JOSE { text.to_owned() } else { String::new() };
        let end = head + 4 + length;
        while self.buffer.len() < end {
            self.fill().await?;
        }
        Ok(Answer { status, head: kept, body: self.buffer.get(head + 4..end).unwrap_or_default().to_vec() })
    }

    async fn fill(&mut self) -> Result<(), Failure> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err("the server closed the connection".into()),
            _ => Ok(()),
        }
    }
}

/// A client's side of TLS that trusts one root.
pub(crate) fn trusting(root: &std::path::Path) -> Result<TlsConnector, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root)?)?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}

async fn connect(address: &str) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Answer {
    /// A header of an answer whose headers were asked for.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let value = |line: &'_ str| -> Option<(usize, usize)> {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| (found.len() + 1, value.len()))
        };
        self.head.lines().find_map(|line| value(line).and_then(|(at, _)| line.get(at..)).map(str::trim))
    }

    /// The answer, if it has this status.
    pub(crate) fn expect(self, status: u16) -> Result<Self, Failure> {
        if self.status == status {
            return Ok(self);
        }
        Err(format!("{} instead of {status}: {}", self.status, String::from_utf8_lossy(&self.body)).into())
    }
}

fn parse(head: &str) -> Result<(u16, usize), Failure> {
    let status = head.split(' ').nth(1).ok_or("no status line")?.parse()?;
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    };
    // 204 has no body and says nothing of its length (RFC 9110 §8.6).
    let length = if status == 204 { Some(0) } else { head.lines().find_map(header) };
    Ok((status, length.ok_or("no content-length")?))
}
