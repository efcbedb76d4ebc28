//! Who is told: a webhook and a mail server that count.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A listener of one's own, and what came in: how often, by what it was.
pub(crate) struct Sink {
    pub(crate) port: u16,
    seen: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Sink {
    /// Calls, by their `webhook-id`.
    pub(crate) fn webhook() -> std::io::Result<Self> {
        Self::start(call)
    }

    /// Messages, by their `Message-ID`.
    pub(crate) fn mail() -> std::io::Result<Self> {
        Self::start(message)
    }

    fn start(hear: fn(TcpStream) -> std::io::Result<Option<String>>) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let seen = Arc::new(Mutex::new(BTreeMap::new()));
        let counted = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counted = Arc::clone(&counted);
                thread::spawn(move || {
                    if let Ok(Some(what)) = hear(stream) {
                        *counted.lock().unwrap().entry(what).or_default() += 1;
                    }
                });
            }
        });
        Ok(Self { port, seen })
    }

    /// What came in, each with how often.
    pub(crate) fn seen(&self) -> BTreeMap<String, usize> {
        self.seen.lock().unwrap().clone()
    }

    /// What came in more than once.
    pub(crate) fn repeated(&self) -> Vec<(String, usize)> {
        self.seen().into_iter().filter(|(_, count)| *count > 1).collect()
    }
}

fn header<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (found, value) = line.split_once(':')?;
    found.eq_ignore_ascii_case(name).then(|| value.trim())
}

/// One call, answered and closed.
fn call(mut stream: TcpStream) -> std::io::Result<Option<String>> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut id, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        id = header(&line, "webhook-id").map(str::to_owned).or(id);
        length = header(&line, "content-length").and_then(|length| length.parse().ok()).unwrap_or(length);
    }
    reader.take(length).read_to_end(&mut Vec::new())?;
    // Counted before it is answered: what the caller did not hear was delivered all the same.
    stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")?;
    Ok(id)
}

/// One conversation with at most one message (RFC 5321).
fn message(mut stream: TcpStream) -> std::io::Result<Option<String>> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut id, mut is_data) = (None, false);
    stream.write_all(b"220 sink\r\n")?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(id);
        }
        let answer: &[u8] = if is_data {
            id = header(&line, "message-id").map(str::to_owned).or(id);
            if line != ".\r\n" {
                continue;
            }
            is_data = false;
            b"250 taken\r\n"
        } else if line.starts_with("DATA") {
            is_data = true;
            b"354 go on\r\n"
        } else if line.starts_with("QUIT") {
            stream.write_all(b"221 bye\r\n")?;
            return Ok(id);
        } else {
            b"250 sink\r\n"
        };
        stream.write_all(answer)?;
    }
}
