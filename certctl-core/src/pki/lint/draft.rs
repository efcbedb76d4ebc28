//! Certificates with one thing wrong, for tests: every part can be replaced by any bytes.

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc4519, rfc5280, rfc5912, rfc8410};

use crate::pki::tlv::{self, write};
use crate::pki::{algorithm, general_name, name};

pub(super) const EKU: ObjectIdentifier = rfc5280::ID_CE_EXT_KEY_USAGE;
pub(super) const SAN: ObjectIdentifier = rfc5280::ID_CE_SUBJECT_ALT_NAME;
pub(super) const KEY_USAGE: ObjectIdentifier = rfc5280::ID_CE_KEY_USAGE;
pub(super) const CONSTRAINTS: ObjectIdentifier = rfc5280::ID_CE_BASIC_CONSTRAINTS;
pub(super) const AUTHORITY_KEY: ObjectIdentifier = rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER;
pub(super) const SUBJECT_KEY: ObjectIdentifier = rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER;
pub(super) const POLICIES: ObjectIdentifier = rfc5280::ID_CE_CERTIFICATE_POLICIES;
pub(super) const CRL: ObjectIdentifier = rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS;
pub(super) const ACCESS: ObjectIdentifier = rfc5280::ID_PE_AUTHORITY_INFO_ACCESS;

/// A TBSCertificate in parts; every field is a whole value but the serial, which is contents.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) version: Vec<u8>,
    pub(super) serial: Vec<u8>,
    pub(super) algorithm: Vec<u8>,
    pub(super) issuer: Vec<u8>,
    pub(super) not_before: Vec<u8>,
    pub(super) not_after: Vec<u8>,
    pub(super) subject: Vec<u8>,
    pub(super) spki: Vec<u8>,
    pub(super) unique_id: Vec<u8>,
    pub(super) extensions: Vec<Extension>,
}

#[derive(Clone)]
pub(super) struct Extension {
    pub(super) oid: ObjectIdentifier,
    /// The octet of the BOOLEAN, if it is written.
    pub(super) critical: Option<u8>,
    pub(super) value: Vec<u8>,
}

impl Draft {
    /// A leaf that no rule of any scope complains about.
    pub(super) fn leaf() -> Self {
        Self {
            version: vec![0xa0, 3, 2, 1, 2],
            serial: vec![0x11; 20],
            algorithm: algorithm::encode(crate::domain::SignatureAlgorithm::EcdsaSha256),
            issuer: name::encode(&[(rfc4519::COUNTRY_NAME, "DE"), (rfc4519::COMMON_NAME, "Issuing")]),
            not_before: utc("270401000000Z"),
            not_after: utc("270630000000Z"),
            subject: common_name("shop.certctl.de"),
            spki: p256(),
            unique_id: vec![],
            extensions: vec![
                critical(CONSTRAINTS, write(tlv::SEQUENCE, &[])),
                critical(KEY_USAGE, vec![3, 2, 7, 0x80]),
                plain(EKU, sequence(&[oid(rfc5280::ID_KP_SERVER_AUTH), oid(rfc5280::ID_KP_CLIENT_AUTH)])),
                plain(SUBJECT_KEY, write(tlv::OCTET_STRING, &[&[1; 20]])),
                plain(AUTHORITY_KEY, sequence(&[write(0x80, &[&[2; 20]])])),
                plain(SAN, sans(&[dns("shop.certctl.de"), dns("*.certctl.de")])),
                plain(POLICIES, policies(&["2.23.140.1.2.1"])),
                plain(CRL, crl("http://ca.certctl.de/crl")),
                plain(ACCESS, access(&[(rfc5280::ID_AD_OCSP, "http://ca.certctl.de/ocsp")])),
            ],
        }
    }

    /// An authority that no rule complains about.
    pub(super) fn authority() -> Self {
        let mut draft = Self { subject: common_name("Authority"), ..Self::leaf() };
        draft.extensions.retain(|extension| [SUBJECT_KEY, AUTHORITY_KEY].contains(&extension.oid));
        draft.extensions.push(critical(CONSTRAINTS, sequence(&[vec![1, 1, 0xff], vec![2, 1, 0]])));
        draft.extensions.push(critical(KEY_USAGE, vec![3, 2, 1, 0x06]));
        draft
    }

    pub(super) fn tbs(&self) -> Vec<u8> {
        let extensions: Vec<Vec<u8>> = self
            .extensions
            .iter()
            .map(|extension| {
                let critical = extension.critical.map_or(vec![], |octet| vec![tlv::BOOLEAN, 1, octet]);
                sequence(&[oid(extension.oid), critical, write(tlv::OCTET_STRING, &[&extension.value])])
            })
            .collect();
        sequence(&[
            self.version.clone(),
            write(tlv::INTEGER, &[&self.serial]),
            self.algorithm.clone(),
            self.issuer.clone(),
            sequence(&[self.not_before.clone(), self.not_after.clone()]),
            self.subject.clone(),
            self.spki.clone(),
            self.unique_id.clone(),
            write(0xa3, &[&sequence(&extensions)]),
        ])
    }

    pub(super) fn extension(&mut self, oid: ObjectIdentifier) -> &mut Extension {
        self.extensions.iter_mut().find(|extension| extension.oid == oid).unwrap()
    }

    pub(super) fn set(&mut self, oid: ObjectIdentifier, value: Vec<u8>) {
        self.extension(oid).value = value;
    }

    pub(super) fn remove(&mut self, oid: ObjectIdentifier) {
        self.extensions.retain(|extension| extension.oid != oid);
    }

    pub(super) fn make_critical(&mut self, oid: ObjectIdentifier) {
        self.extension(oid).critical = Some(0xff);
    }
}

pub(super) fn critical(oid: ObjectIdentifier, value: Vec<u8>) -> Extension {
    Extension { oid, critical: Some(0xff), value }
}

pub(super) fn plain(oid: ObjectIdentifier, value: Vec<u8>) -> Extension {
    Extension { oid, critical: None, value }
}

pub(super) fn sequence(values: &[Vec<u8>]) -> Vec<u8> {
    write(tlv::SEQUENCE, &values.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

pub(super) fn oid(oid: ObjectIdentifier) -> Vec<u8> {
    write(tlv::OBJECT_IDENTIFIER, &[oid.as_bytes()])
}

pub(super) fn utc(text: &str) -> Vec<u8> {
    write(tlv::UTC_TIME, &[text.as_bytes()])
}

pub(super) fn common_name(text: &str) -> Vec<u8> {
    name::encode(&[(rfc4519::COMMON_NAME, text)])
}

/// A name of one attribute with any string type.
pub(super) fn attribute(kind: ObjectIdentifier, tag: u8, contents: &[u8]) -> Vec<u8> {
    let pair = sequence(&[oid(kind), write(tag, &[contents])]);
    write(tlv::SEQUENCE, &[&write(tlv::SET, &[&pair])])
}

pub(super) fn dns(text: &str) -> Vec<u8> {
    write(0x82, &[text.as_bytes()])
}

pub(super) fn sans(names: &[Vec<u8>]) -> Vec<u8> {
    sequence(names)
}

pub(super) fn policies(all: &[&str]) -> Vec<u8> {
    sequence(&all.iter().map(|policy| sequence(&[oid(ObjectIdentifier::new(policy).unwrap())])).collect::<Vec<_>>())
}

pub(super) fn crl(url: &str) -> Vec<u8> {
    let location = write(general_name::URI, &[url.as_bytes()]);
    sequence(&[sequence(&[write(0xa0, &[&write(0xa0, &[&location])])])])
}

pub(super) fn access(all: &[(ObjectIdentifier, &str)]) -> Vec<u8> {
    let one = |(method, url): &(ObjectIdentifier, &str)| {
        sequence(&[oid(*method), write(general_name::URI, &[url.as_bytes()])])
    };
    sequence(&all.iter().map(one).collect::<Vec<_>>())
}

fn spki(identifier: &[Vec<u8>], bits: &[u8]) -> Vec<u8> {
    sequence(&[sequence(identifier), write(tlv::BIT_STRING, &[&[0], bits])])
}

pub(super) fn p256() -> Vec<u8> {
    spki(&[oid(rfc5912::ID_EC_PUBLIC_KEY), oid(rfc5912::SECP_256_R_1)], &[vec![4], vec![9; 64]].concat())
}

pub(super) fn ed25519() -> Vec<u8> {
    spki(&[oid(rfc8410::ID_ED_25519)], &[9; 32])
}

/// An RSA key whose modulus begins with this octet.
pub(super) fn rsa(first: &[u8], octets: usize, exponent: &[u8], parameters: &[u8]) -> Vec<u8> {
    let modulus = [first.to_vec(), vec![0xab; octets - first.len()]].concat();
    let sign = if modulus[0] & 0x80 == 0 { vec![] } else { vec![0] };
    let numbers = sequence(&[write(tlv::INTEGER, &[&sign, &modulus]), write(tlv::INTEGER, &[exponent])]);
    spki(&[oid(rfc5912::RSA_ENCRYPTION), parameters.to_vec()], &numbers)
}

/// An RSA key that no rule complains about.
pub(super) fn rsa_2048() -> Vec<u8> {
    rsa(&[0x80], 256, &[1, 0, 1], &[5, 0])
}
