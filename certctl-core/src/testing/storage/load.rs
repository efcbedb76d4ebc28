//! Many rows, many callers.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;

use super::support::{Store, audited, begin, conflict, get, insert};
use super::{Event, Item, Task, TaskState, event, item, task};
use crate::storage::{Changes, Claim, Leased, Query, UnitOfWork, View};

pub(super) async fn a_thousand_rows_fit_in_one_set(store: Store) {
    let mut changes = Changes::default();
    for n in 0..1_000_u16 {
        changes.insert(Item { data: vec![n as u8; 100], ..item(format!("i{n:04}")) });
        changes.append(event(n));
    }
    store.apply(changes).await.unwrap();
    let view = store.read(View::Latest).await.unwrap();
    assert_eq!(view.total(&Query::<Item>::all()).await.unwrap(), 1_000);
    assert_eq!(view.total(&Query::<Event>::all()).await.unwrap(), 1_000);
    // One of a thousand spoils all.
    let mut changes = audited("spoilt");
    for n in 1_000..2_000 {
        changes.insert(item(format!("i{n:04}")));
    }
    changes.insert(Item { name: "i0500.example".into(), ..item("other") });
    assert_eq!(store.apply(changes).await, Err(conflict("sample_items", "name")));
    assert_eq!(view.total(&Query::<Item>::all()).await.unwrap(), 1_000);
}

pub(super) async fn a_hundred_updates_fit_in_one_set(store: Store) {
    insert(&store, (0..200).map(|n| item(format!("i{n:03}")))).await.unwrap();
    let view = store.read(View::Latest).await.unwrap();
    let mut records = view.list(Query::<Item>::all().limit(200)).await.unwrap().records;
    let pinned = records.split_off(100);
    let mut changes = audited("e");
    for (n, mut record) in records.into_iter().enumerate() {
        record.rank = n as i64;
        changes.update(record);
    }
    for record in &pinned {
        changes.pin(record);
    }
    store.apply(changes).await.unwrap();
    let ranked = Query::sorted(Item::FIELDS.rank.descending()).limit(2);
    let ranks: Vec<i64> = view.list(ranked).await.unwrap().records.iter().map(|r| r.rank).collect();
    assert_eq!(ranks, [99, 98]);
    let mut changes = audited("f");
    let all = view.list(Query::<Item>::all().limit(200)).await.unwrap().records;
    for record in &all {
        changes.delete(record);
    }
    store.apply(changes).await.unwrap();
    assert_eq!(view.total(&Query::<Item>::all()).await.unwrap(), 0);
}

pub(super) async fn each_concurrent_set_gets_its_own_verdict(store: Store) {
    insert(&store, [item("taken")]).await.unwrap();
    let sets = (0..200).map(async |n| {
        let mut changes = audited(format!("e{n}"));
        changes.insert(match n % 10 {
            9 => Item { name: "taken.example".into(), ..item(format!("i{n}")) },
            _ => item(format!("i{n}")),
        });
        changes.insert(task(format!("t{n}"), format!("i{n}")));
        (n, store.apply(changes).await)
    });
    for (n, verdict) in join_all(sets).await {
        let refused = n % 10 == 9;
        assert_eq!(verdict.err(), refused.then(|| conflict("sample_items", "name")), "set {n}");
        for written in [
            get::<Item>(&store, &format!("i{n}")).await.is_some(),
            get::<Task>(&store, &format!("t{n}")).await.is_some(),
            get::<Event>(&store, &format!("e{n}")).await.is_some(),
        ] {
            assert_eq!(written, !refused, "set {n}");
        }
    }
}

pub(super) async fn contended_increments_lose_nothing(store: Store) {
    insert(&store, [item("counter")]).await.unwrap();
    let writers = (0..8).map(async |writer| {
        for n in 0..5 {
            loop {
                let mut unit = begin(&store).await;
                let mut record = unit.get::<Item>("counter").await.unwrap().unwrap();
                record.rank += 1;
                unit.update(record);
                unit.append(event(format!("{writer}-{n}")));
                match unit.commit().await {
                    Ok(_) => break,
                    Err(error) => assert!(error.is_retryable(), "{error}"),
                }
            }
        }
    });
    join_all(writers).await;
    assert_eq!(get::<Item>(&store, "counter").await.unwrap().rank, 40);
}

pub(super) async fn overlapping_sets_are_written_or_stale(store: Store) {
    const RECORDS: usize = 12;
    insert(&store, (0..RECORDS).map(|n| item(format!("i{n:02}")))).await.unwrap();
    // Each reads and writes a few of the records, begun at another place and in another order.
    let sets = (0..60).map(async |n: usize| {
        let mut unit = begin(&store).await;
        for step in 0..5 {
            let place = (n * 7 + step * (1 + n % 5)) % RECORDS;
            let mut record = unit.get::<Item>(&format!("i{place:02}")).await.unwrap().unwrap();
            record.rank += 1;
            if step < 3 && (0..step).all(|s| (n * 7 + s * (1 + n % 5)) % RECORDS != place) {
                unit.update(record);
            }
        }
        unit.append(event(n));
        unit.commit().await
    });
    let verdicts = join_all(sets).await;
    let stale = Err(super::support::stale("sample_items"));
    assert!(verdicts.iter().all(|verdict| verdict.is_ok() || *verdict == stale), "{verdicts:?}");
    assert!(verdicts.iter().any(Result::is_ok));
    let view = store.read(View::Latest).await.unwrap();
    let written = verdicts.iter().filter(|verdict| verdict.is_ok()).count() as u64;
    assert_eq!(view.total(&Query::<Event>::all()).await.unwrap(), written);
}

pub(super) async fn four_workers_lose_nothing_and_do_nothing_twice(store: Store) {
    drain(&store, 4, 100).await;
}

/// Fills a queue with `workers` × `each` tasks, lets that many workers empty it, claiming up to 100 at once and
/// completing them in one set, and insists that every task was done exactly once.
pub async fn drain(store: &Store, workers: usize, each: usize) {
    let numbers: Vec<usize> = (0..workers * each).collect();
    for chunk in numbers.chunks(500) {
        insert(store, chunk.iter().map(|n| item(format!("i{n}")))).await.unwrap();
        let partition = |n: usize| ["p", "q", "r"][n % 3].to_owned();
        let tasks = chunk.iter().map(|n| Task { partition: partition(*n), ..task(format!("t{n}"), format!("i{n}")) });
        insert(store, tasks).await.unwrap();
    }
    let done = join_all((0..workers).map(|worker| work(store, worker.to_string()))).await;
    let done: Vec<String> = done.into_iter().flatten().collect();
    assert_eq!(done.len(), numbers.len());
    assert_eq!(done.iter().collect::<BTreeSet<_>>().len(), numbers.len());
    let view = store.read(View::Latest).await.unwrap();
    let fields = Task::FIELDS;
    let finished = Query::<Task>::all().filter(fields.state.equals(TaskState::Done)).filter(fields.attempt.equals(1));
    assert_eq!(view.total(&finished).await.unwrap(), numbers.len() as u64);
    assert_eq!(view.total(&Query::<Event>::all()).await.unwrap(), numbers.len() as u64);
}

/// Claims and completes until nothing is due; the ids of what was done.
async fn work(store: &Store, holder: String) -> Vec<String> {
    let partitions = [("p", 34), ("q", 33), ("r", 33)].map(|(name, free)| (name.to_owned(), free)).to_vec();
    let lease = Duration::from_mins(10);
    let mut done = Vec::new();
    loop {
        let claim = Claim { queue: Task::QUEUE, holder: holder.clone(), partitions: partitions.clone(), lease };
        let leases = store.claim(claim).await.unwrap().leases::<Task>().unwrap();
        if leases.is_empty() {
            return done;
        }
        let mut unit = UnitOfWork::begin(store).await.unwrap();
        for mut lease in leases {
            done.push(lease.record.id.clone());
            unit.append(event(format!("done-{}", lease.record.id)));
            lease.record.state = TaskState::Done;
            lease.record.holder = None;
            unit.update(lease.record);
        }
        unit.commit().await.unwrap();
    }
}
