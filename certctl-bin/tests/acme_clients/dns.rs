//! A DNS server for names below `example.test`, all of which are this host. TXT records stand in files: one for each name, with a
//! record in each line; CAA records in the folder `caa` likewise, as `FLAGS TAG VALUE`.

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
        std::fs::create_dir_all(directory.join("caa"))?;
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

const A: u16 = 1;
const TXT: u16 = 16;
const CAA: u16 = 257;

/// The answer to a question (RFC 1035 §4.1).
fn answer(question: &[u8], records: &Path) -> Option<Vec<u8>> {
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
    let (kind, end) = (u16::from_be_bytes(question.get(at..at + 2)?.try_into().ok()?), at + 4);
    let name = labels.join(".");
    let found = found(kind, &name, records)?;
    let known = !found.is_empty() || name.ends_with("example.test");
    let mut answer = question.get(..2)?.to_vec();
    // A response with authority to a question that asked for recursion; that a name does not exist is told.
    answer.extend([0x85, if known { 0x80 } else { 0x83 }, 0, 1, 0, u8::try_from(found.len()).ok()?, 0, 0, 0, 0]);
    answer.extend(question.get(12..end)?);
    for data in found {
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 0, 0, u8::try_from(data.len()).ok()?]);
        answer.extend(data);
    }
    Some(answer)
}

/// The data of the records of a type.
fn found(kind: u16, name: &str, records: &Path) -> Option<Vec<Vec<u8>>> {
    let lines = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let lines = match kind {
        A if name.ends_with(".example.test") => return Some(vec![vec![127, 0, 0, 1]]),
        TXT => lines(&records.join(name)),
        CAA => lines(&records.join("caa").join(name)),
        _ => String::new(),
    };
    let prefixed = |text: &str| Some([&[u8::try_from(text.len()).ok()?], text.as_bytes()].concat());
    let data = |line: &str| match kind {
        CAA => {
            let (flags, rest) = line.split_once(' ')?;
            let (tag, value) = rest.split_once(' ')?;
            Some([vec![flags.parse().ok()?], prefixed(tag)?, value.into()].concat())
        }
        _ => prefixed(line),
    };
    lines.lines().filter(|line| !line.is_empty()).map(data).collect()
}
