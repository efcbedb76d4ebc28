//! A web server with a few files.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is served at `/.well-known/acme-challenge/`.
pub(crate) struct Files {
    pub(crate) directory: PathBuf,
}

/// Serves until it is dropped.
pub(crate) struct Serving {
    stopped: Arc<AtomicBool>,
    address: SocketAddr,
}

impl Files {
    pub(crate) fn new(directory: PathBuf) -> std::io::Result<Self> {
        std::fs::create_dir_all(&directory)?;
        Ok(Self { directory })
    }

    pub(crate) fn serve(&self, port: u16) -> std::io::Result<Serving> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let (directory, stopped) = (self.directory.clone(), Arc::new(AtomicBool::new(false)));
        let (address, over) = (listener.local_addr()?, Arc::clone(&stopped));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(stream) = stream {
                    let _ = answer(stream, &directory);
                }
            }
        });
        Ok(Serving { stopped, address })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn answer(mut stream: TcpStream, directory: &Path) -> std::io::Result<()> {
    let mut buffer = [0; 4_096];
    let count = stream.read(&mut buffer)?;
    let request = String::from_utf8_lossy(&buffer[..count]).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let token = path.strip_prefix("/.well-known/acme-challenge/").unwrap_or_default();
    let plain = !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    match std::fs::read(directory.join(token)).ok().filter(|_| plain) {
        Some(body) => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len())?;
            stream.write_all(&body)
        }
        None => stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
    }
}
