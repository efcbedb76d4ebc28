//! A CA that signs whatever it is told.

use std::sync::Arc;
use std::time::Duration;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc4519, rfc5280};

use crate::domain::{KeyAlgorithm, Timestamp};
use crate::pki::certificate::extension::{Criticality, extension};
use crate::pki::path::{PathFault, TrustAnchor, Validation};
use crate::pki::tlv::{self, write};
use crate::pki::{algorithm, name, time};
use crate::ports::{Keys, Signer};
use crate::testing::{SeededRng, TestKeys, block_on};

pub(super) const NOW: Timestamp = Timestamp::from_unix_seconds(1_900_000_000);
pub(super) const DAY: Duration = Duration::from_hours(24);

/// Somebody with a name and a key.
#[derive(Clone)]
pub(super) struct Entity {
    pub(super) name: Vec<u8>,
    pub(super) signer: Arc<dyn Signer>,
}

impl Entity {
    pub(super) fn new(common_name: &str, seed: u64) -> Self {
        Self::named(name::encode(&[(rfc4519::COMMON_NAME, common_name)]), seed)
    }

    pub(super) fn named(name: Vec<u8>, seed: u64) -> Self {
        let key = block_on(TestKeys.generate(KeyAlgorithm::Ed25519, &SeededRng::new(seed))).unwrap();
        Self { name, signer: key.signer }
    }

    /// A certificate for somebody, with these extensions, valid for a day around [`NOW`].
    pub(super) fn certify(&self, subject: &Self, extensions: &[Vec<u8>]) -> Vec<u8> {
        let identifier = algorithm::encode(self.signer.signature_algorithm());
        let list: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
        let list = write(0xa3, &[&write(tlv::SEQUENCE, &list)]);
        let tbs = write(
            tlv::SEQUENCE,
            &[
                &[0xa0, 3, tlv::INTEGER, 1, 2],
                &[tlv::INTEGER, 1, 9],
                &identifier,
                &self.name,
                &write(tlv::SEQUENCE, &[&time::write(NOW - DAY), &time::write(NOW + DAY)]),
                &subject.name,
                subject.signer.public_key(),
                if extensions.is_empty() { &[] } else { &list },
            ],
        );
        self.signed(&tbs)
    }

    /// SEQUENCE { what is signed, algorithm, signature }.
    pub(super) fn signed(&self, tbs: &[u8]) -> Vec<u8> {
        let signature = block_on(self.signer.sign(tbs)).unwrap();
        let identifier = algorithm::encode(self.signer.signature_algorithm());
        write(tlv::SEQUENCE, &[tbs, &identifier, &write(tlv::BIT_STRING, &[&[0], &signature])])
    }

    pub(super) fn anchor(&self, extensions: &[Vec<u8>]) -> TrustAnchor {
        let extensions = [&[authority(None)], extensions].concat();
        TrustAnchor::from_certificate(&self.certify(self, &extensions)).unwrap()
    }
}

pub(super) fn critical(oid: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    extension(oid, Criticality::Critical, value)
}

pub(super) fn harmless(oid: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    extension(oid, Criticality::NotCritical, value)
}

/// basicConstraints of a CA.
pub(super) fn authority(path_length: Option<u8>) -> Vec<u8> {
    let length = path_length.map(|length| write(tlv::INTEGER, &[&[length]])).unwrap_or_default();
    critical(rfc5280::ID_CE_BASIC_CONSTRAINTS, &write(tlv::SEQUENCE, &[&[tlv::BOOLEAN, 1, 0xff], &length]))
}

/// subjectAltName of GeneralNames: tags and contents.
pub(super) fn alternative_names(names: &[(u8, &[u8])]) -> Vec<u8> {
    let names: Vec<Vec<u8>> = names.iter().map(|(tag, contents)| write(*tag, &[contents])).collect();
    let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    harmless(rfc5280::ID_CE_SUBJECT_ALT_NAME, &write(tlv::SEQUENCE, &names))
}

/// nameConstraints: bases, permitted and excluded.
pub(super) fn constraints(permitted: &[(u8, &[u8])], excluded: &[(u8, &[u8])]) -> Vec<u8> {
    let subtrees = |tag, bases: &[(u8, &[u8])]| {
        let subtrees: Vec<Vec<u8>> =
            bases.iter().map(|(tag, base)| write(tlv::SEQUENCE, &[&write(*tag, &[base])])).collect();
        let subtrees: Vec<&[u8]> = subtrees.iter().map(Vec::as_slice).collect();
        if subtrees.is_empty() { Vec::new() } else { write(tag, &subtrees) }
    };
    let value = write(tlv::SEQUENCE, &[&subtrees(0xa0, permitted), &subtrees(0xa1, excluded)]);
    critical(rfc5280::ID_CE_NAME_CONSTRAINTS, &value)
}

/// What stands against a path to this anchor, and where.
pub(super) fn fault(anchor: &TrustAnchor, path: &[Vec<u8>]) -> Option<(usize, PathFault)> {
    let anchors = std::slice::from_ref(anchor);
    Validation::new(anchors, NOW).validate(path).err().map(|error| (error.position, error.fault))
}
