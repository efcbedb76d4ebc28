use super::*;
use crate::domain::audit::{Recorded, links};
use crate::domain::{ActorType, AuditAction, AuditCheckpointId, AuditEvent, AuditEventId, KeyAlgorithm};
use crate::entity::{Entity, Value};
use crate::ports::{Keys, Signer};
use crate::testing::{SeededRng, TestKeys, block_on};
use std::sync::Arc;

type Row = Vec<Value>;

fn event(n: i64) -> Row {
    let recorded = Recorded {
        id: AuditEventId::parse(format!("aud-{n}")).unwrap(),
        actor: "key-1".into(),
        actor_type: ActorType::User,
        action: AuditAction::TeamCreated,
        resource_type: "team".into(),
        resource_id: format!("team-{n}"),
        details: serde_json::json!({ "n": n }),
        timestamp: Timestamp(n),
    };
    AuditEvent::new(recorded).to_values()
}

const DIGEST: usize = 8;
const SEQ: usize = 9;
const HASH: usize = 10;

fn bytes(value: &Value) -> Vec<u8> {
    let Value::Bytes(bytes) = value else { panic!("{value:?} holds no bytes") };
    bytes.clone()
}

/// Seals rows behind a head, as a store does.
fn seal(head: ChainHead, rows: &mut [Row]) {
    let found: Vec<_> = rows.iter().map(|row| (row[0].as_text().unwrap().to_owned(), bytes(&row[DIGEST]))).collect();
    for (row, link) in rows.iter_mut().zip(links(head, found)) {
        row[SEQ] = Value::Integer(link.seq);
        row[HASH] = Value::Bytes(link.hash.to_vec());
    }
}

fn trail(rows: i64) -> Vec<Row> {
    let mut trail: Vec<Row> = (1..=rows).map(event).collect();
    seal(ChainHead::GENESIS, &mut trail);
    trail
}

fn key(seed: u64) -> Arc<dyn Signer> {
    block_on(TestKeys.generate(KeyAlgorithm::Ed25519, &SeededRng::new(seed))).unwrap().signer
}

fn checkpoint_by(key: &dyn Signer, store: &str, row: &Row) -> AuditCheckpoint {
    let Value::Integer(seq) = row[SEQ] else { panic!("the row has no number") };
    let head = ChainHead { seq, hash: bytes(&row[HASH]).try_into().unwrap() };
    let message = AuditCheckpoint::message(store, head, Timestamp(seq));
    AuditCheckpoint {
        id: AuditCheckpointId::parse(format!("acp-{seq}")).unwrap(),
        store: store.into(),
        seq,
        hash: head.hash.to_vec(),
        signed_at: Timestamp(seq),
        key_id: AuditCheckpoint::key_id_of(key.public_key()),
        public_key: key.public_key().to_vec(),
        signature: block_on(key.sign(&message)).unwrap(),
    }
}

fn checkpoint(row: &Row) -> AuditCheckpoint {
    checkpoint_by(&*key(1), "store", row)
}

fn verify_with(verifier: Verifier, rows: &[Row], checkpoints: &[AuditCheckpoint]) -> Verification {
    let mut verifier = verifier;
    for checkpoint in checkpoints {
        verifier.checkpoint(checkpoint);
    }
    for row in rows {
        verifier.row(&SeenRow::stored(row));
    }
    verifier.finish()
}

fn verify(rows: &[Row], checkpoints: &[AuditCheckpoint]) -> Verification {
    verify_with(Verifier::default(), rows, checkpoints)
}

/// Kind and number of each finding.
fn findings(rows: &[Row], checkpoints: &[AuditCheckpoint]) -> Vec<(FindingKind, Option<i64>)> {
    verify(rows, checkpoints).findings.iter().map(|finding| (finding.kind, finding.seq)).collect()
}

#[test]
fn an_untouched_trail_is_clean_and_its_unsealed_rows_are_named() {
    let mut rows = trail(10);
    let vouched = checkpoint(&rows[6]);
    rows.push(event(11));
    let outcome = verify(&rows, &[checkpoint(&rows[2]), vouched.clone()]);
    assert!(outcome.is_clean(), "{outcome:?}");
    assert_eq!((outcome.sealed, outcome.unsealed, outcome.checkpoints, outcome.last_seq), (10, 1, 2, 10));
    assert_eq!(outcome.unsealed_ids, ["aud-11"]);
    assert_eq!(outcome.vouched, Some((7, Timestamp(7))));
    assert_eq!(outcome.key_ids, [vouched.key_id]);
    assert!(verify(&[], &[]).is_clean());
}

#[test]
fn an_edit_of_any_cell_is_found_where_it_is() {
    for position in 0..DIGEST {
        let mut rows = trail(5);
        rows[2][position] = match &rows[2][position] {
            Value::Integer(number) => Value::Integer(number + 1),
            _ => Value::Text("other".into()),
        };
        assert_eq!(findings(&rows, &[]), [(FindingKind::Edited, Some(3))], "column {position}");
    }
}

#[test]
fn an_edit_with_a_new_digest_breaks_the_link() {
    let mut rows = trail(5);
    rows[2][1] = Value::Text("somebody else".into());
    rows[2][DIGEST] = Value::Bytes(crate::domain::audit::digest(&rows[2]).to_vec());
    assert_eq!(findings(&rows, &[]), [(FindingKind::BrokenLink, Some(3))]);
}

#[test]
fn a_trail_that_was_written_anew_does_not_fit_its_checkpoints() {
    let mut rows = trail(5);
    let signed = [checkpoint(&rows[1]), checkpoint(&rows[4])];
    let end = signed[0].head().unwrap();
    rows[2][1] = Value::Text("somebody else".into());
    rows[2][DIGEST] = Value::Bytes(crate::domain::audit::digest(&rows[2]).to_vec());
    seal(end, &mut rows[2..]);
    assert_eq!(findings(&rows, &[]), [], "without checkpoints nobody can tell");
    assert_eq!(findings(&rows, &signed), [(FindingKind::Forked, Some(5))]);
}

#[test]
fn deleted_rows_are_missed() {
    let whole = trail(6);
    let signed = [checkpoint(&whole[2]), checkpoint(&whole[5])];
    for (gone, number) in (0..5).zip(1..) {
        let mut rows = whole.clone();
        rows.remove(gone);
        assert_eq!(findings(&rows, &signed), [(FindingKind::Missing, Some(number))]);
    }
}

#[test]
fn a_deletion_that_closes_the_gap_breaks_the_link() {
    let mut rows = trail(6);
    rows.remove(2);
    for (row, number) in rows.iter_mut().zip(1..) {
        row[SEQ] = Value::Integer(number);
    }
    assert_eq!(findings(&rows, &[])[0], (FindingKind::BrokenLink, Some(3)));
}

#[test]
fn a_cut_tail_is_found_by_the_checkpoint_behind_it() {
    let mut rows = trail(6);
    let signed = [checkpoint(&rows[2]), checkpoint(&rows[5])];
    rows.truncate(4);
    assert_eq!(findings(&rows, &signed), [(FindingKind::Cut, Some(5))]);
    rows.clear();
    assert_eq!(findings(&rows, &signed), [(FindingKind::Cut, Some(1))]);
}

#[test]
fn reordered_rows_do_not_follow_each_other() {
    let mut rows = trail(6);
    let (third, fourth) = (rows[2][SEQ].clone(), rows[3][SEQ].clone());
    (rows[2][SEQ], rows[3][SEQ]) = (fourth, third);
    rows.swap(2, 3);
    assert_eq!(findings(&rows, &[])[0], (FindingKind::BrokenLink, Some(3)));
    let mut rows = trail(6);
    rows.swap(2, 3);
    let found = findings(&rows, &[]);
    assert!(found.contains(&(FindingKind::Disordered, Some(3))), "{found:?}");
}

#[test]
fn two_rows_with_one_number_are_a_fork() {
    let mut rows = trail(4);
    let mut other = [event(40)];
    seal(ChainHead { seq: 2, hash: bytes(&rows[1][HASH]).try_into().unwrap() }, &mut other);
    rows.insert(3, other[0].clone());
    assert_eq!(findings(&rows, &[]), [(FindingKind::Duplicate, Some(3))]);
}

#[test]
fn an_edited_unsealed_row_is_found() {
    let mut rows = trail(2);
    rows.push(event(3));
    rows[2][5] = Value::Text("other".into());
    assert_eq!(findings(&rows, &[]), [(FindingKind::Edited, None)]);
}

#[test]
fn a_row_that_was_edited_before_it_was_sealed_is_found() {
    let mut rows: Vec<Row> = (1..=3).map(event).collect();
    rows[1][1] = Value::Text("somebody else".into());
    seal(ChainHead::GENESIS, &mut rows);
    assert_eq!(findings(&rows, &[]), [(FindingKind::Edited, Some(2))]);
}

#[test]
fn only_the_right_key_and_store_vouch() {
    let rows = trail(3);
    let good = checkpoint(&rows[2]);
    let kinds = |checkpoint: AuditCheckpoint| {
        let verifier = Verifier::default().trusting(good.key_id.clone()).of_store("store");
        let outcome = verify_with(verifier, &rows, &[checkpoint]);
        (outcome.findings.first().map(|finding| finding.kind), outcome.vouched.is_some())
    };
    assert_eq!(kinds(good.clone()), (None, true));
    assert_eq!(kinds(checkpoint_by(&*key(2), "store", &rows[2])), (Some(FindingKind::Stranger), false));
    assert_eq!(kinds(checkpoint_by(&*key(1), "other", &rows[2])), (Some(FindingKind::Stranger), false));
    for spoiled in [
        AuditCheckpoint { signature: vec![0; 64], ..good.clone() },
        AuditCheckpoint { seq: 2, ..good.clone() },
        AuditCheckpoint { hash: vec![7; 32], ..good.clone() },
        AuditCheckpoint { hash: Vec::new(), ..good.clone() },
        AuditCheckpoint { signed_at: Timestamp(9), ..good.clone() },
        AuditCheckpoint { public_key: key(2).public_key().to_vec(), ..good.clone() },
    ] {
        assert_eq!(kinds(spoiled), (Some(FindingKind::BadSignature), false));
    }
}

#[test]
fn many_findings_are_counted_and_the_first_are_named() {
    let mut rows = trail(300);
    for row in &mut rows {
        row[5] = Value::Text("other".into());
    }
    let outcome = verify(&rows, &[]);
    assert_eq!((outcome.found, outcome.findings.len()), (300, Verification::MOST));
    assert_eq!(outcome.findings[0].seq, Some(1));
}
