//! Randomness.

/// Random bytes fit for keys and serial numbers.
pub trait SecureRng: Send + Sync {
    /// Fills the buffer. An implementation whose source fails must abort the process rather than return weak bytes.
    fn fill(&self, out: &mut [u8]);

    /// Eight random bytes as a number.
    fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}
