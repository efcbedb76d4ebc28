//! BER brought into definite lengths (X.690 §8.1.3.6, §8.7.3): what streaming encoders send becomes what DER readers read.
//!
//! Values that are DER come out as they were, so what was signed over its DER stays what was signed. Strings in chunks become one
//! string where their tag tells that they are OCTET STRINGs; other chunks are left to the reader that knows what they are.

use crate::pki::tlv::{Damage, MAX_DEPTH, OCTET_STRING, Reader, write};

const CONSTRUCTED: u8 = 0x20;
/// An OCTET STRING in chunks.
const OCTET_STRING_CHUNKS: u8 = OCTET_STRING | CONSTRUCTED;

/// A constructed value that is being read.
struct Open {
    tag: u8,
    /// Where it ends; at an end-of-contents marker when absent.
    end: Option<usize>,
    /// Where what is around it ends, which it must not pass.
    limit: usize,
    contents: Vec<u8>,
}

impl Open {
    fn close(self) -> Result<Vec<u8>, Damage> {
        if self.tag != OCTET_STRING_CHUNKS {
            return Ok(write(self.tag, &[&self.contents]));
        }
        let mut octets = Vec::with_capacity(self.contents.len());
        let mut chunks = Reader::new(&self.contents);
        while !chunks.is_empty() {
            octets.extend_from_slice(chunks.expect(OCTET_STRING, "a chunk of an OCTET STRING")?.contents);
        }
        Ok(write(OCTET_STRING, &[&octets]))
    }
}

/// The one value that these octets are, with definite, shortest lengths.
///
/// The work is bounded by the octets times [`MAX_DEPTH`], and nothing is set aside that a length only promises.
pub(super) fn normalize(bytes: &[u8]) -> Result<Vec<u8>, Damage> {
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0_usize;
    loop {
        let limit = open.last().map_or(bytes.len(), |open| open.limit);
        let rest = bytes.get(at..limit).ok_or(Damage::Truncated)?;
        let closes = match open.last().map(|open| open.end) {
            Some(Some(end)) => at == end,
            Some(None) => rest.starts_with(&[0, 0]),
            None => false,
        };
        let finished = if closes {
            let value = open.pop().ok_or(Damage::Truncated)?;
            at += if value.end.is_none() { 2 } else { 0 };
            value.close()?
        } else {
            let header = header(rest)?;
            let start = at.checked_add(header.octets).ok_or(Damage::Length)?;
            let end = header.length.map(|length| start.checked_add(length).ok_or(Damage::Length)).transpose()?;
            if end.is_some_and(|end| end > limit) {
                return Err(Damage::Truncated);
            }
            if header.tag & CONSTRUCTED != 0 {
                if open.len() >= MAX_DEPTH {
                    return Err(Damage::Depth);
                }
                open.push(Open { tag: header.tag, end, limit: end.unwrap_or(limit), contents: Vec::new() });
                at = start;
                continue;
            }
            let end = end.ok_or(Damage::Length)?;
            at = end;
            write(header.tag, &[bytes.get(start..end).ok_or(Damage::Truncated)?])
        };
        match open.last_mut() {
            Some(around) => around.contents.extend_from_slice(&finished),
            None if at == bytes.len() => return Ok(finished),
            None => return Err(Damage::Trailing),
        }
    }
}

struct Header {
    tag: u8,
    /// Of identifier and length.
    octets: usize,
    /// Of the contents; absent for the indefinite form.
    length: Option<usize>,
}

fn header(bytes: &[u8]) -> Result<Header, Damage> {
    let (tag, rest) = bytes.split_first().ok_or(Damage::Truncated)?;
    if tag & 0x1f == 0x1f {
        return Err(Damage::HighTag);
    }
    let (first, rest) = rest.split_first().ok_or(Damage::Truncated)?;
    match *first {
        0x80 => Ok(Header { tag: *tag, octets: 2, length: None }),
        short @ 0..0x80 => Ok(Header { tag: *tag, octets: 2, length: Some(usize::from(short)) }),
        long => {
            let count = usize::from(long & 0x7f);
            // BER lets lengths be longer than they need be, but not without bound.
            if count > 8 {
                return Err(Damage::Length);
            }
            let octets = rest.get(..count).ok_or(Damage::Truncated)?;
            let length = octets.iter().fold(0_u64, |length, octet| (length << 8) | u64::from(*octet));
            let length = usize::try_from(length).map_err(|_| Damage::Length)?;
            Ok(Header { tag: *tag, octets: 2 + count, length: Some(length) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::tlv::SEQUENCE;
    use proptest::prelude::*;

    #[test]
    fn streams_become_definite() {
        for (ber, der) in [
            ("30800201050000", "3003020105"),
            ("3081030201 05", "3003020105"),
            ("30850000000003020105", "3003020105"),
            // Chunks, also of chunks.
            ("24800402aabb0401cc0000", "0403aabbcc"),
            ("2480240404020102040103 0000", "0403010203"),
            ("a080 2480 0401ff 0000 0000", "a0030401ff"),
            // Implicit chunks stay chunks: the tag does not tell what they are.
            ("a0800401aa0401bb0000", "a0060401aa0401bb"),
            ("04820001ff", "0401ff"),
        ] {
            let ber = hex::decode(ber.replace(' ', "")).unwrap();
            assert_eq!(hex::encode(normalize(&ber).unwrap()), der);
        }
    }

    #[test]
    fn what_is_no_ber_is_refused() {
        for (bytes, damage) in [
            ("", Damage::Truncated),
            ("30", Damage::Truncated),
            ("3080", Damage::Truncated),
            ("308002", Damage::Truncated),
            ("30030201", Damage::Truncated),
            ("3003020205ff", Damage::Truncated),
            ("0480010000", Damage::Length),
            ("3089010101010101010101", Damage::Length),
            ("3088ffffffffffffffff", Damage::Length),
            ("1f810100", Damage::HighTag),
            ("30000000", Damage::Trailing),
            ("2403020105", Damage::Expected("a chunk of an OCTET STRING")),
        ] {
            assert_eq!(normalize(&hex::decode(bytes).unwrap()), Err(damage), "{bytes}");
        }
    }

    #[test]
    fn bombs_are_refused_at_once() {
        // A million openings, with and without lengths, and a length of two gigabytes.
        assert_eq!(normalize(&[0x30, 0x80].repeat(1_000_000)), Err(Damage::Depth));
        assert_eq!(normalize(&[0x24, 0x80].repeat(1_000_000)), Err(Damage::Depth));
        assert_eq!(normalize(&[0x30, 0x84, 0x80, 0, 0, 0, 1]), Err(Damage::Truncated));
        let nested = (0..40).fold(Vec::new(), |inner, _| write(SEQUENCE, &[&inner]));
        assert_eq!(normalize(&nested), Err(Damage::Depth));
    }

    proptest! {
        #[test]
        fn nothing_panics_and_what_comes_out_stays(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(der) = normalize(&bytes) {
                prop_assert_eq!(normalize(&der), Ok(der.clone()));
            }
        }

        #[test]
        fn der_stays_as_it_is(octets in proptest::collection::vec(any::<u8>(), 0..300), depth in 0..20_usize) {
            let value = (0..depth).fold(write(OCTET_STRING, &[&octets]), |inner, _| write(SEQUENCE, &[&inner]));
            prop_assert_eq!(normalize(&value), Ok(value.clone()));
        }
    }
}
