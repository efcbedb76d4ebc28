//! What a server asks of requests (RFC 7030 §4.5.2).

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};

use super::binding::CHALLENGE_PASSWORD;
use crate::domain::{KeyFamily, KeyRule, Profile};
use crate::pki::tlv::{self, write};

/// CsrAttrs in DER: the keys that the profile allows, those first that it names first (RFC 9908 §3), and, where requests are bound to
/// their connection, that they have to be. `None` where nothing is asked.
pub fn csr_attributes(profile: &Profile, bound: bool) -> Option<Vec<u8>> {
    let mut wanted = Vec::new();
    if bound {
        wanted.push(oid(CHALLENGE_PASSWORD));
    }
    wanted.extend(profile.allowed_key_algorithms.iter().map(key));
    let wanted: Vec<&[u8]> = wanted.iter().map(Vec::as_slice).collect();
    (!wanted.is_empty()).then(|| write(tlv::SEQUENCE, &wanted))
}

/// AttrOrOID of a key: its type, with the curve or the smallest size as its value.
fn key(rule: &KeyRule) -> Vec<u8> {
    match rule.algorithm {
        KeyFamily::Ecdsa => {
            let curve = if rule.min_size <= 256 { rfc5912::SECP_256_R_1 } else { rfc5912::SECP_384_R_1 };
            attribute(rfc5912::ID_EC_PUBLIC_KEY, &oid(curve))
        }
        KeyFamily::Rsa => {
            let bits = rule.min_size.max(2048).to_be_bytes();
            attribute(rfc5912::RSA_ENCRYPTION, &write(tlv::INTEGER, &[&bits]))
        }
        KeyFamily::Ed25519 => oid(rfc8410::ID_ED_25519),
    }
}

fn attribute(kind: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    write(tlv::SEQUENCE, &[&oid(kind), &write(tlv::SET, &[value])])
}

fn oid(oid: ObjectIdentifier) -> Vec<u8> {
    write(tlv::OBJECT_IDENTIFIER, &[oid.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::entity::Json;

    fn profile(rules: &[(KeyFamily, u16)]) -> Profile {
        Profile {
            id: "prof-a".parse().unwrap(),
            name: "a".into(),
            description: String::new(),
            allowed_key_algorithms: Json(
                rules
                    .iter()
                    .map(|(algorithm, min_size)| KeyRule { algorithm: *algorithm, min_size: *min_size })
                    .collect(),
            ),
            max_ttl_seconds: 0,
            allowed_ekus: Json(Vec::new()),
            required_san_patterns: Json(Vec::new()),
            spiffe_uri_pattern: String::new(),
            allow_short_lived: false,
            must_staple: false,
            requires_approval: false,
            enabled: true,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        }
    }

    #[test]
    fn keys_are_asked_for_as_the_profile_allows_them() {
        assert_eq!(csr_attributes(&profile(&[]), false), None);
        let all = [(KeyFamily::Ecdsa, 384), (KeyFamily::Rsa, 3072), (KeyFamily::Ed25519, 256)];
        // SEQUENCE { {ecPublicKey {secp384r1}}, {rsaEncryption {3072}}, Ed25519 }
        let expected = concat!(
            "302c",
            "301206072a8648ce3d0201310706052b81040022",
            "301106092a864886f70d010101310402020c00",
            "06032b6570"
        );
        assert_eq!(csr_attributes(&profile(&all), false).map(hex::encode).as_deref(), Some(expected));
        let bound = csr_attributes(&profile(&[(KeyFamily::Ecdsa, 256)]), true).map(hex::encode).unwrap();
        assert_eq!(bound, "302206092a864886f70d010907301506072a8648ce3d0201310a06082a8648ce3d030107");
    }
}
