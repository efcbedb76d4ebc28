//! Pins: what was read is unchanged when the decision is written.

use futures_util::future::join_all;

use super::support::{Store, audited, begin, commit_together, delete, get, insert, stale, update};
use super::{Item, event, item};
use crate::storage::Changes;

pub(super) async fn write_skew_is_refused(store: Store) {
    insert(&store, [item("a"), item("b")]).await.unwrap();
    for round in 0..20 {
        // Each unit reads both records and changes the one that the other only reads.
        let mut units = Vec::new();
        for (writes, reads) in [("a", "b"), ("b", "a")] {
            let mut unit = begin(&store).await;
            unit.get::<Item>(reads).await.unwrap().unwrap();
            let mut record = unit.get::<Item>(writes).await.unwrap().unwrap();
            record.note = Some(format!("round {round}"));
            unit.update(record);
            unit.append(event(format!("{round}-{writes}")));
            units.push(unit);
        }
        let verdicts = commit_together(units).await;
        assert_eq!(verdicts.iter().filter(|v| v.is_ok()).count(), 1, "{verdicts:?}");
        assert_eq!(verdicts.iter().filter(|v| **v == Err(stale("sample_items"))).count(), 1, "{verdicts:?}");
    }
}

pub(super) async fn two_units_that_read_one_and_write_another(store: Store) {
    insert(&store, [item("a"), item("b")]).await.unwrap();
    for round in 0..20 {
        let mut units = Vec::new();
        for writer in 0..2 {
            let mut unit = begin(&store).await;
            unit.get::<Item>("a").await.unwrap().unwrap();
            let mut record = unit.get::<Item>("b").await.unwrap().unwrap();
            record.note = Some(writer.to_string());
            unit.update(record);
            unit.append(event(format!("{round}-{writer}")));
            units.push(unit);
        }
        let verdicts = commit_together(units).await;
        assert_eq!(verdicts.iter().filter(|v| v.is_ok()).count(), 1, "{verdicts:?}");
    }
}

pub(super) async fn a_record_that_was_only_read_is_pinned(store: Store) {
    insert(&store, [item("a"), item("b")]).await.unwrap();
    let mut unit = begin(&store).await;
    unit.get::<Item>("a").await.unwrap().unwrap();
    unit.insert(item("c"));
    unit.append(event("e"));
    update(&store, get::<Item>(&store, "a").await.unwrap()).await.unwrap();
    assert_eq!(unit.commit().await, Err(stale("sample_items")));
    assert!(get::<Item>(&store, "c").await.is_none());
}

pub(super) async fn a_record_that_was_peeked_at_is_not_pinned(store: Store) {
    insert(&store, [item("a")]).await.unwrap();
    let mut unit = begin(&store).await;
    unit.peek::<Item>("a").await.unwrap().unwrap();
    unit.insert(item("c"));
    unit.append(event("e"));
    update(&store, get::<Item>(&store, "a").await.unwrap()).await.unwrap();
    unit.commit().await.unwrap();
    assert!(get::<Item>(&store, "c").await.is_some());
}

pub(super) async fn many_may_pin_the_same_record(store: Store) {
    insert(&store, [item("hot")]).await.unwrap();
    let commits = (0..50).map(async |n| {
        let mut unit = begin(&store).await;
        unit.get::<Item>("hot").await.unwrap().unwrap();
        unit.insert(item(n));
        unit.append(event(n));
        unit.commit().await
    });
    assert!(join_all(commits).await.iter().all(Result::is_ok));
}

pub(super) async fn a_deleted_record_breaks_its_pin(store: Store) {
    insert(&store, [item("a")]).await.unwrap();
    let record = get::<Item>(&store, "a").await.unwrap();
    delete(&store, &record).await.unwrap();
    let mut changes = audited("e");
    changes.pin(&record);
    assert_eq!(store.apply(changes).await, Err(stale("sample_items")));
}

pub(super) async fn a_set_of_nothing_but_pins_is_checked(store: Store) {
    insert(&store, [item("a")]).await.unwrap();
    let record = get::<Item>(&store, "a").await.unwrap();
    let mut changes = Changes::default();
    changes.pin(&record);
    assert!(store.apply(changes.clone()).await.unwrap().changed.is_empty());
    update(&store, record).await.unwrap();
    assert_eq!(store.apply(changes).await, Err(stale("sample_items")));
}
