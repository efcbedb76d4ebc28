//! Nonces without a store (RFC 8555 §6.5): numbered, and good once at the process that made them.
//!
//! A nonce is the name of the process, the second and the number at which it was made, and a MAC over the three. The process
//! counts its nonces, so what it remembers of each is one bit: whether it was used. Nothing else could be sound without
//! asking a store: whichever process accepts a nonce must know that no other one does. A nonce of another process is
//! refused with a fresh one, which clients repeat their request with (§6.5); connections that a balancer keeps at one
//! process, as those over TCP are, never see that.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::engine::lock;
use crate::ports::{Monotonic, SecureRng};

/// Octets of the process's name, of the second, of the number, and of the MAC.
const NAME: usize = 6;
const SECOND: usize = 4;
const NUMBER: usize = 8;
const MAC: usize = 16;
const FIELDS: usize = NAME + SECOND + NUMBER;

/// Nonces whose bits stand together.
const SEGMENT: u64 = 4_096;
const WORDS: usize = 64;
/// So many segments are kept: bits of eight million nonces, in 1 MiB. When more are made, the oldest are good no longer.
const SEGMENTS: usize = 2_048;

/// The nonces of one process.
pub(super) struct Nonces {
    name: [u8; NAME],
    key: hmac::Key,
    lifetime: Duration,
    made: Mutex<Made>,
}

#[derive(Default)]
struct Made {
    /// The number of the next one.
    next: u64,
    /// The bits of the newest numbers, oldest first.
    segments: VecDeque<Segment>,
}

struct Segment {
    /// Its first number.
    first: u64,
    /// The second at which its last number was made so far.
    last_second: u64,
    used: [u64; WORDS],
}

impl Nonces {
    pub(super) fn new(rng: &dyn SecureRng, lifetime: Duration) -> Self {
        let (mut name, mut key) = ([0; NAME], [0; 32]);
        rng.fill(&mut name);
        rng.fill(&mut key);
        Self { name, key: hmac::Key::new(hmac::HMAC_SHA256, &key), lifetime, made: Mutex::default() }
    }

    /// A new one.
    pub(super) fn make(&self, now: Monotonic) -> String {
        let second = seconds(now);
        let number = lock(&self.made).number(second, self.lifetime);
        let mut nonce = Vec::with_capacity(FIELDS + MAC);
        nonce.extend_from_slice(&self.name);
        // Longer than a century.
        nonce.extend_from_slice(&u32::try_from(second).unwrap_or(u32::MAX).to_be_bytes());
        nonce.extend_from_slice(&number.to_be_bytes());
        let tag = hmac::sign(&self.key, &nonce);
        nonce.extend(tag.as_ref().iter().take(MAC));
        URL_SAFE_NO_PAD.encode(nonce)
    }

    /// Uses one up. False when this process did not make it, it is too old, or it was used.
    pub(super) fn redeem(&self, nonce: &str, now: Monotonic) -> bool {
        let mut octets = [0; FIELDS + MAC];
        let Ok(FULL) = URL_SAFE_NO_PAD.decode_slice(nonce, &mut octets) else { return false };
        let (fields, mac) = octets.split_at(FIELDS);
        let tag = hmac::sign(&self.key, fields);
        let expected = tag.as_ref().get(..MAC).unwrap_or_default();
        if constant_time::verify_slices_are_equal(expected, mac).is_err() {
            return false;
        }
        let number = |from: usize, to: usize| {
            fields.get(from..to).unwrap_or_default().iter().fold(0_u64, |number, octet| number << 8 | u64::from(*octet))
        };
        let (second, number) = (number(NAME, NAME + SECOND), number(NAME + SECOND, FIELDS));
        if seconds(now).saturating_sub(second) > self.lifetime.as_secs() {
            return false;
        }
        lock(&self.made).use_up(number)
    }
}

const FULL: usize = FIELDS + MAC;

impl std::fmt::Debug for Nonces {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nonces").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

impl Made {
    fn number(&mut self, second: u64, lifetime: Duration) -> u64 {
        let number = self.next;
        self.next += 1;
        if number.is_multiple_of(SEGMENT) {
            // Only now can there be one too many; what is too old is refused by its time before it is looked for.
            let old = |segment: &Segment| second.saturating_sub(segment.last_second) > lifetime.as_secs();
            while self.segments.len() >= SEGMENTS || self.segments.front().is_some_and(old) {
                self.segments.pop_front();
            }
            self.segments.push_back(Segment { first: number, last_second: second, used: [0; WORDS] });
        } else if let Some(segment) = self.segments.back_mut() {
            segment.last_second = second;
        }
        number
    }

    fn use_up(&mut self, number: u64) -> bool {
        let Some(oldest) = self.segments.front().map(|segment| segment.first) else { return false };
        let Some(place) = number.checked_sub(oldest) else { return false };
        let segment = usize::try_from(place / SEGMENT).ok().and_then(|at| self.segments.get_mut(at));
        let (at, bit) = (place % SEGMENT / 64, 1_u64 << (place % 64));
        let word = segment.and_then(|segment| segment.used.get_mut(usize::try_from(at).ok()?));
        match word {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                true
            }
            _ => false,
        }
    }
}

fn seconds(now: Monotonic) -> u64 {
    now.0 / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededRng;

    const LIFETIME: Duration = Duration::from_secs(300);

    fn at(seconds: u64) -> Monotonic {
        Monotonic(seconds * 1_000_000)
    }

    #[test]
    fn a_nonce_is_good_once_and_not_for_long() {
        let nonces = Nonces::new(&SeededRng::new(1), LIFETIME);
        let (first, second, third) = (nonces.make(at(5)), nonces.make(at(5)), nonces.make(at(6)));
        assert!(nonces.redeem(&second, at(5)) && nonces.redeem(&first, at(305)));
        assert!(!nonces.redeem(&first, at(6)) && !nonces.redeem(&second, at(6)));
        assert!(!nonces.redeem(&third, at(307)));
        let fourth = nonces.make(at(6));
        for bad in ["", "AAAA", &fourth[1..], &format!("{fourth}A"), &format!("{fourth}="), &"A".repeat(46), "ä"] {
            assert!(!nonces.redeem(bad, at(6)), "{bad}");
        }
        assert!(nonces.redeem(&fourth, at(6)));
    }

    #[test]
    fn a_nonce_of_another_process_is_none() {
        let (one, other) = (Nonces::new(&SeededRng::new(1), LIFETIME), Nonces::new(&SeededRng::new(2), LIFETIME));
        let nonce = one.make(at(1));
        assert!(!other.redeem(&nonce, at(1)) && one.redeem(&nonce, at(1)));
    }

    #[test]
    fn every_one_of_many_is_good_once() {
        let nonces = Nonces::new(&SeededRng::new(3), LIFETIME);
        let many: Vec<String> = (0..3 * SEGMENT + 5).map(|_| nonces.make(at(1))).collect();
        assert!(many.iter().rev().all(|nonce| nonces.redeem(nonce, at(2))));
        assert!(!many.iter().any(|nonce| nonces.redeem(nonce, at(2))));
        // When the last of a segment is too old, its bits are forgotten.
        for _ in 0..SEGMENT {
            nonces.make(at(400));
        }
        assert!(lock(&nonces.made).segments.len() <= 3);
        assert!(!many.iter().any(|nonce| nonces.redeem(nonce, at(2))), "what is forgotten is not good again");
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let mut made = Made::default();
        for _ in 0..SEGMENT * (SEGMENTS as u64 + 3) {
            made.number(1, LIFETIME);
        }
        assert_eq!(made.segments.len(), SEGMENTS);
        assert!(!made.use_up(0) && made.use_up(SEGMENT * 3) && !made.use_up(SEGMENT * 3));
    }

    #[test]
    fn of_many_at_once_one_wins() {
        let nonces = Nonces::new(&SeededRng::new(4), LIFETIME);
        for _ in 0..50 {
            let nonce = nonces.make(at(1));
            let won = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| nonces.redeem(&nonce, at(1)))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).filter(|won| *won).count()
            });
            assert_eq!(won, 1);
        }
    }
}
