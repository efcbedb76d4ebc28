//! Leases: who may work on a row, until when, and what happens to those who are late.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;

use super::support::{Store, begin, get, insert, stale, update};
use super::{Item, Task, TaskState, event, item, task};
use crate::domain::Timestamp;
use crate::storage::{Claim, DueQuery, Fence, Lease, LeaseError, Leased, View};

const LONG: Duration = Duration::from_hours(1);

fn claim(holder: &str, partitions: &[(&str, u32)], lease: Duration) -> Claim {
    let partitions = partitions.iter().map(|(name, free)| ((*name).to_owned(), *free)).collect();
    Claim { queue: Task::QUEUE, holder: holder.into(), partitions, lease }
}

async fn lease(store: &Store, holder: &str, partitions: &[(&str, u32)], lease: Duration) -> Vec<Lease<Task>> {
    store.claim(claim(holder, partitions, lease)).await.unwrap().leases().unwrap()
}

fn names(leases: &[Lease<Task>]) -> Vec<&str> {
    leases.iter().map(|lease| lease.record.id.as_str()).collect()
}

/// Items and one task for each, in these partitions.
async fn fill(store: &Store, tasks: impl IntoIterator<Item = (String, &str, Timestamp)>) {
    let tasks: Vec<_> = tasks.into_iter().collect();
    insert(store, tasks.iter().map(|(id, ..)| item(id))).await.unwrap();
    let tasks =
        tasks.into_iter().map(|(id, partition, due_at)| Task { partition: partition.into(), due_at, ..task(&id, &id) });
    insert(store, tasks).await.unwrap();
}

pub(super) async fn due_rows_are_claimed_in_order(store: Store) {
    let due = |id: &str, at| (id.to_owned(), "p", Timestamp(at));
    fill(&store, [due("c", 1), due("a", 2), due("b", 2), due("d", 0), due("never", i64::MAX)]).await;
    let claimed = store.claim(claim("one", &[("p", 3)], LONG)).await.unwrap();
    let now = claimed.now;
    let leases = claimed.leases::<Task>().unwrap();
    assert_eq!(names(&leases), ["d", "c", "a"]);
    for Lease { record, abandoned, fence } in &leases {
        assert_eq!((record.state, record.attempt, record.holder.as_deref()), (TaskState::Running, 1, Some("one")));
        assert_eq!((record.due_at, record.version(), *abandoned), (now + LONG, 2, false));
        assert_eq!((fence.id.as_str(), fence.holder.as_str(), fence.attempt), (record.id.as_str(), "one", 1));
        // What was returned is what is stored.
        assert_eq!(get::<Task>(&store, &record.id).await.unwrap().into_entity(), record.clone().into_entity());
    }
    assert_eq!(names(&lease(&store, "one", &[("p", 9)], LONG).await), ["b"]);
}

pub(super) async fn each_partition_keeps_its_limit(store: Store) {
    let rows = ["a", "b", "c"].into_iter().flat_map(|p| (0..4).map(move |n| (format!("{p}{n}"), p, Timestamp(n))));
    fill(&store, rows).await;
    let leases = lease(&store, "one", &[("a", 1), ("b", 3), ("c", 0), ("none", 5)], LONG).await;
    assert_eq!(names(&leases), ["a0", "b0", "b1", "b2"]);
    // A partition that is named twice has the sum.
    let leases = lease(&store, "two", &[("a", 1), ("c", 1), ("a", 1)], LONG).await;
    assert_eq!(names(&leases), ["a1", "a2", "c0"]);
    assert!(lease(&store, "three", &[], LONG).await.is_empty());
}

pub(super) async fn a_held_row_is_not_claimed_again(store: Store) {
    fill(&store, [("t".to_owned(), "p", Timestamp(0))]).await;
    assert_eq!(lease(&store, "one", &[("p", 9)], LONG).await.len(), 1);
    assert!(lease(&store, "two", &[("p", 9)], LONG).await.is_empty());
    assert!(lease(&store, "one", &[("p", 9)], LONG).await.is_empty());
}

pub(super) async fn an_expired_lease_is_abandoned(store: Store) {
    fill(&store, [("t".to_owned(), "p", Timestamp(0))]).await;
    // A lease of no length has already ended when the next holder asks.
    let first = lease(&store, "one", &[("p", 9)], Duration::ZERO).await;
    let second = lease(&store, "two", &[("p", 9)], LONG).await;
    let seen = |leases: &[Lease<Task>]| leases.iter().map(|l| (l.record.attempt, l.abandoned)).collect::<Vec<_>>();
    assert_eq!((seen(&first), seen(&second)), (vec![(1, false)], vec![(2, true)]));
    // One that was given back in time was not abandoned.
    let mut record = get::<Task>(&store, "t").await.unwrap();
    record.state = TaskState::Queued;
    record.holder = None;
    record.due_at = Timestamp(0);
    update(&store, record).await.unwrap();
    assert_eq!(seen(&lease(&store, "three", &[("p", 1)], LONG).await), [(3, false)]);
}

pub(super) async fn a_lost_lease_fences_its_holder(store: Store) {
    fill(&store, [("t".to_owned(), "p", Timestamp(0))]).await;
    let first = lease(&store, "one", &[("p", 1)], Duration::ZERO).await.remove(0);
    let second = lease(&store, "two", &[("p", 1)], LONG).await.remove(0);
    assert_eq!(update(&store, first.record).await, Err(stale("sample_tasks")));
    let mut unit = begin(&store).await;
    assert!(unit.held::<Task>(&first.fence).await.unwrap().is_none());
    let mut held = unit.held::<Task>(&second.fence).await.unwrap().unwrap();
    held.state = TaskState::Done;
    unit.update(held);
    unit.append(event("e"));
    unit.commit().await.unwrap();
    // The record that the claim returned can be written without another read, once.
    assert_eq!(update(&store, second.record).await, Err(stale("sample_tasks")));
    assert!(begin(&store).await.held::<Task>(&second.fence).await.unwrap().is_none());
}

pub(super) async fn a_lease_is_prolonged_without_touching_the_version(store: Store) {
    fill(&store, [("t".to_owned(), "p", Timestamp(0))]).await;
    let mut held = lease(&store, "one", &[("p", 1)], Duration::ZERO).await.remove(0);
    store.prolong(held.fence.clone(), LONG).await.unwrap();
    let now = store.read(View::Latest).await.unwrap().now();
    let stored = get::<Task>(&store, "t").await.unwrap();
    assert_eq!(stored.version(), held.record.version());
    assert!(stored.due_at > now);
    assert!(lease(&store, "two", &[("p", 1)], LONG).await.is_empty());
    held.record.state = TaskState::Done;
    update(&store, held.record).await.unwrap();
}

pub(super) async fn a_lost_lease_is_not_prolonged(store: Store) {
    fill(&store, [("t".to_owned(), "p", Timestamp(0))]).await;
    let first = lease(&store, "one", &[("p", 1)], Duration::ZERO).await.remove(0);
    let second = lease(&store, "two", &[("p", 1)], LONG).await.remove(0);
    assert_eq!(store.prolong(first.fence.clone(), LONG).await, Err(LeaseError::Lost));
    let forged = [
        Fence { holder: "three".into(), ..second.fence.clone() },
        Fence { attempt: 1, ..second.fence.clone() },
        Fence { id: "other".into(), ..second.fence.clone() },
    ];
    for fence in forged {
        assert_eq!(store.prolong(fence, LONG).await, Err(LeaseError::Lost));
    }
    store.prolong(second.fence.clone(), LONG).await.unwrap();
    let mut record = second.record;
    record.state = TaskState::Done;
    update(&store, record).await.unwrap();
    assert_eq!(store.prolong(second.fence, LONG).await, Err(LeaseError::Lost));
}

pub(super) async fn closed_rows_are_never_claimed(store: Store) {
    insert(&store, [item("i")]).await.unwrap();
    insert(&store, [Task { state: TaskState::Done, ..task("t", "i") }]).await.unwrap();
    assert!(lease(&store, "one", &[("p", 9)], LONG).await.is_empty());
    let query = DueQuery { queue: Task::QUEUE, partitions: vec!["p".into()] };
    assert_eq!(store.next_due(&query).await.unwrap(), None);
}

pub(super) async fn the_next_due_moment_is_known(store: Store) {
    let now = store.read(View::Latest).await.unwrap().now();
    let rows = [("a", "p", now + LONG), ("b", "q", Timestamp(0)), ("c", "p", now + 2 * LONG)];
    fill(&store, rows.map(|(id, partition, due_at)| (id.to_owned(), partition, due_at))).await;
    let next = async |partitions: &[&str]| {
        let partitions = partitions.iter().map(ToString::to_string).collect();
        store.next_due(&DueQuery { queue: Task::QUEUE, partitions }).await.unwrap()
    };
    let soon = next(&["p"]).await.unwrap();
    // A store may bridge its server's clock, wrong by a part of a round trip.
    let trip = Duration::from_secs(1);
    assert!(soon <= LONG + trip && soon > LONG / 2, "{soon:?}");
    assert_eq!(next(&["p", "q"]).await, Some(Duration::ZERO));
    assert_eq!(next(&["none"]).await, None);
    assert_eq!(next(&[]).await, None);
    // A row that is held is due again when its lease ends.
    lease(&store, "one", &[("q", 1)], LONG / 4).await;
    let end = next(&["p", "q"]).await.unwrap();
    assert!(end <= LONG / 4 && end > Duration::ZERO, "{end:?}");
}

pub(super) async fn concurrent_claims_share_nothing(store: Store) {
    const ROWS: usize = 300;
    fill(&store, (0..ROWS).map(|n| (format!("t{n:03}"), if n % 2 == 0 { "p" } else { "q" }, Timestamp(0)))).await;
    let claims = (0..20).map(async |n: usize| lease(&store, &n.to_string(), &[("p", 15), ("q", 15)], LONG).await);
    let mut leases: Vec<_> = join_all(claims).await.into_iter().flatten().collect();
    // Claims that raced may have passed each other by; one more takes what is left.
    leases.extend(lease(&store, "last", &[("p", 300), ("q", 300)], LONG).await);
    assert_eq!(leases.len(), ROWS);
    assert_eq!(names(&leases).into_iter().collect::<BTreeSet<_>>().len(), ROWS);
    assert!(leases.iter().all(|lease| lease.record.attempt == 1 && !lease.abandoned));
    assert!(get::<Item>(&store, "t000").await.is_some());
}
