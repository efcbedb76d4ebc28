//! Rules on the certificate as a whole: version, serial number, algorithm, key.

use super::{Verdict, View};
use crate::domain::{KeyAlgorithm, KeyFamily};
use crate::pki::{algorithm, key};

/// Certificates with extensions are v3.
pub(super) fn version_3(view: &View<'_>) -> Verdict {
    if view.tbs.version == 2 { Ok(()) } else { Err(format!("the version is v{}", view.tbs.version.saturating_add(1))) }
}

pub(super) fn serial_positive(view: &View<'_>) -> Verdict {
    let negative = view.tbs.serial.first().is_none_or(|octet| octet & 0x80 != 0);
    let zero = view.tbs.serial.iter().all(|octet| *octet == 0);
    if negative || zero { Err(format!("the serial number is {}", hex::encode(view.tbs.serial))) } else { Ok(()) }
}

pub(super) fn serial_at_most_20_octets(view: &View<'_>) -> Verdict {
    let octets = view.tbs.serial.len();
    if octets <= 20 { Ok(()) } else { Err(format!("the serial number has {octets} octets")) }
}

/// The first nine bits of an INTEGER are not all equal.
pub(super) fn serial_in_shortest_form(view: &View<'_>) -> Verdict {
    match view.tbs.serial {
        [0x00, second, ..] if second & 0x80 == 0 => {
            Err("the serial number has a leading zero octet too many".to_owned())
        }
        [0xff, second, ..] if second & 0x80 != 0 => {
            Err("the serial number has a leading sign octet too many".to_owned())
        }
        _ => Ok(()),
    }
}

/// Only algorithms without known weakness, with the parameters that their RFC demands.
pub(super) fn signature_algorithm(view: &View<'_>) -> Verdict {
    let identifier = view.tbs.signature_algorithm;
    let exact = algorithm::decode(identifier).is_some_and(|known| algorithm::encode(known) == identifier);
    if exact {
        return Ok(());
    }
    let oid = algorithm::parts(identifier).map_or_else(|_| hex::encode(identifier), |(oid, _)| key::dotted(oid));
    Err(format!("{oid} is not ECDSA or RSA with SHA-2, nor Ed25519, or its parameters are wrong"))
}

pub(super) fn no_unique_identifiers(view: &View<'_>) -> Verdict {
    if view.tbs.has_unique_id { Err("a unique identifier is there".to_owned()) } else { Ok(()) }
}

/// A kind and size of key that is known and strong enough.
pub(super) fn public_key(view: &View<'_>) -> Verdict {
    key::algorithm(view.tbs.spki).map(drop).map_err(|error| error.to_string())
}

/// Parameters of rsaEncryption are NULL, not absent.
pub(super) fn rsa_parameters_null(view: &View<'_>) -> Verdict {
    let is_rsa = matches!(view.key.as_ref().and_then(|key| key.algorithm), Some(KeyAlgorithm::Rsa { .. }));
    if is_rsa && !key::has_parameters(view.tbs.spki) { Err("the parameters are absent".to_owned()) } else { Ok(()) }
}

/// An RSA exponent is odd and at least 3.
pub(super) fn rsa_exponent_odd(view: &View<'_>) -> Verdict {
    match exponent(view) {
        Some(exponent) if exponent.last().is_none_or(|octet| octet & 1 == 0) || exponent == [1] => {
            Err(format!("the exponent is {}", hex::encode(exponent)))
        }
        _ => Ok(()),
    }
}

/// The exponent of an RSA key, unsigned.
pub(super) fn exponent<'a>(view: &View<'a>) -> Option<&'a [u8]> {
    let key = view.key.as_ref().filter(|key| key.algorithm.is_some_and(|kind| kind.family() == KeyFamily::Rsa))?;
    key::rsa_numbers(key.bits).ok().map(|(_, exponent)| exponent)
}
