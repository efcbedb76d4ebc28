//! Rules on basic constraints, keyUsage and extended key usage.

use const_oid::db::rfc5280;

use super::view::{DATA_ENCIPHERMENT, DIGITAL_SIGNATURE, KEY_AGREEMENT, KEY_CERT_SIGN, KEY_ENCIPHERMENT, KeyUsage};
use super::{Verdict, View};
use crate::domain::{ExtendedKeyUsage, KeyAlgorithm, KeyFamily};

const ANY_PURPOSE: &str = "2.5.29.37.0";

fn has(view: &View<'_>, bit: usize) -> bool {
    view.key_usage.as_ref().is_some_and(|usage| usage.has(bit))
}

fn key(view: &View<'_>) -> Option<KeyAlgorithm> {
    view.key.as_ref().and_then(|key| key.algorithm)
}

pub(super) fn basic_constraints_critical_in_ca(view: &View<'_>) -> Verdict {
    match view.extension(rfc5280::ID_CE_BASIC_CONSTRAINTS) {
        Some(extension) if view.is_ca() && !extension.critical => Err("a CA's are not critical".to_owned()),
        _ => Ok(()),
    }
}

pub(super) fn path_length_only_in_ca(view: &View<'_>) -> Verdict {
    let there = view.basic_constraints.as_ref().is_some_and(|constraints| constraints.path_length.is_some());
    if there && !view.is_ca() { Err("a leaf has a pathLenConstraint".to_owned()) } else { Ok(()) }
}

pub(super) fn path_length_not_negative(view: &View<'_>) -> Verdict {
    let length = view.basic_constraints.as_ref().and_then(|constraints| constraints.path_length);
    match length {
        Some(octets) if octets.first().is_none_or(|octet| octet & 0x80 != 0) => {
            Err(format!("pathLenConstraint is {}", hex::encode(octets)))
        }
        _ => Ok(()),
    }
}

pub(super) fn key_usage_in_ca(view: &View<'_>) -> Verdict {
    let there = view.extension(rfc5280::ID_CE_KEY_USAGE).is_some();
    if there || !view.is_ca() { Ok(()) } else { Err("a CA has no keyUsage".to_owned()) }
}

pub(super) fn key_usage_critical(view: &View<'_>) -> Verdict {
    match view.extension(rfc5280::ID_CE_KEY_USAGE) {
        Some(extension) if !extension.critical => Err("keyUsage is not critical".to_owned()),
        _ => Ok(()),
    }
}

pub(super) fn key_usage_not_empty(view: &View<'_>) -> Verdict {
    if view.key_usage.as_ref().is_some_and(KeyUsage::is_empty) {
        return Err("no bit of keyUsage is set".to_owned());
    }
    Ok(())
}

pub(super) fn certificate_signing_only_in_ca(view: &View<'_>) -> Verdict {
    if has(view, KEY_CERT_SIGN) && !view.is_ca() { Err("a leaf has keyCertSign".to_owned()) } else { Ok(()) }
}

pub(super) fn certificate_signing_in_ca(view: &View<'_>) -> Verdict {
    let lacking = view.key_usage.as_ref().is_some_and(|usage| !usage.is_empty() && !usage.has(KEY_CERT_SIGN));
    if view.is_ca() && lacking { Err("a CA lacks keyCertSign".to_owned()) } else { Ok(()) }
}

/// An ECDSA key does not encipher.
pub(super) fn fits_ec_key(view: &View<'_>) -> Verdict {
    let enciphers = has(view, KEY_ENCIPHERMENT) || has(view, DATA_ENCIPHERMENT);
    let is_ec = key(view).is_some_and(|key| key.family() == KeyFamily::Ecdsa);
    if is_ec && enciphers { Err("an EC key has keyEncipherment or dataEncipherment".to_owned()) } else { Ok(()) }
}

/// An Ed25519 key only signs.
pub(super) fn fits_ed25519_key(view: &View<'_>) -> Verdict {
    let other = [KEY_ENCIPHERMENT, DATA_ENCIPHERMENT, KEY_AGREEMENT].iter().any(|bit| has(view, *bit));
    if key(view) == Some(KeyAlgorithm::Ed25519) && other {
        return Err("an Ed25519 key has a usage other than signing".to_owned());
    }
    Ok(())
}

/// An RSA key does not agree on keys.
pub(super) fn fits_rsa_key(view: &View<'_>) -> Verdict {
    let is_rsa = key(view).is_some_and(|key| key.family() == KeyFamily::Rsa);
    if is_rsa && has(view, KEY_AGREEMENT) { Err("an RSA key has keyAgreement".to_owned()) } else { Ok(()) }
}

pub(super) fn purposes_not_empty(view: &View<'_>) -> Verdict {
    if view.purposes.as_ref().is_some_and(Vec::is_empty) {
        return Err("extKeyUsage has no purpose".to_owned());
    }
    Ok(())
}

pub(super) fn purposes_unique(view: &View<'_>) -> Verdict {
    let all = view.purposes.as_deref().unwrap_or_default();
    let twice = all.iter().enumerate().find(|(n, purpose)| all.iter().take(*n).any(|other| other == *purpose));
    twice.map_or(Ok(()), |(_, purpose)| Err(format!("{purpose} is there twice")))
}

pub(super) fn any_purpose_not_critical(view: &View<'_>) -> Verdict {
    let any = view.purposes.iter().flatten().any(|purpose| purpose == ANY_PURPOSE);
    match view.extension(rfc5280::ID_CE_EXT_KEY_USAGE) {
        Some(extension) if any && extension.critical => Err("anyExtendedKeyUsage is critical".to_owned()),
        _ => Ok(()),
    }
}

/// Each purpose that signs needs a keyUsage that signs, or no software could use the key for it.
pub(super) fn purposes_fit_key_usage(view: &View<'_>) -> Verdict {
    let signing = [ExtendedKeyUsage::CodeSigning, ExtendedKeyUsage::ClientAuth, ExtendedKeyUsage::TimeStamping];
    let purpose = view
        .purposes
        .iter()
        .flatten()
        .filter_map(|purpose| ExtendedKeyUsage::from_oid(purpose))
        .find(|purpose| signing.contains(purpose));
    let usage_there = view.key_usage.as_ref().is_some_and(|usage| !usage.is_empty());
    // contentCommitment (bit 1) is a signature too; keyAgreement authenticates clients of static ECDH.
    let signs = [DIGITAL_SIGNATURE, 1, KEY_AGREEMENT].iter().any(|bit| has(view, *bit));
    match purpose {
        Some(purpose) if usage_there && !signs && !view.is_ca() => {
            Err(format!("{purpose} needs digitalSignature in keyUsage"))
        }
        _ => Ok(()),
    }
}

pub(super) fn time_stamping_alone_and_critical(view: &View<'_>) -> Verdict {
    let purposes = view.purposes.as_deref().unwrap_or_default();
    let stamping = ExtendedKeyUsage::TimeStamping.oid();
    if view.is_ca() || !purposes.iter().any(|purpose| purpose == stamping) {
        return Ok(());
    }
    let critical = view.extension(rfc5280::ID_CE_EXT_KEY_USAGE).is_some_and(|extension| extension.critical);
    let alone = purposes.iter().all(|purpose| purpose == stamping);
    if alone && critical { Ok(()) } else { Err("timeStamping is not the only purpose, or not critical".to_owned()) }
}
