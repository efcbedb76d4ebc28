//! The chain of the audit trail: every row once, in order, whoever seals.

use futures_util::future::{join, join_all};

use super::support::{Store, list};
use super::{Event, event, item};
use crate::domain::Timestamp;
use crate::domain::audit::{ChainHead, UNSEALED, link};
use crate::entity::Entity;
use crate::storage::{Changes, Query, SealAudit, SealedAudit};

async fn seal(store: &Store, limit: u32) -> SealedAudit {
    store.seal_audit(SealAudit { events: Event::SCHEMA, limit }).await.unwrap()
}

/// Commits events by id and time, in one set.
async fn record(store: &Store, events: &[(&str, i64)]) {
    let mut changes = Changes::default();
    for (id, time) in events {
        changes.append(Event { timestamp: Timestamp(*time), ..event(id) });
    }
    store.apply(changes).await.unwrap();
}

/// The sealed rows in the order of the chain, each of which must follow the one before it.
async fn chain(store: &Store) -> Vec<String> {
    let fields = Event::FIELDS;
    let sealed = Query::sorted(fields.seq.ascending()).filter(fields.seq.below(UNSEALED)).limit(10_000);
    let mut head = ChainHead::GENESIS;
    let mut ids = Vec::new();
    for record in list(store, sealed).await.records {
        head = ChainHead { seq: head.seq + 1, hash: link(&head.hash, head.seq + 1, &record.digest) };
        assert_eq!((record.seq, record.hash.as_deref()), (head.seq, Some(&head.hash[..])), "{}", record.id);
        ids.push(record.id.clone());
    }
    ids
}

async fn unsealed(store: &Store) -> usize {
    list(store, Query::all().filter(Event::FIELDS.seq.equals(UNSEALED)).limit(10_000)).await.records.len()
}

pub(super) async fn rows_are_sealed_in_order_and_once(store: Store) {
    assert_eq!(seal(&store, 10).await, SealedAudit { rows: 0, head: Some(ChainHead::GENESIS) });
    record(&store, &[("c", 3), ("a", 2), ("b", 2), ("d", 4)]).await;
    let first = seal(&store, 3).await;
    assert_eq!((first.rows, first.head.unwrap().seq), (3, 3));
    assert_eq!(chain(&store).await, ["a", "b", "c"]);
    let second = seal(&store, 3).await;
    assert_eq!((second.rows, second.head.unwrap().seq), (1, 4));
    assert_eq!(chain(&store).await, ["a", "b", "c", "d"]);
    // The head is that of the last row, also when there was nothing to do.
    assert_eq!(seal(&store, 3).await, SealedAudit { rows: 0, ..second });
    let last = list(&store, Query::sorted(Event::FIELDS.seq.descending()).limit(1)).await;
    assert_eq!(last.records[0].hash.as_deref(), Some(&second.head.unwrap().hash[..]));
}

pub(super) async fn what_commits_late_is_sealed_late(store: Store) {
    record(&store, &[("new", 100)]).await;
    seal(&store, 10).await;
    record(&store, &[("old", 1)]).await;
    assert_eq!((unsealed(&store).await, chain(&store).await), (1, vec!["new".to_owned()]));
    seal(&store, 10).await;
    assert_eq!(chain(&store).await, ["new", "old"]);
}

pub(super) async fn two_sealers_at_once_make_one_chain(store: Store) {
    for n in 0..10 {
        let ids: Vec<String> = (0..50).map(|m| format!("e{n}-{m}")).collect();
        record(&store, &ids.iter().map(|id| (id.as_str(), n)).collect::<Vec<_>>()).await;
    }
    let sealer = async || {
        let mut sealed = 0;
        while unsealed(&store).await > 0 {
            sealed += seal(&store, 20).await.rows;
        }
        sealed
    };
    let counts = join_all((0..4).map(|_| sealer())).await;
    assert_eq!(counts.iter().sum::<u64>(), 500, "{counts:?}");
    assert_eq!(chain(&store).await.len(), 500);
}

pub(super) async fn sealing_beside_writers_forgets_nothing(store: Store) {
    let writer = async |writer: usize| {
        for n in 0..50 {
            let mut changes = Changes::default();
            changes.insert(item(format!("{writer}-{n}")));
            changes.append(event(format!("{writer}-{n}")));
            store.apply(changes).await.unwrap();
        }
    };
    let sealer = async || {
        let mut before = Vec::new();
        while before.len() < 400 {
            seal(&store, 100).await;
            let now = chain(&store).await;
            assert!(now.starts_with(&before), "nothing is sealed in front of what was sealed");
            before = now;
        }
    };
    join(join_all((0..8).map(writer)), sealer()).await;
    assert_eq!((chain(&store).await.len(), unsealed(&store).await), (400, 0));
}
