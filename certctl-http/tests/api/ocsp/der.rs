//! OCSP as relying parties write and read it, by hand: nothing here is shared with the code under test but the hashes of issuers.

use certctl_core::domain::SignatureAlgorithm;
use certctl_core::pki::{certificate, key, verify};

/// What a response says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Each CertID and what is known of it.
    pub(crate) certificates: Vec<(Vec<u8>, Status)>,
    pub(crate) nonce: Option<Vec<u8>>,
    pub(crate) produced_at: String,
    pub(crate) this_update: String,
    pub(crate) next_update: String,
    /// The certificate of whoever signed it.
    pub(crate) responder: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Good,
    /// Since when, and the code of why; 0 where none is given.
    Revoked(String, u8),
    Unknown,
}

pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let mut out = vec![tag];
    let length = u16::try_from(contents.len()).unwrap().to_be_bytes();
    match length {
        [0, short @ 0..=127] => out.push(short),
        [0, long] => out.extend([0x81, long]),
        [high, low] => out.extend([0x82, high, low]),
    }
    out.extend(contents);
    out
}

/// A request for certificates, by their CertIDs.
pub(crate) fn request(ids: &[Vec<u8>], nonce: Option<&[u8]>) -> Vec<u8> {
    let list: Vec<u8> = ids.iter().flat_map(|id| tlv(0x30, &[id])).collect();
    let nonce = nonce.map(|nonce| {
        let oid = [6, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2];
        let extension = tlv(0x30, &[&oid, &tlv(4, &[&tlv(4, &[nonce])])]);
        tlv(0xa2, &[&tlv(0x30, &[&extension])])
    });
    tlv(0x30, &[&tlv(0x30, &[&tlv(0x30, &[&list]), &nonce.unwrap_or_default()])])
}

/// One value: its tag, its contents, all of it, and what follows.
fn next(bytes: &[u8]) -> (u8, &[u8], &[u8], &[u8]) {
    let (header, length) = match bytes[1] {
        short @ 0..=127 => (2, usize::from(short)),
        0x81 => (3, usize::from(bytes[2])),
        0x82 => (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
        other => panic!("a length of {other:x}"),
    };
    let end = header + length;
    (bytes[0], &bytes[header..end], &bytes[..end], &bytes[end..])
}

/// The values inside one value.
fn all(mut contents: &[u8]) -> Vec<(u8, &[u8], &[u8])> {
    let mut values = Vec::new();
    while !contents.is_empty() {
        let (tag, inner, whole, rest) = next(contents);
        values.push((tag, inner, whole));
        contents = rest;
    }
    values
}

fn time((tag, contents): (u8, &[u8])) -> String {
    assert_eq!(tag, 0x18, "OCSP has GeneralizedTime alone (RFC 6960 section 4.2.2.1)");
    String::from_utf8(contents.to_vec()).unwrap()
}

/// The status of a response: 0 for one that says something.
pub(crate) fn status(response: &[u8]) -> u8 {
    let (_, contents, _, rest) = next(response);
    assert!(rest.is_empty());
    match next(contents) {
        (0x0a, [status], ..) => *status,
        other => panic!("{other:?}"),
    }
}

/// What a successful response says, after a look at its signature by the certificate that it holds, and at that certificate's by
/// the CA.
pub(crate) fn told(response: &[u8], ca: &[u8]) -> Told {
    assert_eq!(status(response), 0, "{response:02x?}");
    let parts = all(next(response).1);
    let bytes = all(next(parts[1].1).1);
    assert_eq!(bytes[0].2, [6, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1]);
    let basic = all(next(bytes[1].1).1);
    let [(_, data, tbs), _, (3, signature, _), (0xa0, certs, _)] = basic[..] else { panic!("{basic:02x?}") };
    let responder = next(next(certs).1).2.to_vec();
    let facts = certificate::parse(&responder).unwrap();
    assert!(verify::signature(&facts.spki, SignatureAlgorithm::EcdsaSha256, tbs, &signature[1..]));
    signed_by(&responder, ca);
    let data = all(data);
    // byKey: the hash of the responder's key.
    assert_eq!((data[0].0, next(data[0].1).1), (0xa2, &key::identifier(&facts.spki).unwrap()[..]));
    let singles = all(data[2].1);
    let times = all(singles[0].1);
    let nonce = data.get(3).map(|(tag, extensions, _)| {
        assert_eq!(*tag, 0xa1);
        let extension = all(next(next(extensions).1).1);
        next(extension.last().unwrap().1).1.to_vec()
    });
    Told {
        certificates: singles.iter().map(|(_, single, _)| certificate_of(single)).collect(),
        nonce,
        produced_at: time((data[1].0, data[1].1)),
        this_update: time((times[2].0, times[2].1)),
        next_update: time((next(times[3].1).0, next(times[3].1).1)),
        responder,
    }
}

fn certificate_of(single: &[u8]) -> (Vec<u8>, Status) {
    let parts = all(single);
    let status = match (parts[1].0, parts[1].1) {
        (0x80, []) => Status::Good,
        (0x82, []) => Status::Unknown,
        (0xa1, info) => {
            let info = all(info);
            let reason = info.get(1).map_or(0, |(_, reason, _)| next(reason).1[0]);
            Status::Revoked(time((info[0].0, info[0].1)), reason)
        }
        other => panic!("{other:02x?}"),
    };
    (parts[0].2.to_vec(), status)
}

/// A certificate is signed by a CA, whose key is on P-256.
fn signed_by(certificate: &[u8], ca: &[u8]) {
    let parts = all(next(certificate).1);
    let ca = certificate::parse(ca).unwrap();
    assert!(verify::signature(&ca.spki, SignatureAlgorithm::EcdsaSha256, parts[0].2, &parts[2].1[1..]));
}
