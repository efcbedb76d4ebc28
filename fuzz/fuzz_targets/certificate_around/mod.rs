//! A certificate around what is fuzzed.

/// A value: tag, length, contents.
pub fn value(tag: u8, contents: &[u8]) -> Vec<u8> {
    let octets = contents.len().to_be_bytes();
    let octets = &octets[octets.iter().take_while(|octet| **octet == 0).count()..];
    let mut out = vec![tag];
    match u8::try_from(contents.len()) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            out.push(0x80 | octets.len() as u8);
            out.extend(octets);
        }
    }
    out.extend(contents);
    out
}

pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    value(0x30, &parts.concat())
}

/// CN=a.
pub const NAME: [u8; 14] = [0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0c, 1, b'a'];
const ED25519: [u8; 7] = [0x30, 5, 6, 3, 0x2b, 0x65, 0x70];

pub fn extension(oid: &[u8], critical: bool, contents: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    sequence(&[&value(6, oid), critical, &value(4, contents)])
}

pub fn tbs(issuer: &[u8], subject: &[u8], extensions: &[u8]) -> Vec<u8> {
    let time = value(0x17, b"300101000000Z");
    let key = sequence(&[&ED25519, &value(3, &[0; 33])]);
    let extensions = if extensions.is_empty() { Vec::new() } else { value(0xa3, &sequence(&[extensions])) };
    let validity = sequence(&[&time, &time]);
    sequence(&[&[0xa0, 3, 2, 1, 2], &[2, 1, 9], &ED25519, issuer, &validity, subject, &key, &extensions])
}

pub fn signed(tbs: &[u8]) -> Vec<u8> {
    sequence(&[tbs, &ED25519, &value(3, &[0; 65])])
}

pub fn certificate(issuer: &[u8], subject: &[u8], extensions: &[u8]) -> Vec<u8> {
    signed(&tbs(issuer, subject, extensions))
}
