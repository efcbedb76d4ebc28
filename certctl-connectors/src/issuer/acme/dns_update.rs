//! Making TXT records at a DNS server: updates (RFC 2136) over TCP, signed with a shared key, as are the answers (RFC 8945).

use std::time::Duration;

use aws_lc_rs::hmac;
use certctl_core::connector::{ConnectorError, ConnectorErrorKind};
use certctl_core::domain::Timestamp;
use certctl_core::ports::{ByteStream, DialError, Egress, Ports};

use super::config::{TsigAlgorithm, UpdateTerms};

/// What is done with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Add,
    Remove,
}

const SOA: u16 = 6;
const TXT: u16 = 16;
const TSIG: u16 = 250;
const IN: u16 = 1;
const NONE: u16 = 254;
const ANY: u16 = 255;
/// Opcode 5 (RFC 2136 §1.3).
const UPDATE: u16 = 5 << 11;
const RESPONSE: u16 = 1 << 15;
/// Seconds that both clocks may differ (RFC 8945 §10).
const FUDGE: u16 = 300;
/// Seconds that a record may be kept by others: it is there for minutes.
const TTL: u32 = 60;
const TIMEOUT: Duration = Duration::from_secs(15);
const LARGEST_ANSWER: usize = 16 << 10;

/// Makes or takes away one TXT record. Doing so twice is as good as once (RFC 2136 §3.4.2).
pub(super) async fn update(
    terms: &UpdateTerms,
    ports: &Ports,
    change: Change,
    name: &str,
    text: &str,
) -> Result<(), ConnectorError> {
    let zone = terms.zone(name).ok_or_else(|| {
        let why = format!("none of the zones of dns_update holds {name}; add the one that does");
        ConnectorError::new(ConnectorErrorKind::Policy, why)
    })?;
    let mut id = [0; 2];
    ports.rng.fill(&mut id);
    let now = ports.clock.now();
    let (request, mac) = request(terms, u16::from_be_bytes(id), (change, zone, name, text), now);
    let mut stream = ports.dialer.connect(&terms.server, Egress::Configured, TIMEOUT).await.map_err(dialled)?;
    let exchange = async {
        let length = u16::try_from(request.len()).unwrap_or(u16::MAX).to_be_bytes();
        stream.write_all(&[&length, request.as_slice()].concat()).await.map_err(dialled)?;
        read(&mut *stream).await
    };
    let answer = certctl_core::ports::within(&*ports.clock, TIMEOUT, exchange).await;
    let answer = answer.unwrap_or_else(|| Err(ConnectorError::unreachable("the DNS server does not answer")))?;
    verify(terms, u16::from_be_bytes(id), &mac, &answer, now)
}

impl UpdateTerms {
    /// The longest zone that holds the name.
    fn zone(&self, name: &str) -> Option<&str> {
        let holds =
            |zone: &&String| name == **zone || name.strip_suffix(zone.as_str()).is_some_and(|n| n.ends_with('.'));
        self.zones.iter().filter(holds).max_by_key(|zone| zone.len()).map(String::as_str)
    }

    fn mac(&self, parts: &[&[u8]]) -> Vec<u8> {
        let algorithm = match self.algorithm {
            TsigAlgorithm::HmacSha256 => hmac::HMAC_SHA256,
            TsigAlgorithm::HmacSha384 => hmac::HMAC_SHA384,
            TsigAlgorithm::HmacSha512 => hmac::HMAC_SHA512,
        };
        let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, &self.key));
        for part in parts {
            context.update(part);
        }
        context.sign().as_ref().to_vec()
    }

    /// What is signed besides the message (RFC 8945 §4.3.3).
    fn variables(&self, signed_at: &[u8], error: u16, other: &[u8]) -> Vec<u8> {
        let mut variables = wire_name(&self.key_name);
        variables.extend(ANY.to_be_bytes());
        variables.extend(0_u32.to_be_bytes());
        variables.extend(wire_name(self.algorithm.name()));
        variables.extend(signed_at);
        variables.extend(error.to_be_bytes());
        variables.extend(u16::try_from(other.len()).unwrap_or(u16::MAX).to_be_bytes());
        variables.extend(other);
        variables
    }
}

/// The message and its signature.
fn request(
    terms: &UpdateTerms,
    id: u16,
    (change, zone, name, text): (Change, &str, &str, &str),
    now: Timestamp,
) -> (Vec<u8>, Vec<u8>) {
    let mut message = Vec::new();
    for field in [id, UPDATE, 1, 0, 1, 0] {
        message.extend(field.to_be_bytes());
    }
    message.extend(wire_name(zone));
    message.extend(SOA.to_be_bytes());
    message.extend(IN.to_be_bytes());
    let (class, ttl) = match change {
        Change::Add => (IN, TTL),
        Change::Remove => (NONE, 0),
    };
    message.extend(wire_name(name));
    message.extend(TXT.to_be_bytes());
    message.extend(class.to_be_bytes());
    message.extend(ttl.to_be_bytes());
    let strings: Vec<u8> = text
        .as_bytes()
        .chunks(255)
        .flat_map(|part| [&[u8::try_from(part.len()).unwrap_or(u8::MAX)], part].concat())
        .collect();
    message.extend(u16::try_from(strings.len()).unwrap_or(u16::MAX).to_be_bytes());
    message.extend(strings);
    let signed_at = signed_at(now);
    let mac = terms.mac(&[&message, &terms.variables(&signed_at, 0, &[])]);
    let mut data = wire_name(terms.algorithm.name());
    data.extend(&signed_at);
    data.extend(u16::try_from(mac.len()).unwrap_or(u16::MAX).to_be_bytes());
    data.extend(&mac);
    for field in [id, 0, 0] {
        data.extend(field.to_be_bytes());
    }
    message.extend(wire_name(&terms.key_name));
    message.extend(TSIG.to_be_bytes());
    message.extend(ANY.to_be_bytes());
    message.extend(0_u32.to_be_bytes());
    message.extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
    message.extend(data);
    // One additional record.
    if let Some(count) = message.get_mut(10..12) {
        count.copy_from_slice(&1_u16.to_be_bytes());
    }
    (message, mac)
}

/// 48 bits of seconds and the fudge.
fn signed_at(now: Timestamp) -> Vec<u8> {
    let seconds = u64::try_from(now.unix_seconds()).unwrap_or_default().to_be_bytes();
    [seconds.get(2..).unwrap_or_default(), &FUDGE.to_be_bytes()].concat()
}

/// Length octets before each label (RFC 1035 §3.1). The names here were checked when they were configured or ordered.
fn wire_name(name: &str) -> Vec<u8> {
    let labels = name.trim_end_matches('.').split('.').filter(|label| !label.is_empty());
    let mut wire: Vec<u8> = labels
        .flat_map(|label| [&[u8::try_from(label.len()).unwrap_or(63)], label.to_ascii_lowercase().as_bytes()].concat())
        .collect();
    wire.push(0);
    wire
}

async fn read(stream: &mut dyn ByteStream) -> Result<Vec<u8>, ConnectorError> {
    let (mut heard, mut buffer) = (Vec::new(), [0; 2048]);
    loop {
        if let Some((length, message)) = heard.split_at_checked(2) {
            let length = length.iter().fold(0, |length, octet| length * 256 + usize::from(*octet));
            if length > LARGEST_ANSWER {
                return Err(damaged());
            }
            if let Some(message) = message.get(..length) {
                return Ok(message.to_vec());
            }
        }
        match stream.read(&mut buffer).await.map_err(dialled)? {
            0 => return Err(ConnectorError::unreachable("the DNS server closed the connection without an answer")),
            count => heard.extend(buffer.get(..count).unwrap_or_default()),
        }
    }
}

/// Whether the answer is the server's, and what it says.
fn verify(terms: &UpdateTerms, id: u16, asked: &[u8], answer: &[u8], now: Timestamp) -> Result<(), ConnectorError> {
    let header = Header::read(answer).ok_or_else(damaged)?;
    if header.id != id || header.flags & RESPONSE == 0 {
        return Err(damaged());
    }
    let code = header.flags & 0xf;
    let signature = Signature::find(answer, &header);
    let Some(signature) = signature else {
        // Servers that do not know the key cannot sign with it (RFC 8945 §5.2.1).
        return Err(if code == 0 { unsigned() } else { refused(code, 0) });
    };
    if signature.mac.is_empty() {
        return Err(refused(code, signature.error));
    }
    let mut message = answer.get(..signature.begins_at).ok_or_else(damaged)?.to_vec();
    let additional = header.additional.saturating_sub(1).to_be_bytes();
    message.get_mut(10..12).ok_or_else(damaged)?.copy_from_slice(&additional);
    message.get_mut(..2).ok_or_else(damaged)?.copy_from_slice(&signature.original_id.to_be_bytes());
    let length = u16::try_from(asked.len()).unwrap_or(u16::MAX).to_be_bytes();
    let variables = terms.variables(signature.signed_at, signature.error, signature.other);
    let expected = terms.mac(&[&length, asked, &message, &variables]);
    let same = aws_lc_rs::constant_time::verify_slices_are_equal(&expected, signature.mac).is_ok();
    if !same || !signature.is_fresh(now) {
        return Err(unsigned());
    }
    if code == 0 { Ok(()) } else { Err(refused(code, signature.error)) }
}

struct Header {
    id: u16,
    flags: u16,
    zones: u16,
    /// Records before the additional ones.
    records: u32,
    additional: u16,
}

impl Header {
    fn read(message: &[u8]) -> Option<Self> {
        let field = |number: usize| u16_at(message, number * 2);
        let records = u32::from(field(3)?) + u32::from(field(4)?);
        Some(Self { id: field(0)?, flags: field(1)?, zones: field(2)?, records, additional: field(5)? })
    }
}

/// The TSIG record, which is the last one (RFC 8945 §5.1).
struct Signature<'a> {
    begins_at: usize,
    signed_at: &'a [u8],
    mac: &'a [u8],
    original_id: u16,
    error: u16,
    other: &'a [u8],
}

impl<'a> Signature<'a> {
    fn find(message: &'a [u8], header: &Header) -> Option<Self> {
        let mut at = 12;
        for _ in 0..header.zones {
            at = after_name(message, at)? + 4;
        }
        let before = header.records + u32::from(header.additional.checked_sub(1)?);
        for _ in 0..before {
            let fixed = after_name(message, at)?;
            at = fixed + 10 + usize::from(u16_at(message, fixed + 8)?);
        }
        let fixed = after_name(message, at)?;
        let data = fixed + 10;
        if u16_at(message, fixed)? != TSIG {
            return None;
        }
        let times = after_name(message, data)?;
        let mac = times + 10;
        let mac_length = usize::from(u16_at(message, times + 8)?);
        let rest = mac + mac_length;
        let other_length = usize::from(u16_at(message, rest + 4)?);
        Some(Self {
            begins_at: at,
            signed_at: message.get(times..times + 8)?,
            mac: message.get(mac..rest)?,
            original_id: u16_at(message, rest)?,
            error: u16_at(message, rest + 2)?,
            other: message.get(rest + 6..rest + 6 + other_length)?,
        })
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        let seconds = self.signed_at.iter().take(6).fold(0_i64, |time, octet| time * 256 + i64::from(*octet));
        seconds.abs_diff(now.unix_seconds()) <= FUDGE.into()
    }
}

/// The place behind a name, which may end in a pointer (RFC 1035 §4.1.4).
fn after_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            192..=255 => return Some(at + 2),
            _ => return None,
        }
    }
}

fn u16_at(message: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]))
}

fn refused(code: u16, error: u16) -> ConnectorError {
    let (kind, why) = match (code, error) {
        (_, 16) => (ConnectorErrorKind::Auth, "BADSIG: the key's secret is another one there".to_owned()),
        (_, 17) => (ConnectorErrorKind::Auth, "BADKEY: it does not know the key".to_owned()),
        (_, 18) => (ConnectorErrorKind::Transient, "BADTIME: its clock and this host's differ too much".to_owned()),
        (2, _) => (ConnectorErrorKind::Transient, "SERVFAIL".to_owned()),
        (5, _) => (ConnectorErrorKind::Auth, "REFUSED: the key may not change the zone".to_owned()),
        (9, _) => {
            (ConnectorErrorKind::Auth, "NOTAUTH: it does not have the zone, or the key may not change it".to_owned())
        }
        (10, _) => (ConnectorErrorKind::Permanent, "NOTZONE: the name is not in the zone".to_owned()),
        (code, _) => (ConnectorErrorKind::Permanent, format!("response code {code}")),
    };
    ConnectorError::new(kind, format!("the DNS server refuses the update: {why}"))
}

fn unsigned() -> ConnectorError {
    ConnectorError::new(
        ConnectorErrorKind::Auth,
        "the DNS server's answer is not signed with the key; check its secret",
    )
}

fn damaged() -> ConnectorError {
    ConnectorError::transient("the DNS server answered with something that is no answer to the update")
}

fn dialled(error: DialError) -> ConnectorError {
    let kind = match error {
        DialError::Refused { .. } => ConnectorErrorKind::Permanent,
        _ => ConnectorErrorKind::Unreachable,
    };
    ConnectorError::new(kind, "the DNS server that takes updates cannot be reached").because(error)
}

#[cfg(test)]
mod tests;
