//! Unique indexes and foreign keys: the conditions over sets.

use super::support::{Store, audited, conflict, delete, get, insert, update};
use super::{Event, Item, Owner, Task, TaskState, item, owner, task};
use crate::storage::{ApplyError, Changes};

pub(super) async fn a_conflict_names_its_field(store: Store) {
    insert(&store, [item("a"), item("b")]).await.unwrap();
    let same_id = Item { name: "other.example".into(), ..item("a") };
    assert_eq!(insert(&store, [same_id]).await, Err(conflict("sample_items", "id")));
    let taken = Item { name: "a.example".into(), ..item("c") };
    assert_eq!(insert(&store, [taken]).await, Err(conflict("sample_items", "name")));
    let mut b = get::<Item>(&store, "b").await.unwrap();
    b.name = "a.example".into();
    assert_eq!(update(&store, b).await, Err(conflict("sample_items", "name")));
    // Two of one set conflict with each other as well.
    let twins = ["x", "y"].map(|id| Item { name: "twin.example".into(), ..item(id) });
    assert_eq!(insert(&store, twins).await, Err(conflict("sample_items", "name")));
    assert!(get::<Item>(&store, "x").await.is_none());
}

pub(super) async fn a_composite_conflict_names_its_last_field(store: Store) {
    insert(&store, [owner("o"), owner("p")]).await.unwrap();
    let place = |id: &str, owner: &str| Item { owner_id: Some(owner.into()), slot: Some(1), ..item(id) };
    insert(&store, [place("a", "o"), place("b", "p")]).await.unwrap();
    assert_eq!(insert(&store, [place("c", "o")]).await, Err(conflict("sample_items", "slot")));
}

pub(super) async fn null_conflicts_with_nothing(store: Store) {
    insert(&store, [owner("o")]).await.unwrap();
    let place = |id: &str, owner: Option<&str>, slot| Item { owner_id: owner.map(Into::into), slot, ..item(id) };
    let items = [place("a", None, Some(1)), place("b", None, Some(1)), place("c", Some("o"), None)];
    insert(&store, items).await.unwrap();
    insert(&store, [place("d", Some("o"), None)]).await.unwrap();
}

pub(super) async fn an_item_has_one_open_task(store: Store) {
    insert(&store, [item("i")]).await.unwrap();
    insert(&store, [task("t1", "i")]).await.unwrap();
    assert_eq!(insert(&store, [task("t2", "i")]).await, Err(conflict("sample_tasks", "item_id")));
    // Closing one and opening the next fits in one set.
    let mut changes = Changes::bookkeeping();
    let mut first = get::<Task>(&store, "t1").await.unwrap();
    first.state = TaskState::Done;
    changes.update(first);
    changes.insert(task("t2", "i"));
    store.apply(changes).await.unwrap();
    assert_eq!(insert(&store, [task("t3", "i")]).await, Err(conflict("sample_tasks", "item_id")));
    insert(&store, [Task { state: TaskState::Done, ..task("t4", "i") }]).await.unwrap();
    // Opening a closed one again is held to the same rule.
    let mut first = get::<Task>(&store, "t1").await.unwrap();
    first.state = TaskState::Queued;
    assert_eq!(update(&store, first).await, Err(conflict("sample_tasks", "item_id")));
}

pub(super) async fn several_open_tasks_are_replaced_in_one_set(store: Store) {
    let names = ["i1", "i2", "i3"];
    insert(&store, names.map(item)).await.unwrap();
    insert(&store, names.map(|name| task(format!("old-{name}"), name))).await.unwrap();
    let mut changes = audited("e");
    for name in names {
        let mut old = get::<Task>(&store, &format!("old-{name}")).await.unwrap();
        old.state = TaskState::Done;
        changes.update(old);
        changes.insert(task(format!("new-{name}"), name));
        changes.pin(&get::<Item>(&store, name).await.unwrap());
    }
    store.apply(changes).await.unwrap();
    assert_eq!(get::<Task>(&store, "new-i3").await.unwrap().state, TaskState::Queued);
}

pub(super) async fn a_referenced_record_cannot_be_deleted(store: Store) {
    insert(&store, [owner("o"), owner("free")]).await.unwrap();
    let owned = |id: &str| Item { owner_id: Some("o".into()), ..item(id) };
    insert(&store, [owned("i1"), owned("i2")]).await.unwrap();
    let mut changes = audited("e");
    changes.delete(&get::<Owner>(&store, "o").await.unwrap());
    let refused = store.apply(changes.clone()).await;
    assert_eq!(refused, Err(ApplyError::Referenced { by: "sample_items", count: 2 }));
    assert!(get::<Event>(&store, "e").await.is_none());
    // One of two referrers is not enough; together with both it can go.
    changes.delete(&get::<Item>(&store, "i1").await.unwrap());
    let refused = store.apply(changes.clone()).await;
    assert_eq!(refused, Err(ApplyError::Referenced { by: "sample_items", count: 1 }));
    changes.delete(&get::<Item>(&store, "i2").await.unwrap());
    store.apply(changes).await.unwrap();
    assert!(get::<Owner>(&store, "o").await.is_none());
    delete(&store, &get::<Owner>(&store, "free").await.unwrap()).await.unwrap();
}

pub(super) async fn a_reference_must_exist(store: Store) {
    let missing = |entity, field| Err(ApplyError::Missing { entity, field });
    let owned = Item { owner_id: Some("nobody".into()), ..item("i") };
    assert_eq!(insert(&store, [owned]).await, missing("sample_items", "owner_id"));
    assert_eq!(insert(&store, [task("t", "nothing")]).await, missing("sample_tasks", "item_id"));
    insert(&store, [item("i")]).await.unwrap();
    let mut record = get::<Item>(&store, "i").await.unwrap();
    record.owner_id = Some("nobody".into());
    assert_eq!(update(&store, record).await, missing("sample_items", "owner_id"));
}

pub(super) async fn parents_and_children_fit_in_one_set(store: Store) {
    let mut changes = audited("e1");
    // Recorded in the wrong order on purpose.
    changes.insert(task("t", "i"));
    changes.insert(Item { owner_id: Some("o".into()), ..item("i") });
    changes.insert(owner("o"));
    store.apply(changes).await.unwrap();
    let mut changes = audited("e2");
    changes.delete(&get::<Owner>(&store, "o").await.unwrap());
    changes.delete(&get::<Item>(&store, "i").await.unwrap());
    changes.delete(&get::<Task>(&store, "t").await.unwrap());
    store.apply(changes).await.unwrap();
    assert!(get::<Task>(&store, "t").await.is_none());
}
