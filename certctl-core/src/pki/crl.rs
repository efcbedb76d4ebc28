//! Certificate revocation lists (RFC 5280 §5): built entry by entry, and signed where they stand.
//!
//! A list may have a million entries, so it is written into one buffer. What stands in front of the entries is as long as it may
//! become at most when they are written, and is put in place when their length is known.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;

use super::certificate::extension::{Criticality, authority_key_identifier, distribution_point, extension};
use super::certificate::{Authority, SigningError};
use super::tlv::{self, Reader, write};
use super::{PkiError, algorithm, time, verify};
use crate::domain::{RevocationReason, Serial, SignatureAlgorithm, Timestamp};
use crate::ports::Signer;

/// cRLNumber (§5.2.3).
const CRL_NUMBER: ObjectIdentifier = rfc5280::ID_CE_CRL_NUMBER;
/// deltaCRLIndicator (§5.2.4).
const DELTA_CRL_INDICATOR: ObjectIdentifier = rfc5280::ID_CE_DELTA_CRL_INDICATOR;
/// issuingDistributionPoint (§5.2.5).
const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = rfc5280::ID_CE_ISSUING_DISTRIBUTION_POINT;
/// freshestCRL (§5.2.6).
const FRESHEST_CRL: ObjectIdentifier = rfc5280::ID_CE_FRESHEST_CRL;
/// removeFromCRL, which only lists of changes have (§5.3.1).
const REMOVE_FROM_CRL: u8 = 8;
/// The longest entry: one with a serial number of 20 octets, a GeneralizedTime and a reason.
const ENTRY: usize = 55;
/// Tag and the longest length of a value.
const HEADER: usize = 6;
/// crlEntryExtensions with a reasonCode (§5.3.1), up to the code.
const REASON_CODE: [u8; 13] =
    [tlv::SEQUENCE, 12, tlv::SEQUENCE, 10, tlv::OBJECT_IDENTIFIER, 3, 0x55, 0x1d, 0x15, tlv::OCTET_STRING, 3, 0x0a, 1];

/// What a list says besides its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlRequest {
    /// Its number, higher than that of every list before it (§5.2.3).
    pub number: u64,
    /// When it was made (§5.1.2.4).
    pub this_update: Timestamp,
    /// When the next one is there at the latest (§5.1.2.5).
    pub next_update: Timestamp,
    /// What it is a list of.
    pub extent: CrlExtent,
    /// About how many entries there will be: room is made for them.
    pub entries: usize,
}

/// What a list is a list of: all certificates of its authority, unless it says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrlExtent {
    /// Of a list of changes: the number of the complete list that they are changes of (§5.2.4).
    pub base: Option<u64>,
    /// Of a list of some certificates: where it is, as they name it (§5.2.5).
    pub distribution_point: Option<String>,
    /// Of a complete list: where the list of changes is (§5.2.6).
    pub freshest: Option<String>,
}

impl CrlExtent {
    /// The extensions that say so, in DER.
    fn extensions(&self) -> Result<Vec<u8>, PkiError> {
        let mut extensions = Vec::new();
        if let Some(base) = self.base {
            let base = write(tlv::INTEGER, &[&unsigned(base)]);
            extensions.extend(extension(DELTA_CRL_INDICATOR, Criticality::Critical, &base));
        }
        if let Some(url) = &self.distribution_point {
            let point = distribution_point(url)?;
            extensions.extend(extension(ISSUING_DISTRIBUTION_POINT, Criticality::Critical, &point));
        }
        // A list of changes has none (§5.2.6).
        if let Some(url) = self.freshest.as_ref().filter(|_| self.base.is_none()) {
            let points = write(tlv::SEQUENCE, &[&distribution_point(url)?]);
            extensions.extend(extension(FRESHEST_CRL, Criticality::NotCritical, &points));
        }
        Ok(extensions)
    }
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

impl CrlEntry<'_> {
    /// Its DER, which [`CrlBuilder::add_written`] takes.
    pub fn to_der(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(ENTRY);
        append(&mut octets, self.serial, &time::write(self.revoked_at), self.code());
        octets
    }

    fn code(&self) -> Option<u8> {
        (self.reason != RevocationReason::Unspecified).then(|| self.reason.code())
    }
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
    /// [`PkiError::Unencodable`] when the authority may not sign lists (§4.2.1.3), the next update is not after this one, or a
    /// location is no URL.
    pub fn new(authority: &Authority, request: &CrlRequest) -> Result<Self, PkiError> {
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
        let list = [
            authority_key_identifier(authority.key_id()),
            extension(CRL_NUMBER, Criticality::NotCritical, &number),
            request.extent.extensions()?,
        ]
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
        self.write(entry.serial, entry.revoked_at, entry.code());
    }

    /// Adds entries that [`CrlEntry::to_der`] wrote, one behind the other; gives how many. `None` when anything else is among
    /// them, and then none is added.
    pub fn add_written(&mut self, entries: &[u8]) -> Option<usize> {
        let mut count = 0;
        for entry in Reader::new(entries).values() {
            let mut fields = entry.ok()?.open(tlv::SEQUENCE, "an entry").ok()?;
            fields.expect(tlv::INTEGER, "a serial number").ok()?;
            count += 1;
        }
        self.buffer.extend_from_slice(entries);
        Some(count)
    }

    /// Adds to a list of changes that a certificate is not on hold any more, since when.
    pub fn remove(&mut self, serial: &Serial, released_at: Timestamp) {
        self.write(serial, released_at, Some(REMOVE_FROM_CRL));
    }

    fn write(&mut self, serial: &Serial, at: Timestamp, code: Option<u8>) {
        if self.moment.0 != at {
            self.moment = (at, time::write(at));
        }
        append(&mut self.buffer, serial, &self.moment.1, code);
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

/// Writes an entry (§5.1.2.6), with its time as it is encoded.
fn append(buffer: &mut Vec<u8>, serial: &Serial, time: &[u8], code: Option<u8>) {
    let magnitude = serial.as_bytes();
    // A number whose highest bit is set would read as a negative one.
    let sign = usize::from(magnitude.first().is_some_and(|octet| octet & 0x80 != 0));
    let reason = if code.is_some() { REASON_CODE.len() + 1 } else { 0 };
    // 2 + 20 for the serial, 17 for the time, 14 for the reason: always the short form.
    let length = 2 + sign + magnitude.len() + time.len() + reason;
    buffer.extend_from_slice(&[tlv::SEQUENCE, short(length), tlv::INTEGER, short(sign + magnitude.len())]);
    if sign == 1 {
        buffer.push(0);
    }
    buffer.extend_from_slice(magnitude);
    buffer.extend_from_slice(time);
    if let Some(code) = code {
        buffer.extend_from_slice(&REASON_CODE);
        buffer.push(code);
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
    use crate::pki::tlv::Tlv;
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
        let (this_update, next_update) = (NOW, NOW + Duration::from_hours(24));
        CrlRequest { number, this_update, next_update, extent: CrlExtent::default(), entries }
    }

    fn list(number: u64, count: u32) -> Vec<u8> {
        let (authority, key) = authority();
        let mut builder = CrlBuilder::new(&authority, &request(number, 3)).unwrap();
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
    fn what_was_written_before_is_added_as_it_is_or_not_at_all() {
        let (authority, key) = authority();
        let signed = |builder: CrlBuilder| block_on(builder.finish().sign(&*key.signer)).unwrap();
        let (mut one_by_one, mut written) = (CrlBuilder::new(&authority, &request(3, 9)).unwrap(), Vec::new());
        let mut at_once = one_by_one.clone();
        for (number, reason) in RevocationReason::ALL.iter().enumerate() {
            let serial = Serial::from_magnitude(&[0x80 >> number, 1]).unwrap();
            // From 2050 on a time is longer (§5.1.2.6).
            let revoked_at = NOW + Duration::from_hours(number as u64 * 40_000);
            let entry = CrlEntry { serial: &serial, revoked_at, reason: *reason };
            one_by_one.add(entry);
            written.extend(entry.to_der());
        }
        for damaged in [&written[1..], &written[..written.len() - 1], &[tlv::SEQUENCE, 0], &[tlv::NULL, 0]] {
            assert_eq!(at_once.add_written(damaged), None);
        }
        assert_eq!(at_once.add_written(&written), Some(RevocationReason::ALL.len()));
        let whole = |der: Vec<u8>| fields(&der).values().map(|tlv| tlv.unwrap().whole.to_vec()).collect::<Vec<_>>();
        assert_eq!(whole(signed(at_once)), whole(signed(one_by_one)));
    }

    #[test]
    fn a_list_says_of_what_it_is_a_list() {
        let (authority, key) = authority();
        let made = |extent: CrlExtent| {
            let mut builder = CrlBuilder::new(&authority, &CrlRequest { extent, ..request(9, 1) }).unwrap();
            builder.remove(&Serial::from_magnitude(&[0x80, 1]).unwrap(), NOW);
            block_on(builder.finish().sign(&*key.signer)).unwrap()
        };
        let holds = |der: &[u8], octets: &[u8]| der.windows(octets.len()).any(|window| window == octets);
        let url = "http://pki.example/crl/ca-1/shard/3".to_owned();
        let (point, here) = (Some(url.clone()), url.as_bytes());
        // The contents of the object identifiers 2.5.29.27, .28 and .46, each behind its tag and length.
        let [delta, shard, freshest] = [27_u8, 28, 46].map(|arc| [0x06, 0x03, 0x55, 0x1d, arc]);
        let critical = [tlv::BOOLEAN, 1, 0xff];

        let plain = made(CrlExtent::default());
        assert!([delta, shard, freshest].iter().all(|oid| !holds(&plain, oid)));
        // An entry with a serial number of three octets, and removeFromCRL.
        assert!(holds(&plain, &[tlv::INTEGER, 3, 0, 0x80, 1]) && holds(&plain, &[0x0a, 1, 8]));

        let of_changes = made(CrlExtent { base: Some(300), freshest: point.clone(), ..CrlExtent::default() });
        let base = [&delta[..], &critical, &[tlv::OCTET_STRING, 4, tlv::INTEGER, 2, 1, 44]].concat();
        assert!(holds(&of_changes, &base) && !holds(&of_changes, &freshest));

        let of_some = made(CrlExtent { distribution_point: point.clone(), ..CrlExtent::default() });
        assert!(holds(&of_some, &[&shard[..], &critical].concat()) && holds(&of_some, here));

        let with_changes = made(CrlExtent { freshest: point, ..CrlExtent::default() });
        assert!(holds(&with_changes, &[&freshest[..], &[tlv::OCTET_STRING]].concat()) && holds(&with_changes, here));

        let nowhere = CrlExtent { distribution_point: Some("here".into()), ..CrlExtent::default() };
        assert!(CrlBuilder::new(&authority, &CrlRequest { extent: nowhere, ..request(9, 0) }).is_err());
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
        assert!(CrlBuilder::new(&authority, &backwards).unwrap_err().to_string().contains("next update"));
        let other = block_on(TestKeys.generate(KeyAlgorithm::EcdsaP256, &SeededRng::new(9))).unwrap();
        let unsigned = CrlBuilder::new(&authority, &request(1, 0)).unwrap().finish();
        assert_eq!(block_on(unsigned.sign(&*other.signer)), Err(SigningError::WrongKey));
        let mut without = authority;
        without.signs_crls = false;
        assert!(CrlBuilder::new(&without, &request(1, 0)).unwrap_err().to_string().contains("cRLSign"));
    }

    #[test]
    fn the_buffer_does_not_grow_while_it_is_filled() {
        let (authority, _) = authority();
        let mut builder = CrlBuilder::new(&authority, &request(1, 10_000)).unwrap();
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
