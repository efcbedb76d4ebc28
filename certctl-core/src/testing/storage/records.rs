//! Single records: what goes in comes out, and only the newest version can be changed.

use super::support::{Store, audited, begin, delete, get, ids, insert, stale, update};
use super::{Event, Item, ItemExcerpt, ItemState, Owner, event, item, owner};
use crate::domain::Timestamp;
use crate::entity::{Entity, Record};
use crate::storage::{ApplyError, Changes, Query, StorageError, View};

pub(super) async fn every_kind_of_value_survives(store: Store) {
    let texts =
        ["", " ", "ä \"\\\u{1}\u{10ffff}'", "NULL", "\u{feff}\r\n\t", "{\"a\":[1,null]}", "\\x00", "1e3", "true"];
    let mut changes = audited("e");
    changes.insert(owner("o"));
    let mut wanted = Vec::new();
    for (n, text) in texts.iter().enumerate() {
        let numbers = [0, -1, 1, i64::MAX, i64::MIN, 1 << 53, (1 << 53) + 1];
        wanted.push(Item {
            owner_id: (n % 2 == 0).then(|| "o".to_owned()),
            name: format!("{n}{text}"),
            rank: numbers[n % numbers.len()],
            slot: (n % 3 == 0).then(|| i64::MIN + n as i64),
            state: if n % 2 == 0 { ItemState::Fresh } else { ItemState::Used },
            flag: n % 2 == 1,
            note: (n != 3).then(|| (*text).to_owned()),
            data: (0..=255).take(n * 64).collect(),
            seen_at: (n % 2 == 0).then_some(Timestamp::NEVER),
            ..item(n)
        });
    }
    for item in &wanted {
        changes.insert(item.clone());
    }
    store.apply(changes).await.unwrap();
    for item in &wanted {
        assert_eq!(get::<Item>(&store, &item.id).await.unwrap().into_entity(), *item);
    }
    // The same values by way of an update, in which every cell moves to another row.
    for (n, item) in wanted.iter().enumerate() {
        let mut record = get::<Item>(&store, &item.id).await.unwrap();
        let other = &wanted[(n + 1) % wanted.len()];
        let rotated = Item {
            id: item.id.clone(),
            name: format!("{}!", other.name),
            owner_id: item.owner_id.clone(),
            slot: item.slot,
            ..other.clone()
        };
        *record = rotated.clone();
        update(&store, record).await.unwrap();
        assert_eq!(get::<Item>(&store, &item.id).await.unwrap().into_entity(), rotated);
    }
    assert_eq!(get::<Event>(&store, "e").await.unwrap().into_entity(), event("e"));
    assert!(get::<Item>(&store, "absent").await.is_none());
}

pub(super) async fn a_text_with_nul_is_refused(store: Store) {
    let corrupt = |column| ApplyError::Storage(StorageError::Corrupt { entity: Item::SCHEMA.table, column });
    let bad = Item { note: Some("a\0b".into()), ..item("i") };
    assert_eq!(insert(&store, [bad]).await, Err(corrupt("note")));
    assert_eq!(insert(&store, [item("i\0")]).await, Err(corrupt("id")));
    insert(&store, [item("i")]).await.unwrap();
    let mut record = get::<Item>(&store, "i").await.unwrap();
    record.name = "\0".into();
    assert_eq!(update(&store, record).await, Err(corrupt("name")));
    // A question for such a text is answered as one for any text that is not there.
    assert!(get::<Item>(&store, "i\0").await.is_none());
    let fields = Item::FIELDS;
    let text = || "i\0".to_owned();
    assert!(ids(&store, Query::all().filter(fields.name.equals(text()))).await.is_empty());
    assert!(ids(&store, Query::all().filter(fields.name.one_of([text()]))).await.is_empty());
    assert_eq!(ids(&store, Query::all().filter(fields.name.differs(text()))).await, ["i"]);
    assert_eq!(ids(&store, Query::all().filter(fields.id.below(text()))).await, ["i"]);
    assert_eq!(ids(&store, Query::all().filter(fields.id.not_at_least(text()))).await, ["i"]);
    assert!(ids(&store, Query::all().filter(fields.id.at_least(text()))).await.is_empty());
    assert!(ids(&store, Query::all().filter(fields.id.not_below(text()))).await.is_empty());
}

pub(super) async fn a_record_is_inserted_updated_and_deleted(store: Store) {
    insert(&store, [item("i")]).await.unwrap();
    let mut unit = begin(&store).await;
    let mut record = unit.get::<Item>("i").await.unwrap().unwrap();
    assert_eq!(record.version(), 1);
    record.state = ItemState::Used;
    record.note = Some("ops".into());
    record.seen_at = Some(unit.now());
    unit.update(record);
    unit.append(event("e1"));
    unit.commit().await.unwrap();
    let record = get::<Item>(&store, "i").await.unwrap();
    assert_eq!((record.version(), record.state, record.note.as_deref()), (2, ItemState::Used, Some("ops")));
    delete(&store, &record).await.unwrap();
    assert!(get::<Item>(&store, "i").await.is_none());
}

pub(super) async fn an_excerpt_is_enough_to_delete(store: Store) {
    insert(&store, [item("i"), item("k")]).await.unwrap();
    let view = store.read(View::Latest).await.unwrap();
    let excerpt = view.list(Query::<ItemExcerpt>::all()).await.unwrap().records;
    drop(view);
    update(&store, get::<Item>(&store, "k").await.unwrap()).await.unwrap();
    let deletion = |excerpt: &Record<ItemExcerpt>| {
        let mut changes = Changes::bookkeeping();
        changes.delete_excerpt::<Item, _>(excerpt);
        changes
    };
    assert!(store.apply(deletion(&excerpt[0])).await.is_ok());
    assert_eq!(store.apply(deletion(&excerpt[1])).await, Err(stale("sample_items")));
    assert_eq!(ids(&store, Query::<Item>::all()).await, ["k"]);
}

pub(super) async fn a_stale_write_is_refused(store: Store) {
    insert(&store, [item("i")]).await.unwrap();
    let first = get::<Item>(&store, "i").await.unwrap();
    let second = first.clone();
    update(&store, first).await.unwrap();
    assert_eq!(update(&store, second.clone()).await, Err(stale("sample_items")));
    assert_eq!(delete(&store, &second).await, Err(stale("sample_items")));
    let newest = get::<Item>(&store, "i").await.unwrap();
    delete(&store, &newest).await.unwrap();
    assert_eq!(delete(&store, &newest).await, Err(stale("sample_items")));
    assert_eq!(update(&store, newest).await, Err(stale("sample_items")));
}

pub(super) async fn a_record_is_changed_once_per_set(store: Store) {
    insert(&store, [item("i")]).await.unwrap();
    let record = get::<Item>(&store, "i").await.unwrap();
    let mut changes = Changes::bookkeeping();
    changes.update(record.clone());
    changes.update(record.clone());
    assert_eq!(store.apply(changes).await, Err(stale("sample_items")));
    let mut changes = Changes::bookkeeping();
    changes.update(record.clone());
    changes.delete(&record);
    assert_eq!(store.apply(changes).await, Err(stale("sample_items")));
    assert_eq!(get::<Item>(&store, "i").await.unwrap().version(), 1);
}

pub(super) async fn a_table_that_only_grows_is_read_like_others(store: Store) {
    for n in 0..3 {
        let mut changes = audited(n);
        changes.insert(owner(n));
        store.apply(changes).await.unwrap();
    }
    let view = store.read(View::PointInTime).await.unwrap();
    assert_eq!(view.total(&Query::<Event>::all()).await.unwrap(), 3);
    assert_eq!(view.total(&Query::<Owner>::all()).await.unwrap(), 3);
    drop(view);
    assert_eq!(ids(&store, Query::sorted(Event::FIELDS.id.descending())).await, ["2", "1", "0"]);
    let again = store.apply(audited(1)).await;
    assert_eq!(again, Err(ApplyError::Conflict { entity: "audit_events", field: "id" }));
}
