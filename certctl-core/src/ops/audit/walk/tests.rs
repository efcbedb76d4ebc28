use super::*;
use crate::domain::{ActorType, AuditAction, AuditCheckpointId, AuditEventId, Recorded, SCHEMAS, Timestamp};
use crate::storage::{Changes, MemoryStorage};
use crate::testing::{ManualClock, block_on};

/// A store of rows with these numbers and checkpoints over these.
fn store(rows: &[i64], checkpoints: &[i64]) -> Arc<dyn Storage> {
    let store: Arc<dyn Storage> = Arc::new(MemoryStorage::new(SCHEMAS, Arc::new(ManualClock::default())));
    let mut changes = Changes::default();
    for (n, seq) in rows.iter().enumerate() {
        let recorded = Recorded {
            // Rows with one number come in the order of their ids, which is not that of this list.
            id: AuditEventId::parse(format!("aud-{:03}", 999 - n)).unwrap(),
            actor: "a".into(),
            actor_type: ActorType::User,
            action: AuditAction::TeamCreated,
            resource_type: "team".into(),
            resource_id: "team-1".into(),
            details: serde_json::json!({}),
            timestamp: Timestamp(1),
        };
        changes.append(AuditEvent { seq: *seq, ..AuditEvent::new(recorded) });
    }
    for seq in checkpoints {
        changes.append(AuditCheckpoint {
            id: AuditCheckpointId::parse(format!("acp-{seq}")).unwrap(),
            store: "store".into(),
            seq: *seq,
            hash: vec![0; 32],
            signed_at: Timestamp(1),
            key_id: "key".into(),
            public_key: Vec::new(),
            signature: Vec::new(),
        });
    }
    block_on(store.apply(changes)).unwrap();
    store
}

/// What comes: rows by number and id, checkpoints by number.
fn steps(mut walk: Walk) -> Vec<(i64, String)> {
    let mut all = Vec::new();
    while let Some(steps) = block_on(walk.next()).unwrap() {
        all.extend(steps.into_iter().map(|step| match step {
            Step::Row(row) => (seq(&row), row.id().to_owned()),
            Step::Checkpoint(checkpoint) => (checkpoint.seq, "checkpoint".to_owned()),
        }));
    }
    all
}

/// Rows and checkpoints apart. Where a page ends between two rows with one number, a checkpoint comes between them.
fn apart(steps: Vec<(i64, String)>) -> [Vec<(i64, String)>; 2] {
    let (checkpoints, rows) = steps.into_iter().partition(|(_, id)| id == "checkpoint");
    [rows, checkpoints]
}

#[test]
fn reading_ahead_gives_the_same_steps() {
    let whole = |end: i64| (1..=end).collect::<Vec<_>>();
    let mut cases = vec![vec![UNSEALED; 7], vec![UNSEALED - 1], vec![3; 13]];
    // Around the ends of pages, of what is asked for ahead, and with rows that are not sealed.
    for end in 1..40 {
        cases.push(whole(end));
        cases.push([whole(end), vec![UNSEALED; 6]].concat());
    }
    for place in 1..30 {
        // A row is gone, or many are; one is there twice, or so often that a range overflows.
        cases.push(whole(30).into_iter().filter(|seq| *seq != place).collect());
        cases.push(whole(60).into_iter().filter(|seq| !(place..place + 23).contains(seq)).collect());
        cases.push([whole(30), vec![place]].concat());
        cases.push([whole(30), vec![place; 12]].concat());
        let moved = whole(30).into_iter().map(|seq| if seq == place { place + 1 } else { seq });
        cases.push(moved.collect());
        cases.push([whole(30), vec![UNSEALED - place, -place, 0]].concat());
    }
    for rows in cases {
        for checkpoints in [&[][..], &[4, 5, 6, 11, 12, 13, 20, 30, 31, 90]] {
            let store = store(&rows, checkpoints);
            let plain = steps(Walk::new(&store, 0, Vec::new()));
            let behind_zero = rows.iter().filter(|seq| **seq > 0).count();
            assert_eq!(plain.iter().filter(|(_, id)| id != "checkpoint").count(), behind_zero, "{rows:?}");
            let ahead = steps(Walk::new(&store, 0, Vec::new()).reading_ahead());
            let numbers: std::collections::BTreeSet<i64> = rows.iter().copied().collect();
            if numbers.len() == rows.len() {
                assert_eq!(ahead, plain, "{rows:?}");
            }
            assert_eq!(apart(ahead), apart(plain), "{rows:?}");
        }
    }
}

#[test]
fn pages_are_asked_for_before_the_one_in_front_is_looked_at() {
    let store = store(&(1..=40).collect::<Vec<_>>(), &[]);
    let mut walk = Walk::new(&store, 0, Vec::new()).reading_ahead();
    block_on(walk.next()).unwrap();
    assert_eq!(walk.ahead.len(), AHEAD);
    let mut waiting = Walk::new(&store, 0, Vec::new());
    block_on(waiting.next()).unwrap();
    assert_eq!(waiting.ahead.len(), 0);
}
