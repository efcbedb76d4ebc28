//! Against a server that verifies and signs.

use certctl_core::ports::Endpoint;
use certctl_core::testing::{FakePorts, Peer, block_on};
use zeroize::Zeroizing;

use super::*;

fn terms() -> UpdateTerms {
    UpdateTerms {
        server: Endpoint { host: "ns.example".into(), port: 53 },
        zones: vec!["example".into(), "shop.example".into()],
        key_name: "certctl-key".into(),
        algorithm: TsigAlgorithm::HmacSha256,
        key: Zeroizing::new(b"0123456789abcdef0123456789abcdef".to_vec()),
    }
}

/// What the server does to its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Good,
    /// With this response code.
    Refuses(u16),
    /// Without a signature, with this response code.
    Unsigned(u16),
    /// Signed with another key.
    OtherKey,
    /// Changed after it was signed.
    Changed,
    /// About another request.
    OtherId,
    /// Cut off.
    Short,
    Garbage,
}

struct Server(Manner);

impl Peer for Server {
    fn greeting(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn hear(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let request = &bytes[2..];
        let terms = terms();
        let header = Header::read(request).unwrap();
        let signature = Signature::find(request, &header).unwrap();
        // The request is signed as RFC 8945 §4.3.3 says.
        let mut message = request[..signature.begins_at].to_vec();
        message[10..12].copy_from_slice(&[0, 0]);
        let expected = terms.mac(&[&message, &terms.variables(signature.signed_at, 0, &[])]);
        assert_eq!(expected, signature.mac);
        let code = match self.0 {
            Manner::Refuses(code) | Manner::Unsigned(code) => code,
            _ => 0,
        };
        let id = if self.0 == Manner::OtherId { header.id.wrapping_add(1) } else { header.id };
        let mut answer = Vec::new();
        for field in [id, RESPONSE | UPDATE | code, 0, 0, 0, 0] {
            answer.extend(field.to_be_bytes());
        }
        if !matches!(self.0, Manner::Unsigned(_)) {
            let mut signing = self::terms();
            if self.0 == Manner::OtherKey {
                signing.key = Zeroizing::new(b"another".to_vec());
            }
            let length = u16::try_from(signature.mac.len()).unwrap().to_be_bytes();
            let variables = signing.variables(signature.signed_at, 0, &[]);
            let mac = signing.mac(&[&length, signature.mac, &answer, &variables]);
            let mut data = wire_name("hmac-sha256");
            data.extend(signature.signed_at);
            data.extend(u16::try_from(mac.len()).unwrap().to_be_bytes());
            data.extend(&mac);
            for field in [id, 0, 0] {
                data.extend(field.to_be_bytes());
            }
            answer.extend(wire_name("certctl-key"));
            answer.extend(TSIG.to_be_bytes());
            answer.extend(ANY.to_be_bytes());
            answer.extend([0; 4]);
            answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            answer.extend(data);
            answer[11] = 1;
        }
        match self.0 {
            Manner::Changed => answer[3] |= 5,
            Manner::Short => answer.truncate(20),
            Manner::Garbage => answer.iter_mut().for_each(|octet| *octet = 0xff),
            _ => {}
        }
        let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
        Some([&length, answer.as_slice()].concat())
    }
}

fn updated(manner: Manner, name: &str) -> Result<Vec<u8>, ConnectorError> {
    let fakes = FakePorts::seeded(5);
    fakes.dialer.serve("ns.example", 53, move || Box::new(Server(manner)));
    block_on(update(&terms(), &fakes.ports(), Change::Add, name, "a text"))?;
    Ok(fakes.dialer.heard().concat())
}

#[test]
fn a_record_is_added_to_the_longest_zone_that_holds_it() {
    let heard = updated(Manner::Good, "_acme-challenge.www.shop.example").unwrap();
    let message = &heard[2..];
    // Opcode UPDATE, one zone, no prerequisite, one update, one additional record (RFC 2136 §2.2).
    assert_eq!(&message[2..12], [0x28, 0, 0, 1, 0, 0, 0, 1, 0, 1]);
    let zone = [&wire_name("shop.example"), &[0, 6, 0, 1][..]].concat();
    assert_eq!(&message[12..12 + zone.len()], zone);
    let mut record = wire_name("_acme-challenge.www.shop.example");
    record.extend([0, 16, 0, 1, 0, 0, 0, 60, 0, 7, 6]);
    record.extend(b"a text");
    assert_eq!(&message[12 + zone.len()..12 + zone.len() + record.len()], record);
}

#[test]
fn what_is_not_the_servers_word_is_not_taken() {
    use ConnectorErrorKind::{Auth, Permanent, Policy, Transient};
    for (manner, kind) in [
        (Manner::Refuses(2), Transient),
        (Manner::Refuses(5), Auth),
        (Manner::Refuses(9), Auth),
        (Manner::Refuses(10), Permanent),
        (Manner::Unsigned(0), Auth),
        (Manner::Unsigned(9), Auth),
        (Manner::OtherKey, Auth),
        (Manner::Changed, Auth),
        (Manner::OtherId, Transient),
        (Manner::Short, Auth),
        (Manner::Garbage, Transient),
    ] {
        let error = updated(manner, "_acme-challenge.shop.example").unwrap_err();
        assert_eq!(error.kind, kind, "{}", error.explained());
    }
    let error = updated(Manner::Good, "_acme-challenge.other.test").unwrap_err();
    assert_eq!(error.kind, Policy);
    assert!(error.message.contains("other.test"), "{error}");
    // The end of a name is no zone of it.
    assert!(updated(Manner::Good, "_acme-challenge.notshop.test").is_err());
}

#[test]
fn a_server_that_is_away_is_not_reached() {
    let fakes = FakePorts::seeded(5);
    let error = block_on(update(&terms(), &fakes.ports(), Change::Remove, "a.example", "t")).unwrap_err();
    assert_eq!(error.kind, ConnectorErrorKind::Unreachable);
}

#[test]
fn a_record_is_taken_away_by_name_and_text() {
    let (message, _) =
        request(&terms(), 7, (Change::Remove, "example", "a.example", "t"), Timestamp::from_unix_seconds(1));
    let mut record = wire_name("a.example");
    // Class NONE, no lifetime (RFC 2136 §2.5.4).
    record.extend([0, 16, 0, 254, 0, 0, 0, 0, 0, 2, 1, b't']);
    assert!(message.windows(record.len()).any(|window| window == record));
}
