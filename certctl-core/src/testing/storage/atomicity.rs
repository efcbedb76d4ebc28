//! All or nothing, and nothing without an audit event.

use std::collections::BTreeSet;

use super::support::{Store, audited, begin, conflict, get, insert, stale, update};
use super::{Event, Item, event, item, owner, task};
use crate::storage::{ApplyError, Changes, Hint};

pub(super) async fn apply_is_all_or_nothing(store: Store) {
    insert(&store, [item("a"), item("b")]).await.unwrap();
    let (a, stale_b) = (get::<Item>(&store, "a").await.unwrap(), get::<Item>(&store, "b").await.unwrap());
    update(&store, stale_b.clone()).await.unwrap();
    let mut base = audited("e");
    let mut noted = a.clone();
    noted.note = Some("nobody".into());
    base.update(noted);
    base.insert(item("new"));
    let missing = ApplyError::Missing { entity: "sample_tasks", field: "item_id" };
    let expected = [stale("sample_items"), missing, conflict("audit_events", "id")];
    for (spoil, refusal) in expected.into_iter().enumerate() {
        let mut changes = base.clone();
        match spoil {
            0 => changes.update(stale_b.clone()),
            1 => changes.insert(task("t", "no such item")),
            _ => changes.append(event("e")),
        }
        assert_eq!(store.apply(changes).await, Err(refusal));
        assert_eq!(get::<Item>(&store, "a").await.unwrap().version(), 1);
        assert!(get::<Item>(&store, "new").await.is_none());
        assert!(get::<Event>(&store, "e").await.is_none());
    }
    store.apply(base).await.unwrap();
    assert_eq!(get::<Item>(&store, "a").await.unwrap().version(), 2);
}

pub(super) async fn a_change_without_audit_is_refused(store: Store) {
    let mut unit = begin(&store).await;
    unit.insert(item("i"));
    assert_eq!(unit.commit().await, Err(ApplyError::Unaudited));
    let mut changes = Changes::default();
    changes.insert(item("i"));
    assert_eq!(store.apply(changes.clone()).await, Err(ApplyError::Unaudited));
    assert!(get::<Item>(&store, "i").await.is_none());
    changes.append(event("e"));
    store.apply(changes).await.unwrap();
}

pub(super) async fn bookkeeping_needs_no_audit(store: Store) {
    insert(&store, [item("i")]).await.unwrap();
    let mut unit = begin(&store).await.bookkeeping();
    let mut record = unit.get::<Item>("i").await.unwrap().unwrap();
    record.seen_at = Some(unit.now());
    unit.update(record);
    unit.commit().await.unwrap();
    assert_eq!(get::<Item>(&store, "i").await.unwrap().version(), 2);
}

pub(super) async fn units_combine_into_one_set(store: Store) {
    let mut first = begin(&store).await.bookkeeping();
    first.insert(item("a"));
    let mut second = begin(&store).await;
    second.insert(item("b"));
    let mut both = first.into_changes();
    both.absorb(second.into_changes());
    // The second needs an audit event, so both do.
    assert_eq!(store.apply(both.clone()).await, Err(ApplyError::Unaudited));
    both.absorb(audited("e"));
    store.apply(both).await.unwrap();
    assert!(get::<Item>(&store, "a").await.is_some() && get::<Item>(&store, "b").await.is_some());
}

pub(super) async fn a_commit_tells_what_changed(store: Store) {
    insert(&store, [owner("o")]).await.unwrap();
    let mut unit = begin(&store).await;
    unit.get::<super::Owner>("o").await.unwrap().unwrap();
    unit.insert(item("i"));
    unit.append(event("e"));
    let hint = Hint { topic: "work", key: "someone".into() };
    unit.signal(hint.clone());
    let committed = unit.commit().await.unwrap();
    assert_eq!(committed.changed, BTreeSet::from(["audit_events", "sample_items"]));
    assert_eq!(committed.hints, BTreeSet::from([hint]));
    assert!(committed.touches::<Item>() && !committed.touches::<super::Owner>());
}

pub(super) async fn a_unit_without_changes_commits(store: Store) {
    insert(&store, [item("i")]).await.unwrap();
    let mut unit = begin(&store).await;
    unit.get::<Item>("i").await.unwrap().unwrap();
    update(&store, get::<Item>(&store, "i").await.unwrap()).await.unwrap();
    assert!(unit.commit().await.unwrap().changed.is_empty());
    assert!(store.apply(Changes::default()).await.unwrap().changed.is_empty());
}
