//! The operating system's random generator.

use certctl_core::ports::SecureRng;

/// Random bytes from the kernel. A kernel that cannot give any ends the process: weak keys are worse than none.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRng;

impl SecureRng for OsRng {
    fn fill(&self, out: &mut [u8]) {
        if let Err(error) = getrandom::fill(out) {
            tracing::error!(%error, "the system's random generator failed; the process ends rather than use weak keys");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        assert_ne!((OsRng.next_u64(), OsRng.next_u64()), (0, 0));
        let (mut one, mut two) = ([0; 32], [0; 32]);
        OsRng.fill(&mut one);
        OsRng.fill(&mut two);
        assert_ne!(one, two);
    }
}
