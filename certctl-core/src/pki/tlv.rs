//! A strict reader of DER's tag-length-value triples (X.690 §8.1, §10.1) that keeps the bytes as they came.
//!
//! The decoders of the `der` crate sort SET OF and so lose the signed bytes; structure that is signed is walked here and
//! only leaves are decoded there.

/// How deep constructed values may nest.
pub(crate) const MAX_DEPTH: usize = 32;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

const CONSTRUCTED: u8 = 0x20;

/// Where bytes depart from DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Damage {
    #[error("it ends too early")]
    Truncated,
    #[error("a length is not in DER's shortest definite form")]
    Length,
    #[error("a tag number above 30 stands where none belongs")]
    HighTag,
    #[error("data follows its end")]
    Trailing,
    #[error("its parts nest deeper than {MAX_DEPTH}")]
    Depth,
    #[error("expected {0}")]
    Expected(&'static str),
}

/// One value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tlv<'a> {
    /// The identifier octet.
    pub(crate) tag: u8,
    /// The contents octets.
    pub(crate) contents: &'a [u8],
    /// Identifier, length and contents.
    pub(crate) whole: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// Reads a value and nothing after it.
    pub(crate) fn only(bytes: &'a [u8]) -> Result<Self, Damage> {
        let mut reader = Reader::new(bytes);
        let tlv = reader.value()?;
        reader.finish()?;
        Ok(tlv)
    }

    /// The values inside, when this has the tag.
    pub(crate) fn open(self, tag: u8, name: &'static str) -> Result<Reader<'a>, Damage> {
        if self.tag == tag { Ok(Reader::new(self.contents)) } else { Err(Damage::Expected(name)) }
    }
}

/// The values of a row, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next value, whatever it is.
    pub(crate) fn value(&mut self) -> Result<Tlv<'a>, Damage> {
        let (header, length) = header(self.rest)?;
        let end = header.checked_add(length).ok_or(Damage::Length)?;
        let (whole, rest) = self.rest.split_at_checked(end).ok_or(Damage::Truncated)?;
        let tag = *whole.first().ok_or(Damage::Truncated)?;
        self.rest = rest;
        Ok(Tlv { tag, contents: whole.get(header..).unwrap_or_default(), whole })
    }

    /// The next value, which must have this tag; `name` says what it is.
    pub(crate) fn expect(&mut self, tag: u8, name: &'static str) -> Result<Tlv<'a>, Damage> {
        self.optional(tag)?.ok_or(Damage::Expected(name))
    }

    /// The next value, if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Tlv<'a>>, Damage> {
        if self.rest.first() == Some(&tag) { self.value().map(Some) } else { Ok(None) }
    }

    /// The values inside the next one, which must have this tag.
    pub(crate) fn open(&mut self, tag: u8, name: &'static str) -> Result<Self, Damage> {
        self.expect(tag, name).map(|tlv| Self::new(tlv.contents))
    }

    /// Everything that is left, value by value.
    pub(crate) fn values(mut self) -> impl Iterator<Item = Result<Tlv<'a>, Damage>> {
        std::iter::from_fn(move || {
            if self.is_empty() {
                return None;
            }
            let value = self.value();
            if value.is_err() {
                self.rest = &[];
            }
            Some(value)
        })
    }

    /// Nothing may be left.
    pub(crate) const fn finish(self) -> Result<(), Damage> {
        if self.rest.is_empty() { Ok(()) } else { Err(Damage::Trailing) }
    }
}

/// Octets of the header, and of the contents.
fn header(bytes: &[u8]) -> Result<(usize, usize), Damage> {
    let (tag, rest) = bytes.split_first().ok_or(Damage::Truncated)?;
    if tag & 0x1f == 0x1f {
        return Err(Damage::HighTag);
    }
    let (first, rest) = rest.split_first().ok_or(Damage::Truncated)?;
    if *first < 0x80 {
        return Ok((2, usize::from(*first)));
    }
    let count = usize::from(*first & 0x7f);
    if !(1..=4).contains(&count) {
        return Err(Damage::Length);
    }
    let octets = rest.get(..count).ok_or(Damage::Truncated)?;
    let length = octets.iter().fold(0_usize, |length, octet| (length << 8) | usize::from(*octet));
    let shortest = length >= 0x80 && octets.first().is_some_and(|octet| *octet != 0);
    if shortest { Ok((2 + count, length)) } else { Err(Damage::Length) }
}

/// Checks that constructed values are well-formed all the way down and nest at most [`MAX_DEPTH`] deep.
pub(crate) fn check_depth(bytes: &[u8]) -> Result<(), Damage> {
    let mut open = vec![Reader::new(bytes)];
    while let Some(reader) = open.last_mut() {
        if reader.is_empty() {
            open.pop();
            continue;
        }
        let value = reader.value()?;
        if value.tag & CONSTRUCTED != 0 {
            if open.len() >= MAX_DEPTH {
                return Err(Damage::Depth);
            }
            open.push(Reader::new(value.contents));
        }
    }
    Ok(())
}

/// Writes a value: tag, shortest length, the contents in order.
pub(crate) fn write(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let length: usize = contents.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    let octets = length.to_be_bytes();
    let significant = octets.get(octets.iter().take_while(|octet| **octet == 0).count()..).unwrap_or_default();
    match (u8::try_from(length), u8::try_from(significant.len())) {
        (Ok(short), _) if short < 0x80 => out.push(short),
        (_, count) => {
            out.push(0x80 | count.unwrap_or(0));
            out.extend_from_slice(significant);
        }
    }
    for part in contents {
        out.extend_from_slice(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for length in [0_usize, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let contents = vec![5; length];
            let whole = write(SEQUENCE, &[&contents]);
            let tlv = Tlv::only(&whole).unwrap();
            assert_eq!((tlv.tag, tlv.contents, tlv.whole), (SEQUENCE, contents.as_slice(), whole.as_slice()));
        }
    }

    #[test]
    fn what_is_not_der_is_refused() {
        for (bytes, damage) in [
            (&[][..], Damage::Truncated),
            (&[0x30], Damage::Truncated),
            (&[0x30, 0x01], Damage::Truncated),
            (&[0x30, 0x80, 0, 0], Damage::Length),
            (&[0x30, 0x81, 0x01, 0], Damage::Length),
            (&[0x30, 0x82, 0x00, 0x80], Damage::Length),
            (&[0x30, 0x85, 1, 1, 1, 1, 1], Damage::Length),
            (&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], Damage::Truncated),
            (&[0x1f, 0x81, 0x01, 0], Damage::HighTag),
            (&[0x30, 0x00, 0x00], Damage::Trailing),
        ] {
            assert_eq!(Tlv::only(bytes), Err(damage), "{bytes:02x?}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| (0..depth).fold(Vec::new(), |inner, _| write(SEQUENCE, &[&inner]));
        assert_eq!(check_depth(&nested(MAX_DEPTH - 1)), Ok(()));
        assert_eq!(check_depth(&nested(MAX_DEPTH)), Err(Damage::Depth));
        assert_eq!(check_depth(&nested(5_000)), Err(Damage::Depth));
        // Half a megabyte of openings that never close.
        assert!(check_depth(&[0x30, 0x80].repeat(250_000)).is_err());
    }
}
