//! DES-EDE3 in CBC mode (RFC 3370 §5.1), for devices that know nothing newer: read and written only where a setting allows it.

use des::TdesEde3;
use des::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use zeroize::Zeroizing;

/// Octets of a block.
const BLOCK: usize = 8;

/// Pads and encrypts; `None` for a key or vector of another length.
pub(super) fn encrypt(key: &[u8], vector: &[u8], content: &[u8]) -> Option<Vec<u8>> {
    let cipher = TdesEde3::new_from_slice(key).ok()?;
    let mut before = <[u8; BLOCK]>::try_from(vector).ok()?;
    let padding = BLOCK - content.len() % BLOCK;
    let padded = content.iter().copied().chain(std::iter::repeat_n(u8::try_from(padding).ok()?, padding));
    let padded: Zeroizing<Vec<u8>> = Zeroizing::new(padded.collect());
    let mut out = Vec::with_capacity(padded.len());
    for block in padded.chunks(BLOCK) {
        let mut mixed = Array::from(xor(<[u8; BLOCK]>::try_from(block).ok()?, before));
        cipher.encrypt_block(&mut mixed);
        before = mixed.into();
        out.extend_from_slice(&before);
    }
    Some(out)
}

/// Decrypts and takes the padding away; `None` when anything is wrong.
pub(super) fn decrypt(key: &[u8], vector: &[u8], octets: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let cipher = TdesEde3::new_from_slice(key).ok()?;
    let mut before = <[u8; BLOCK]>::try_from(vector).ok()?;
    let mut out = Zeroizing::new(Vec::with_capacity(octets.len()));
    for block in octets.chunks(BLOCK) {
        let block = <[u8; BLOCK]>::try_from(block).ok()?;
        let mut mixed = Array::from(block);
        cipher.decrypt_block(&mut mixed);
        out.extend_from_slice(&xor(mixed.into(), before));
        before = block;
    }
    let padding = usize::from(*out.last()?);
    let kept = out.len().checked_sub(padding).filter(|_| (1..=BLOCK).contains(&padding))?;
    let fits = out.get(kept..)?.iter().all(|octet| usize::from(*octet) == padding);
    out.truncate(kept);
    fits.then_some(out)
}

fn xor(one: [u8; BLOCK], other: [u8; BLOCK]) -> [u8; BLOCK] {
    let mut out = one;
    out.iter_mut().zip(other).for_each(|(octet, other)| *octet ^= other);
    out
}
