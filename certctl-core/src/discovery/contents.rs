//! The certificates in a file or a secret whose form nobody promised.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::domain::CertificateFacts;
use crate::pki;

/// The longest file or secret that is read, in octets.
pub const MAX_CONTENTS: usize = 1 << 20;

/// What a file or secret holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The certificates that can be read: DER, and what they say of themselves.
    pub certificates: Vec<(Vec<u8>, CertificateFacts)>,
    /// `PEM` or `DER`; empty for neither.
    pub format: &'static str,
    /// What should be a certificate and cannot be read, and why.
    pub problems: Vec<String>,
}

/// Reads the certificates among these octets: PEM blocks (RFC 7468) wherever they are, or one certificate in DER (RFC 5280
/// §4.1). Blocks of other kinds, such as private keys, are passed over and never decoded. What is damaged does not keep the
/// rest from being read.
pub fn contents(octets: &[u8]) -> Contents {
    let mut contents = Contents::default();
    if octets.len() > MAX_CONTENTS {
        contents.problems.push(format!("it has {} octets; at most {MAX_CONTENTS} are read", octets.len()));
        return contents;
    }
    if let Some(text) = armoured(octets) {
        contents.format = "PEM";
        for (index, block) in blocks(&text).into_iter().enumerate() {
            contents.take(block, Some(index + 1));
        }
    } else if octets.first() == Some(&SEQUENCE) {
        contents.format = "DER";
        contents.take(Ok(octets.to_vec()), None);
    } else {
        contents.problems.push("it is neither PEM nor DER".into());
    }
    contents
}

/// The first octet of a certificate in DER.
const SEQUENCE: u8 = 0x30;
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
/// What certificates are called (RFC 7468 §5, and what was usual before).
const LABELS: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", "X.509 CERTIFICATE"];

impl Contents {
    /// Takes what should be a certificate: the only one, or the one of this number.
    fn take(&mut self, der: Result<Vec<u8>, &str>, number: Option<usize>) {
        let read = der.map_err(str::to_owned).and_then(|der| {
            let facts = pki::certificate::parse(&der).map_err(|error| error.to_string())?;
            Ok((der, facts))
        });
        match (read, number) {
            (Ok(certificate), _) => self.certificates.push(certificate),
            (Err(why), Some(number)) => self.problems.push(format!("certificate {number}: {why}")),
            (Err(why), None) => self.problems.push(why),
        }
    }
}

/// The octets as text, if they have a PEM block. What is no UTF-8 stands outside of blocks, if the blocks are any good.
fn armoured(octets: &[u8]) -> Option<std::borrow::Cow<'_, str>> {
    let has_block = octets.windows(BEGIN.len()).any(|window| window == BEGIN.as_bytes());
    has_block.then(|| String::from_utf8_lossy(octets))
}

/// The blocks that say that they are certificates, decoded.
fn blocks(text: &str) -> Vec<Result<Vec<u8>, &'static str>> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines().map(str::trim) {
        if let Some(label) = line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(DASHES)) {
            if open.is_some() {
                blocks.push(Err("another block begins before it ends"));
            }
            open = LABELS.contains(&label).then(String::new);
        } else if line.starts_with(END) {
            if let Some(base64) = open.take() {
                blocks.push(STANDARD.decode(base64).map_err(|_| "it is not base64"));
            }
        } else if let Some(base64) = &mut open {
            base64.extend(line.chars().filter(|c| !c.is_ascii_whitespace()));
        }
    }
    if open.is_some() {
        blocks.push(Err("it breaks off"));
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Timestamp, pem};
    use crate::testing::{TestAuthority, block_on};

    fn certificate() -> Vec<u8> {
        let authority = block_on(TestAuthority::new(5, Timestamp::from_unix_seconds(1_900_000_000)));
        pem::parse(&authority.root_pem(), 1 << 20).unwrap().remove(0).der
    }

    #[test]
    fn certificates_are_found_among_keys_damage_and_text() {
        let der = certificate();
        let good = pem::encode("CERTIFICATE", &der);
        let key = pem::encode("PRIVATE KEY", &[7; 40]);
        let cut = &good[..good.len() / 2];
        let mut text =
            format!("subject=K\u{f6}ln\r\n{good}{key}-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n");
        text.push_str(&format!("{}{}{cut}", pem::encode("X509 CERTIFICATE", &der), pem::encode("CERTIFICATE", b"no")));
        let mut octets = vec![0xff, 0xfe, b'\n'];
        octets.extend(text.into_bytes());
        let found = contents(&octets);
        assert_eq!((found.format, found.certificates.len()), ("PEM", 2));
        assert!(found.certificates.iter().all(|(read, facts)| *read == der && facts.is_ca));
        let [not_base64, unreadable, cut] = found.problems.as_slice() else { panic!("{:?}", found.problems) };
        assert_eq!(not_base64, "certificate 2: it is not base64");
        assert!(unreadable.starts_with("certificate 4: "), "{unreadable}");
        assert_eq!(cut, "certificate 5: it breaks off");
    }

    #[test]
    fn der_is_read_and_what_is_neither_is_said() {
        let der = certificate();
        let found = contents(&der);
        assert_eq!((found.format, found.certificates.len(), found.problems.len()), ("DER", 1, 0));
        for (wrong, format) in [(&der[..der.len() - 1], "DER"), (&b"\x30\x80"[..], "DER"), (b"hello", ""), (b"", "")] {
            let found = contents(wrong);
            assert_eq!((found.format, found.certificates.len(), found.problems.len()), (format, 0, 1), "{wrong:?}");
        }
        let key = contents(pem::encode("PRIVATE KEY", &[7; 40]).as_bytes());
        assert_eq!((key.certificates.len(), key.problems.len()), (0, 0), "a key is no certificate and no problem");
        assert_eq!(contents(&vec![0x30; MAX_CONTENTS + 1]).problems.len(), 1);
    }
}
