//! Raising the revocation epoch of an authority, in the commit that changes what is revoked of it.

use std::collections::BTreeSet;

use crate::domain::{KeyId, Revocation, RevocationChange, RevocationChangeId, Timestamp};
use crate::engine::Engine;
use crate::storage::UnitOfWork;

/// The authorities and shards whose epoch a unit has raised: once is enough for a commit.
#[derive(Debug, Default)]
pub(crate) struct Raised(BTreeSet<(KeyId, i64)>);

impl Raised {
    /// Raises the epoch of whoever signed it. Where nobody knows who did, nobody here answers for it.
    pub(super) fn by(
        &mut self,
        (engine, unit): (&Engine, &mut UnitOfWork),
        authority: Option<&KeyId>,
        shard: Option<i64>,
    ) {
        let Some(authority) = authority else { return };
        let crl_shard = shard.unwrap_or(Revocation::NO_SHARD);
        if self.0.insert((authority.clone(), crl_shard)) {
            let now = unit.now();
            unit.insert(change(engine, authority, (crl_shard, now)));
        }
    }
}

/// Raises the epoch of an authority once, for what its certificates name no shard of.
pub(crate) fn raise((engine, unit): (&Engine, &mut UnitOfWork), authority: &KeyId) {
    Raised::default().by((engine, unit), Some(authority), None);
}

fn change(engine: &Engine, authority: &KeyId, (crl_shard, created_at): (i64, Timestamp)) -> RevocationChange {
    let id = RevocationChangeId::generate(&*engine.ports().clock, &*engine.ports().rng);
    RevocationChange { id, issuer_key_id: authority.clone(), crl_shard, created_at }
}
