//! How an issuer is told of revocations, where it has to be.

use super::Bench;
use super::ordering::{fulfil, known_name, leaf, order};
use crate::connector::{ReleasedCertificate, RevokedCertificate};
use crate::domain::RevocationReason;
use crate::ports::Clock;
use crate::testing::block_on;

/// An issuer without the role keeps to nothing here. One with it is told until it is heard, so it hears things twice.
pub(super) fn what_is_revoked_twice_is_revoked(bench: &Bench<'_>) {
    let issuer = bench.issuer();
    if issuer.revoker().is_none() {
        return;
    }
    let chain = fulfil(bench, &*issuer, &order(bench, "job-1", &[known_name(bench)])).unwrap();
    let (serial, revoked_at) = (leaf(&chain).serial, bench.world.fakes.clock.now());
    let of = |reason| RevokedCertificate { serial: &serial, chain: &chain, reason, revoked_at };
    for _ in 0..2 {
        // The second time it is told in another process.
        let issuer = bench.issuer();
        let role = issuer.revoker().expect("the role does not come and go");
        block_on(role.revoke(of(RevocationReason::CertificateHold))).expect("a hold is a revocation");
    }
    let role = issuer.revoker().expect("the role does not come and go");
    // Whether it knows holds is its own, but it must say so for good.
    if let Err(error) = block_on(role.release(ReleasedCertificate { serial: &serial, chain: &chain })) {
        assert!(!error.kind.is_retryable(), "{}", error.explained());
    }
    block_on(role.revoke(of(RevocationReason::KeyCompromise))).expect("it is revoked, whatever it was before");
}
