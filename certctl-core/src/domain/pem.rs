//! PEM (RFC 7468): text blocks around DER.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// One block: what it says it is, and its bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct PemBlock {
    /// The label, such as `CERTIFICATE`.
    pub label: String,
    /// The decoded bytes.
    pub der: Vec<u8>,
}

/// A text that is not PEM.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// There is no block at all.
    #[error("there is no PEM block: the text needs a line `-----BEGIN …-----`")]
    NoBlock,
    /// A block has a beginning and no end.
    #[error("the PEM block `{0}` has no line `-----END {0}-----`")]
    NoEnd(String),
    /// What is between the lines is not base64.
    #[error("the PEM block `{0}` does not hold base64")]
    NotBase64(String),
    /// The text is longer than the limit, in octets.
    #[error("the PEM text has {octets} octets; at most {limit} are read")]
    TooLarge {
        /// Octets of the text.
        octets: usize,
        /// The most that is read.
        limit: usize,
    },
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// Every block of a text, in order. Text outside the blocks is explanatory and skipped (RFC 7468 §2), lines may have any
/// length and line ending (§3, lax parsing).
///
/// # Errors
/// [`PemError`] when there is no block, one is cut off or is not base64, or the text exceeds `limit` octets.
pub fn parse(text: &str, limit: usize) -> Result<Vec<PemBlock>, PemError> {
    if text.len() > limit {
        return Err(PemError::TooLarge { octets: text.len(), limit });
    }
    let mut blocks = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(DASHES)) else { continue };
        let short: String = label.chars().take(64).collect();
        let mut base64 = String::new();
        loop {
            let line = lines.next().ok_or_else(|| PemError::NoEnd(short.clone()))?;
            if let Some(end) = line.strip_prefix(END) {
                if end.strip_suffix(DASHES) == Some(label) {
                    break;
                }
                return Err(PemError::NoEnd(short));
            }
            base64.extend(line.chars().filter(|c| !c.is_ascii_whitespace()));
        }
        let der = STANDARD.decode(base64).map_err(|_| PemError::NotBase64(short.clone()))?;
        blocks.push(PemBlock { label: short, der });
    }
    if blocks.is_empty() { Err(PemError::NoBlock) } else { Ok(blocks) }
}

/// One block with lines of 64 characters and a final line feed (RFC 7468 §2).
pub fn encode(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = format!("{BEGIN}{label}{DASHES}\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII, so every index is a character boundary.
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("{END}{label}{DASHES}\n"));
    text
}

impl std::fmt::Debug for PemBlock {
    /// A block may hold a private key, so its bytes are not shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PemBlock").field("label", &self.label).field("octets", &self.der.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_survive_a_round_trip_and_careless_editing() {
        let text = encode("CERTIFICATE", &[7; 100]);
        assert!(text.lines().all(|line| line.len() <= 64));
        let careless = format!("subject=CN = x\r\n{}\n\n  {}", text.replace('\n', "\r\n"), text.replace('\n', " \n  "));
        let blocks = parse(&careless, 4096).unwrap();
        assert_eq!(blocks.len(), 2);
        assert!(blocks.iter().all(|block| block.label == "CERTIFICATE" && block.der == [7; 100]));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(parse("hello", 100), Err(PemError::NoBlock));
        assert_eq!(parse("-----BEGIN X-----\nAAAA\n", 100), Err(PemError::NoEnd("X".into())));
        assert_eq!(parse("-----BEGIN X-----\nAAAA\n-----END Y-----", 100), Err(PemError::NoEnd("X".into())));
        assert_eq!(parse("-----BEGIN X-----\n!\n-----END X-----", 100), Err(PemError::NotBase64("X".into())));
        assert_eq!(parse("12345", 4), Err(PemError::TooLarge { octets: 5, limit: 4 }));
    }
}
