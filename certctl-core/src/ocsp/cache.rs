//! What is known of certificates and was signed of them, in bounded memory.

use std::hash::{BuildHasherDefault, DefaultHasher};

use quick_cache::sync::{DefaultLifecycle, EntryAction, EntryResult};
use quick_cache::{OptionsBuilder, Weighter};

use crate::domain::{Serial, Timestamp};
use crate::pki::ocsp::{CertStatus, SignedData, Written};
use crate::ports::Monotonic;

/// Which answer: whose certificate, and how it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    authority: u32,
    written: Written,
    octets: u8,
    serial: [u8; SERIAL],
}

/// What is known of a certificate as of an epoch of its authority.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// The epoch in which the store said so. As long as it lasts, nothing is revoked or released.
    pub(super) epoch: u64,
    /// The status.
    pub(super) status: CertStatus,
    /// When the certificate ends.
    pub(super) not_after: Timestamp,
    /// What was signed of it last.
    pub(super) signed: Option<Signed>,
}

/// An answer that was signed.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    /// The answer.
    pub(super) data: SignedData,
    /// The responder that signed it.
    pub(super) generation: i64,
    /// When, by this process.
    pub(super) at: Monotonic,
    /// When, by the store's clock.
    pub(super) this_update: Timestamp,
    /// Until when it may be used.
    pub(super) next_update: Timestamp,
}

/// The answers of all authorities. Those that are asked for again are kept, and those that were asked for once go first.
#[derive(Debug)]
pub(super) struct Cache(Kept);

/// Nobody can choose serial numbers that hash alike, so that the hash need not be a secret.
type Kept = quick_cache::sync::Cache<Key, Known, Octets, BuildHasherDefault<DefaultHasher>>;

/// Weighs what is known by the memory that it takes.
#[derive(Clone, Debug)]
struct Octets;

/// The longest serial number, in octets.
const SERIAL: usize = 20;
/// Requests on several cores do not wait for each other.
const SHARDS: usize = 16;
/// Of an entry besides what was signed: key and value, the places of those before and after it, its hash, and what an allocation
/// takes.
const OVERHEAD: usize = size_of::<Key>() + size_of::<Known>() + 48;
/// Of an entry with an answer, about.
const USUAL: usize = 512;

impl Key {
    pub(super) fn new(authority: u32, written: Written, serial: &Serial) -> Self {
        let (octets, mut array) = (serial.as_bytes(), [0; SERIAL]);
        for (place, octet) in array.iter_mut().zip(octets) {
            *place = *octet;
        }
        Self { authority, written, octets: u8::try_from(octets.len()).unwrap_or(u8::MAX), serial: array }
    }
}

impl Cache {
    /// With room for so many octets.
    pub(super) fn new(octets: usize) -> Self {
        let capacity = u64::try_from(octets).unwrap_or(u64::MAX);
        let mut options = OptionsBuilder::new();
        options.shards(SHARDS).estimated_items_capacity(octets / USUAL).weight_capacity(capacity);
        let options = options.build().unwrap_or_else(|error| unreachable!("both capacities are given: {error}"));
        Self(Kept::with_options(options, Octets, BuildHasherDefault::default(), DefaultLifecycle::default()))
    }

    pub(super) fn get(&self, key: &Key) -> Option<Known> {
        self.0.get(key)
    }

    /// Keeps what was found out. What is known of a later epoch stays.
    pub(super) fn put(&self, key: Key, known: Known) {
        let mut found = Some(known);
        let entry = self.0.entry(&key, None, |_, kept| {
            if let Some(known) = found.take_if(|known| kept.epoch <= known.epoch) {
                *kept = known;
            }
            EntryAction::Retain(())
        });
        if let (EntryResult::Vacant(place), Some(known)) = (entry, found) {
            // Fails when somebody else has filled the place meanwhile, who knew as much.
            let _ = place.insert(known);
        }
    }
}

impl Weighter<Key, Known> for Octets {
    fn weight(&self, _: &Key, known: &Known) -> u64 {
        u64::try_from(known.octets()).unwrap_or(u64::MAX)
    }
}

impl Known {
    fn octets(&self) -> usize {
        OVERHEAD + self.signed.as_ref().map_or(0, |signed| signed.data.octets())
    }
}

#[cfg(all(test, feature = "testing"))]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pki::ocsp::{Responder, ResponseData, SingleResponse};
    use crate::ports::{Keys, SecureRng};
    use crate::testing::{ManualClock, SeededRng, TestAuthority, TestKeys, block_on};

    /// As large as those that are served: SHA-1, and a serial number of 20 octets.
    fn signed() -> Signed {
        let now = ManualClock::START;
        let authority = block_on(TestAuthority::new(1, now));
        let made = block_on(authority.issue(&["a.example"], now, now + Duration::from_hours(24)));
        let key = crate::pki::private_key::from_pem(made.key_pem.expose()).unwrap();
        let signer = block_on(TestKeys.open(&key)).unwrap();
        let responder = Responder::new(signer, made.chain.leaf()).unwrap();
        let cert_id = [&[0x30, 77][..], &[7; 77]].concat();
        let (this_update, next_update) = (now, now + Duration::from_hours(1));
        let single = SingleResponse {
            cert_id: &cert_id,
            status: CertStatus::Good,
            this_update,
            next_update,
            extensions: Vec::new(),
        };
        let data = ResponseData { produced_at: now, responses: &[single], nonce: None };
        let data = block_on(responder.sign(&data)).unwrap();
        Signed { data, generation: 1, at: Monotonic(0), this_update, next_update }
    }

    fn known(epoch: u64, signed: Option<Signed>) -> Known {
        Known { epoch, status: CertStatus::Good, not_after: Timestamp::NEVER, signed }
    }

    fn key(number: u64) -> Key {
        let rng = SeededRng::derive(number, "serial", 0);
        let mut octets = [0; SERIAL];
        rng.fill(&mut octets);
        octets[0] = octets[0] & 0x7f | 1;
        Key::new(1, Written::USUAL, &Serial::from_magnitude(&octets).unwrap())
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let one = signed();
        let octets = known(1, Some(one.clone())).octets();
        // Without what an allocator adds beyond: the goal is 700 for each answer, all included.
        assert!(octets < 600, "{octets}");
        let cache = Cache::new(octets * 2_000);
        let often = key(0);
        cache.put(often, known(1, Some(one.clone())));
        for number in 1..20_000 {
            cache.put(key(number), known(1, Some(one.clone())));
            assert!(cache.get(&often).is_some(), "after {number}");
        }
        let kept = (0..20_000).filter(|number| cache.get(&key(*number)).is_some()).count();
        assert!((1_500..=2_000).contains(&kept), "{kept}");
        assert_eq!(cache.0.len(), kept);
    }

    #[test]
    fn as_many_as_there_is_room_for_are_kept_however_they_are_asked_for() {
        let one = signed();
        // Numbers are not spread evenly over all parts.
        let cache = Cache::new(known(1, Some(one.clone())).octets() * 2_800);
        for number in 0..2_000 {
            cache.put(key(number), known(1, Some(one.clone())));
        }
        for _ in 0..3 {
            let kept = (0..2_000).filter(|number| cache.get(&key(*number)).is_some()).count();
            assert_eq!(kept, 2_000);
        }
    }

    #[test]
    fn what_is_written_again_counts_once() {
        let one = signed();
        let cache = Cache::new(known(1, Some(one.clone())).octets() * 2_000);
        for epoch in 1..10_000 {
            cache.put(key(1), known(epoch, Some(one.clone())));
        }
        assert_eq!(cache.0.weight(), Octets.weight(&key(1), &known(1, Some(one))));
        assert_eq!(cache.get(&key(1)).unwrap().epoch, 9_999);
    }

    #[test]
    fn what_was_found_out_earlier_does_not_undo_what_came_later() {
        let cache = Cache::new(1 << 20);
        cache.put(key(1), known(5, None));
        cache.put(key(1), known(4, None));
        assert_eq!(cache.get(&key(1)).unwrap().epoch, 5);
        // Other authorities, and other ways of writing the same, are other answers.
        let serial = Serial::from_magnitude(&[1]).unwrap();
        let sha256 = Written { hash: crate::pki::ocsp::IdHash::Sha256, null: true };
        cache.put(Key::new(1, Written::USUAL, &serial), known(1, None));
        assert!(cache.get(&Key::new(2, Written::USUAL, &serial)).is_none());
        assert!(cache.get(&Key::new(1, sha256, &serial)).is_none());
        assert!(cache.get(&Key::new(1, Written::USUAL, &serial)).is_some());
    }
}
