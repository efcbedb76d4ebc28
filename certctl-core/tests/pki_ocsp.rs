//! Properties of the parser of OCSP requests (RFC 6960 §4.1.1), over requests that are put together by hand.

#![expect(clippy::unwrap_used, reason = "a test's helper may fail the test")]

use certctl_core::pki::ocsp::{MAX_NONCE_OCTETS, MAX_REQUESTED, OcspRequest, octets_of_url};
use proptest::collection::vec;
use proptest::prelude::*;

fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let header = match u16::try_from(contents.len()).unwrap().to_be_bytes() {
        [0, short @ 0..=0x7f] => vec![tag, short],
        [0, long] => vec![tag, 0x81, long],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [header, contents.to_vec()].concat()
}

/// An object identifier, whether anybody knows it or not.
fn algorithm() -> impl Strategy<Value = Vec<u8>> {
    let oid = prop_oneof![
        Just(vec![0x2b, 0x0e, 3, 2, 0x1a]),
        Just(vec![0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]),
        vec(1_u8..0x80, 1..10),
    ];
    (oid, any::<bool>()).prop_map(|(oid, null)| {
        let null: &[u8] = if null { &[5, 0] } else { &[] };
        tlv(0x30, &[tlv(6, &oid), null.to_vec()].concat())
    })
}

/// The contents of an INTEGER in its shortest form.
fn integer() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 1..24).prop_map(|octets| {
        let mut octets = octets;
        while octets.len() > 1 && ((octets[0] == 0 && octets[1] < 0x80) || (octets[0] == 0xff && octets[1] >= 0x80)) {
            octets.remove(0);
        }
        octets
    })
}

fn cert_id() -> impl Strategy<Value = Vec<u8>> {
    (algorithm(), vec(any::<u8>(), 0..64), vec(any::<u8>(), 0..64), integer()).prop_map(
        |(algorithm, name, key, serial)| tlv(0x30, &[algorithm, tlv(4, &name), tlv(4, &key), tlv(2, &serial)].concat()),
    )
}

fn nonce() -> impl Strategy<Value = Option<Vec<u8>>> {
    proptest::option::of(vec(any::<u8>(), 0..140))
}

fn request(ids: &[Vec<u8>], nonce: Option<&[u8]>) -> Vec<u8> {
    let list: Vec<u8> = ids.iter().flat_map(|id| tlv(0x30, id)).collect();
    let nonce = nonce.map(|nonce| {
        let oid = vec![6, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2];
        let extension = tlv(0x30, &[oid, tlv(4, &tlv(4, nonce))].concat());
        tlv(0xa2, &tlv(0x30, &extension))
    });
    tlv(0x30, &tlv(0x30, &[tlv(0x30, &list), nonce.unwrap_or_default()].concat()))
}

proptest! {
    #[test]
    fn what_is_asked_is_read_as_it_was_written(ids in vec(cert_id(), 1..8), nonce in nonce()) {
        let der = request(&ids, nonce.as_deref());
        match OcspRequest::parse(&der) {
            Ok(read) => {
                prop_assert_eq!(read.ids.iter().map(|id| id.der().to_vec()).collect::<Vec<_>>(), ids);
                prop_assert_eq!(read.nonce, nonce.as_deref());
            }
            Err(error) => {
                // Nothing but the length of its nonce is wrong with it.
                let length = nonce.map_or(1, |nonce| nonce.len());
                prop_assert!(length == 0 || length > MAX_NONCE_OCTETS, "{}", error);
            }
        }
    }

    #[test]
    fn no_octets_make_it_panic(octets in vec(any::<u8>(), 0..400)) {
        if let Ok(read) = OcspRequest::parse(&octets) {
            prop_assert!((1..=MAX_REQUESTED).contains(&read.ids.len()));
        }
    }

    #[test]
    fn no_change_makes_it_panic(ids in vec(cert_id(), 1..4), place in any::<prop::sample::Index>(), octet in any::<u8>()) {
        let mut der = request(&ids, Some(b"12345678"));
        let place = place.index(der.len());
        der[place] = octet;
        if let Ok(read) = OcspRequest::parse(&der) {
            prop_assert!(!read.ids.is_empty());
        }
        der.truncate(place);
        prop_assert!(OcspRequest::parse(&der).is_err(), "a part of a request is none");
    }

    #[test]
    fn no_text_of_a_url_makes_it_panic(text in any::<String>()) {
        if let Some(octets) = octets_of_url(&text) {
            prop_assert!(octets.len() <= text.len());
        }
    }
}
