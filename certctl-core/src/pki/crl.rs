//! Certificate revocation lists (RFC 5280 §5): built entry by entry, and signed where they stand.
//!
//! A list may have a million entries, so it is written into one buffer. What stands in front of the entries is as long as it may
//! become at most when they are written, and is put in place when their length is known.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;

use super::certificate::extension::{Criticality, authority_key_identifier, extension};
use super::certificate::{Authority, SigningError};
use super::tlv::{self, write};
use super::{PkiError, algorithm, time, verify};
use crate::domain::{RevocationReason, Serial, SignatureAlgorithm, Timestamp};
use crate::ports::Signer;

/// cRLNumber (§5.2.3).
const CRL_NUMBER: ObjectIdentifier = rfc5280::ID_CE_CRL_NUMBER;
/// The longest entry: one with a serial number of 20 octets, a GeneralizedTime and a reason.
const ENTRY: usize = 55;
/// Tag and the longest length of a value.
const HEADER: usize = 6;
/// crlEntryExtensions with a reasonCode (§5.3.1), up to the code.
const REASON_CODE: [u8; 13] =
    [tlv::SEQUENCE, 12, tlv::SEQUENCE, 10, tlv::OBJECT_IDENTIFIER, 3, 0x55, 0x1d, 0x15, tlv::OCTET_STRING, 3, 0x0a, 1];

/// What a list says besides its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrlRequest {
    /// Its number, higher than that of every list before it (§5.2.3).
    pub number: u64,
    /// When it was made (§5.1.2.4).
    pub this_update: Timestamp,
    /// When the next one is there at the latest (§5.1.2.5).
    pub next_update: Timestamp,
    /// About how many entries there will be: room is made for them.
    pub entries: usize,
}

/// One revoked certificate (§5.1.2.6).
#[derive(Clone, Copy, Debug)]
pub struct CrlEntry<'a> {
    /// Its serial number; each once.
    pub serial: &'a Serial,
    /// Since when it is revoked.
    pub revoked_at: Timestamp,
    /// Why; `unspecified` is not written (§5.3.1).
    pub reason: RevocationReason,
}

/// A version 2 list that entries are added to.
#[derive(Clone, Debug)]
pub struct CrlBuilder {
    /// Room for all headers, then what stands in front of the entries, then the entries.
    buffer: Vec<u8>,
    /// What stands in front of the entries.
    front: Vec<u8>,
    /// Where the entries begin.
    start: usize,
    extensions: Vec<u8>,
    /// The last moment that was written, and how.
    moment: (Timestamp, Vec<u8>),
    authority_spki: Vec<u8>,
    signature_algorithm: SignatureAlgorithm,
}

/// A TBSCertList (§5.1.2) that its authority has yet to sign.
#[derive(Clone, Debug)]
pub struct UnsignedCrl {
    buffer: Vec<u8>,
    /// Where it begins; in front of it is room for the header of the whole.
    start: usize,
    authority_spki: Vec<u8>,
    signature_algorithm: SignatureAlgorithm,
}

impl CrlBuilder {
    /// A list of the certificates of an authority.
    ///
    /// # Errors
    /// [`PkiError::Unencodable`] when the authority may not sign lists (§4.2.1.3), or the next update is not after this one.
    pub fn new(authority: &Authority, request: CrlRequest) -> Result<Self, PkiError> {
        const WHAT: &str = "CRL";
        if !authority.signs_crls() {
            let why = "the keyUsage of the CA certificate lacks cRLSign".to_owned();
            return Err(PkiError::Unencodable { what: WHAT, why });
        }
        if request.next_update.unix_seconds() <= request.this_update.unix_seconds() {
            let why = "its next update is not after this one".to_owned();
            return Err(PkiError::Unencodable { what: WHAT, why });
        }
        let signature_algorithm = authority.signature_algorithm();
        let front = [
            // v2 (§5.1.2.1).
            vec![tlv::INTEGER, 1, 1],
            algorithm::encode(signature_algorithm),
            authority.name().to_vec(),
            time::write(request.this_update),
            time::write(request.next_update),
        ]
        .concat();
        let number = write(tlv::INTEGER, &[&unsigned(request.number)]);
        let list =
            [authority_key_identifier(authority.key_id()), extension(CRL_NUMBER, Criticality::NotCritical, &number)]
                .concat();
        let extensions = write(0xa0, &[&write(tlv::SEQUENCE, &[&list])]);
        // The headers of the whole, of what is signed, and of the entries.
        let start = 3 * HEADER + front.len();
        // Extensions and signature follow without the buffer having to move.
        let mut buffer = Vec::with_capacity(start + request.entries.saturating_mul(ENTRY) + extensions.len() + 1_200);
        buffer.resize(start, 0);
        Ok(Self {
            buffer,
            front,
            start,
            extensions,
            moment: (request.this_update, time::write(request.this_update)),
            authority_spki: authority.spki().to_vec(),
            signature_algorithm,
        })
    }

    /// Adds an entry.
    pub fn add(&mut self, entry: CrlEntry<'_>) {
        if self.moment.0 != entry.revoked_at {
            self.moment = (entry.revoked_at, time::write(entry.revoked_at));
        }
        let serial = entry.serial.to_integer();
        let reason: &[u8] = if entry.reason == RevocationReason::Unspecified { &[] } else { &REASON_CODE };
        let code = usize::from(!reason.is_empty());
        // 2 + 20 for the serial, 17 for the time, 14 for the reason: always the short form.
        let length = 2 + serial.len() + self.moment.1.len() + reason.len() + code;
        self.buffer.extend([tlv::SEQUENCE, short(length), tlv::INTEGER, short(serial.len())]);
        self.buffer.extend_from_slice(&serial);
        self.buffer.extend_from_slice(&self.moment.1);
        self.buffer.extend_from_slice(reason);
        if code == 1 {
            self.buffer.push(entry.reason.code());
        }
    }

    /// All entries are there.
    pub fn finish(self) -> UnsignedCrl {
        let Self { mut buffer, front, start, extensions, authority_spki, signature_algorithm, .. } = self;
        let entries = buffer.len() - start;
        // Without entries the field is absent (§5.1.2.6).
        let row = if entries == 0 { Vec::new() } else { header(entries) };
        buffer.extend_from_slice(&extensions);
        let inner = front.len() + row.len() + entries + extensions.len();
        let head = [header(inner), front, row].concat();
        let begins = start - head.len();
        place(&mut buffer, begins, &head);
        UnsignedCrl { buffer, start: begins, authority_spki, signature_algorithm }
    }
}

impl UnsignedCrl {
    /// The DER that is to be signed.
    pub fn tbs(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Signs, and gives the DER CertificateList (§5.1.1).
    ///
    /// # Errors
    /// [`SigningError`] of every kind but lint. The signature is verified before it is given away, as that of a certificate is.
    pub async fn sign(self, signer: &dyn Signer) -> Result<Vec<u8>, SigningError> {
        if signer.public_key() != self.authority_spki || signer.signature_algorithm() != self.signature_algorithm {
            return Err(SigningError::WrongKey);
        }
        let signature = signer.sign(self.tbs()).await?;
        if !verify::signature(&self.authority_spki, self.signature_algorithm, self.tbs(), &signature) {
            return Err(SigningError::BadSignature);
        }
        let Self { mut buffer, start, signature_algorithm, .. } = self;
        buffer.extend(algorithm::encode(signature_algorithm));
        buffer.extend(write(tlv::BIT_STRING, &[&[0], &signature]));
        let head = header(buffer.len() - start);
        let begins = start - head.len();
        place(&mut buffer, begins, &head);
        buffer.drain(..begins);
        Ok(buffer)
    }
}

/// The header of a SEQUENCE of so many octets.
fn header(length: usize) -> Vec<u8> {
    let octets = length.to_be_bytes();
    let significant = octets.get(octets.iter().take_while(|octet| **octet == 0).count()..).unwrap_or_default();
    let mut header = vec![tlv::SEQUENCE];
    if length < 0x80 {
        header.push(short(length));
    } else {
        header.push(0x80 | short(significant.len()));
        header.extend_from_slice(significant);
    }
    header
}

fn place(buffer: &mut [u8], at: usize, octets: &[u8]) {
    for (place, octet) in buffer.iter_mut().skip(at).zip(octets) {
        *place = *octet;
    }
}

fn short(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(0x7f)
}

/// The contents of a DER INTEGER.
fn unsigned(number: u64) -> Vec<u8> {
    let octets = number.to_be_bytes();
    let significant = octets.get(octets.iter().take_while(|octet| **octet == 0).count()..).unwrap_or_default();
    let sign: &[u8] = if significant.first().is_none_or(|octet| octet & 0x80 != 0) { &[0] } else { &[] };
    [sign, significant].concat()
}

#[cfg(all(test, feature = "testing"))]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::KeyAlgorithm;
    use crate::pki::certificate::{self, AuthorityRequest, DistinguishedName};
    use crate::pki::tlv::{Reader, Tlv};
    use crate::ports::{GeneratedKey, Keys};
    use crate::testing::{SeededRng, TestKeys, block_on};

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_900_000_000);

    fn authority() -> (Authority, GeneratedKey) {
        let key = block_on(TestKeys.generate(KeyAlgorithm::EcdsaP256, &SeededRng::new(1))).unwrap();
        let request = AuthorityRequest {
            subject: DistinguishedName { common_name: "A".into(), ..DistinguishedName::default() },
            spki: key.signer.public_key().to_vec(),
            serial: Serial::random(&SeededRng::new(2)),
            not_before: NOW,
            not_after: NOW + Duration::from_hours(24),
            path_length: None,
            crl_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            ca_issuer_urls: Vec::new(),
        };
        let root = block_on(certificate::root(&request).unwrap().sign(&*key.signer)).unwrap();
        (Authority::from_certificate(&root).unwrap(), key)
    }

    fn request(number: u64, entries: usize) -> CrlRequest {
        CrlRequest { number, this_update: NOW, next_update: NOW + Duration::from_hours(24), entries }
    }

    fn list(number: u64, count: u32) -> Vec<u8> {
        let (authority, key) = authority();
        let mut builder = CrlBuilder::new(&authority, request(number, 3)).unwrap();
        for number in 1..=count {
            let serial = Serial::from_magnitude(&number.to_be_bytes()).unwrap();
            let reason = RevocationReason::ALL[number as usize % RevocationReason::ALL.len()];
            builder.add(CrlEntry { serial: &serial, revoked_at: NOW, reason });
        }
        block_on(builder.finish().sign(&*key.signer)).unwrap()
    }

    fn fields(der: &[u8]) -> Reader<'_> {
        let mut whole = Tlv::only(der).unwrap().open(tlv::SEQUENCE, "a list").unwrap();
        let tbs = whole.open(tlv::SEQUENCE, "what is signed").unwrap();
        whole.expect(tlv::SEQUENCE, "an algorithm").unwrap();
        whole.expect(tlv::BIT_STRING, "a signature").unwrap();
        whole.finish().unwrap();
        tbs
    }

    #[test]
    fn the_fields_stand_in_their_order_however_many_entries_there_are() {
        // Around every length at which a header grows.
        for count in [0, 1, 2, 3, 5, 6, 7, 8, 1_200, 1_300, 1_900, 2_000] {
            let der = list(7, count);
            let mut tbs = fields(&der);
            assert_eq!(tbs.expect(tlv::INTEGER, "a version").unwrap().contents, [1]);
            tbs.expect(tlv::SEQUENCE, "an algorithm").unwrap();
            tbs.expect(tlv::SEQUENCE, "an issuer").unwrap();
            for _ in 0..2 {
                assert_eq!(time::read(tbs.value().unwrap()).unwrap().unix_seconds() / 100_000, 19_000);
            }
            let entries = tbs.optional(tlv::SEQUENCE).unwrap();
            assert_eq!(entries.is_some(), count > 0, "without entries the field is absent");
            let found = entries.map_or(0, |entries| Reader::new(entries.contents).values().map(Result::unwrap).count());
            assert_eq!(found, count as usize);
            tbs.expect(0xa0, "extensions").unwrap();
            tbs.finish().unwrap();
        }
    }

    #[test]
    fn numbers_are_positive_integers() {
        let octets = |number| unsigned(number);
        assert_eq!((octets(0), octets(1), octets(127)), (vec![0], vec![1], vec![127]));
        assert_eq!((octets(128), octets(256)), (vec![0, 128], vec![1, 0]));
        assert_eq!(octets(u64::MAX), [0, 255, 255, 255, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn what_must_not_be_signed_is_not_built() {
        let (authority, _) = authority();
        let backwards = CrlRequest { next_update: NOW, ..request(1, 0) };
        assert!(CrlBuilder::new(&authority, backwards).unwrap_err().to_string().contains("next update"));
        let other = block_on(TestKeys.generate(KeyAlgorithm::EcdsaP256, &SeededRng::new(9))).unwrap();
        let unsigned = CrlBuilder::new(&authority, request(1, 0)).unwrap().finish();
        assert_eq!(block_on(unsigned.sign(&*other.signer)), Err(SigningError::WrongKey));
        let mut without = authority;
        without.signs_crls = false;
        assert!(CrlBuilder::new(&without, request(1, 0)).unwrap_err().to_string().contains("cRLSign"));
    }

    #[test]
    fn the_buffer_does_not_grow_while_it_is_filled() {
        let (authority, _) = authority();
        let mut builder = CrlBuilder::new(&authority, request(1, 10_000)).unwrap();
        let room = builder.buffer.capacity();
        for number in 1..=10_000_u32 {
            let mut octets = [0x7f; 20];
            octets[1..5].copy_from_slice(&number.to_be_bytes());
            let serial = Serial::from_magnitude(&octets).unwrap();
            builder.add(CrlEntry { serial: &serial, revoked_at: NOW, reason: RevocationReason::KeyCompromise });
        }
        assert_eq!(builder.finish().buffer.capacity(), room);
    }
}
