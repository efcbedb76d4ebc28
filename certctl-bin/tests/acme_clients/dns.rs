//! A DNS server for TXT records that stand in files: one for each name, with a record in each line.

use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

/// The records.
pub(crate) struct Zone {
    pub(crate) directory: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Zone {
    /// Answers for as long as the process lives.
    pub(crate) fn serve(socket: UdpSocket, directory: PathBuf) -> std::io::Result<Self> {
        std::fs::create_dir_all(&directory)?;
        let (address, records) = (socket.local_addr()?, directory.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 1_500];
            while let Ok((count, peer)) = socket.recv_from(&mut buffer) {
                if let Some(answer) = answer(&buffer[..count], &records) {
                    let _ = socket.send_to(&answer, peer);
                }
            }
        });
        Ok(Self { directory, address })
    }
}

/// The answer to a question (RFC 1035 §4.1).
fn answer(question: &[u8], records: &Path) -> Option<Vec<u8>> {
    const TXT: [u8; 2] = [0, 16];
    let (mut labels, mut at) = (Vec::new(), 12);
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let (kind, end) = (question.get(at..at + 2)?, at + 4);
    let name = labels.join(".");
    let text = if kind == TXT { std::fs::read_to_string(records.join(&name)).ok() } else { None };
    let known = text.is_some() || records.join(&name).exists();
    let texts: Vec<&str> = text.iter().flat_map(|text| text.lines()).filter(|line| !line.is_empty()).collect();
    let mut answer = question.get(..2)?.to_vec();
    // A response with authority to a question that asked for recursion; that a name does not exist is told.
    answer.extend([0x85, if known { 0x80 } else { 0x83 }, 0, 1, 0, u8::try_from(texts.len()).ok()?, 0, 0, 0, 0]);
    answer.extend(question.get(12..end)?);
    for text in texts {
        let length = u8::try_from(text.len()).ok()?;
        answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 0, 0, length + 1, length]);
        answer.extend(text.as_bytes());
    }
    Some(answer)
}
