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

pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    key: String,
    buffer: Vec<u8>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(crate) struct Answer {
    pub(crate) status: u16,
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
        self.send("GET", path, "").await
    }

    pub(crate) async fn post(&mut self, path: &str, json: &str) -> Result<Answer, Failure> {
        self.send("POST", path, json).await
    }

    async fn send(&mut self, method: &str, path: &str, json: &str) -> Result<Answer, Failure> {
        let (length, key) = (json.len(), &self.key);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{json}"
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            self.fill().await?;
        };
        let (status, length) = parse(std::str::from_utf8(self.buffer.get(..head).unwrap_or_default())?)?;
        let end = head + 4 + length;
        while self.buffer.len() < end {
            self.fill().await?;
        }
        Ok(Answer { status, body: self.buffer.get(head + 4..end).unwrap_or_default().to_vec() })
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
    Ok((status, head.lines().find_map(header).ok_or("no content-length")?))
}
