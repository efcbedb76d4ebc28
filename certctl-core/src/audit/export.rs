//! An export: the trail as lines of JSON, each row with the very bytes that its digest covers.
//!
//! A line is an object whose `type` says what it is: `export` comes first, then each `event` in the order of the chain with
//! each `checkpoint` behind the row that it was signed over, then the events that are not sealed yet, then `end`. An export
//! that was cut short has no end, or ends before a checkpoint.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::{SeenRow, Verification, Verifier};
use crate::domain::audit::{self, AuditCheckpoint, CONTENT, UNSEALED};
use crate::domain::{AuditCheckpointId, Timestamp};
use crate::entity::Value;

/// One line.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ExportLine<'a> {
    /// `export`, `event`, `checkpoint` or `end`.
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
    #[serde(borrow, default, deserialize_with = "borrowed", skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed", skip_serializing_if = "Option::is_none")]
    actor: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed", skip_serializing_if = "Option::is_none")]
    actor_type: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed", skip_serializing_if = "Option::is_none")]
    action: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed", skip_serializing_if = "Option::is_none")]
    resource_type: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed", skip_serializing_if = "Option::is_none")]
    resource_id: Option<Cow<'a, str>>,
    /// The stored text, not read and written again: its digest covers each byte.
    #[serde(borrow, default, deserialize_with = "borrowed_json", skip_serializing_if = "Option::is_none")]
    details: Option<Cow<'a, RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Timestamp>,
    #[serde(borrow, default, deserialize_with = "borrowed", skip_serializing_if = "Option::is_none")]
    digest: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed", skip_serializing_if = "Option::is_none")]
    hash: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed", skip_serializing_if = "Option::is_none")]
    store: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_at: Option<Timestamp>,
    #[serde(borrow, default, deserialize_with = "borrowed", skip_serializing_if = "Option::is_none")]
    key_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed", skip_serializing_if = "Option::is_none")]
    public_key: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "borrowed", skip_serializing_if = "Option::is_none")]
    signature: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exported_at: Option<Timestamp>,
    /// Of the first line: whether every row is meant to be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<bool>,
    /// Of the last line: whether another part follows this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
}

/// A text that is no export, or no whole one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A line is none.
    #[error("line {line} is no line of an export: {reason}; verify the file as it was exported")]
    Line {
        /// Which, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// It does not begin with the line that says what it is.
    #[error("the file does not begin as an export does; export with the format ndjson")]
    NoBeginning,
    /// The last line is missing.
    #[error("the export has no last line: it was cut short after {rows} events")]
    CutShort {
        /// How many events there are.
        rows: u64,
    },
    /// It was made with a filter, so that rows are missing on purpose.
    #[error("the export was made with a filter; only a whole one can be verified, so export without filters")]
    Filtered,
}

impl<'a> ExportLine<'a> {
    /// The first line.
    pub fn beginning(store: &'a str, exported_at: Timestamp, complete: bool) -> Self {
        Self {
            kind: "export".into(),
            store: Some(store.into()),
            exported_at: Some(exported_at),
            complete: Some(complete),
            ..Self::default()
        }
    }

    /// A row as it is stored.
    pub fn event(values: &'a [Value]) -> Self {
        let text = |position: usize| values.get(position).and_then(Value::as_text).map(Cow::Borrowed);
        let integer = |position: usize| {
            values.get(position).and_then(|value| if let Value::Integer(n) = value { Some(*n) } else { None })
        };
        let digits = |position: usize| match values.get(position) {
            Some(Value::Bytes(bytes)) => Some(Cow::Owned(hex::encode(bytes))),
            _ => None,
        };
        Self {
            kind: "event".into(),
            seq: integer(CONTENT + 1).filter(|seq| *seq != UNSEALED),
            id: text(0),
            actor: text(1),
            actor_type: text(2),
            action: text(3),
            resource_type: text(4),
            resource_id: text(5),
            details: values.get(6).and_then(Value::as_text).and_then(details),
            timestamp: integer(7).map(Timestamp),
            digest: digits(CONTENT),
            hash: digits(CONTENT + 2),
            ..Self::default()
        }
    }

    /// A checkpoint.
    pub fn checkpoint(checkpoint: &'a AuditCheckpoint) -> Self {
        let AuditCheckpoint { id, store, seq, hash, signed_at, key_id, public_key, signature } = checkpoint;
        Self {
            kind: "checkpoint".into(),
            seq: Some(*seq),
            id: Some(id.as_str().into()),
            hash: Some(hex::encode(hash).into()),
            store: Some(store.into()),
            signed_at: Some(*signed_at),
            key_id: Some(key_id.into()),
            public_key: Some(STANDARD.encode(public_key).into()),
            signature: Some(STANDARD.encode(signature).into()),
            ..Self::default()
        }
    }

    /// The last line of an export or of a part of one, behind the sealed row of this number.
    pub fn end(seq: i64, more: bool) -> Self {
        Self { kind: "end".into(), seq: Some(seq), more: Some(more), ..Self::default() }
    }

    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// The line with its end.
    pub fn to_text(&self) -> String {
        // Nothing here fails to serialize: there are no maps.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// Whether it is a first line.
    pub fn is_beginning(&self) -> bool {
        self.kind == "export"
    }

    /// For a last line: the number of the last sealed row, and whether more follows.
    pub fn as_end(&self) -> Option<(i64, bool)> {
        (self.kind == "end").then(|| (self.seq.unwrap_or(0), self.more.unwrap_or(false)))
    }

    /// For the line of a checkpoint: the checkpoint; `None` for one that cannot be.
    pub fn as_checkpoint(&self) -> Option<AuditCheckpoint> {
        if self.kind != "checkpoint" {
            return None;
        }
        Some(AuditCheckpoint {
            id: AuditCheckpointId::parse(self.id.as_deref()?).ok()?,
            store: self.store.as_deref()?.to_owned(),
            seq: self.seq?,
            hash: hex::decode(self.hash.as_deref()?).ok()?,
            signed_at: self.signed_at?,
            key_id: self.key_id.as_deref()?.to_owned(),
            public_key: STANDARD.decode(self.public_key.as_deref()?).ok()?,
            signature: STANDARD.decode(self.signature.as_deref()?).ok()?,
        })
    }

    /// For an event: its cells, in the order of [`csv::HEADING`](super::csv::HEADING).
    pub(super) fn cells(&self) -> Option<[Cow<'_, str>; 11]> {
        fn text(text: Option<&str>) -> Cow<'_, str> {
            Cow::Borrowed(text.unwrap_or_default())
        }
        (self.kind == "event").then(|| {
            [
                self.seq.map(|seq| seq.to_string()).unwrap_or_default().into(),
                self.timestamp.map(Timestamp::to_rfc3339).unwrap_or_default().into(),
                text(self.actor.as_deref()),
                text(self.actor_type.as_deref()),
                text(self.action.as_deref()),
                text(self.resource_type.as_deref()),
                text(self.resource_id.as_deref()),
                self.details.as_deref().map(RawValue::get).unwrap_or_default().into(),
                text(self.id.as_deref()),
                text(self.digest.as_deref()),
                text(self.hash.as_deref()),
            ]
        })
    }

    /// The digest of an event's cells.
    fn content(&self) -> [u8; 32] {
        let texts = [
            self.id.as_deref(),
            self.actor.as_deref(),
            self.actor_type.as_deref(),
            self.action.as_deref(),
            self.resource_type.as_deref(),
            self.resource_id.as_deref(),
            self.details.as_deref().map(RawValue::get),
        ];
        audit::digest_of(texts, self.timestamp.map(|at| at.0))
    }
}

/// A text that stays in the line it is read from, unless there is something to unescape: an optional one would be copied.
fn borrowed<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'a, str>>, D::Error> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    Ok(Option::<Text<'a>>::deserialize(deserializer)?.map(|Text(text)| text))
}

fn borrowed_json<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'a, RawValue>>, D::Error> {
    Ok(Option::<&'a RawValue>::deserialize(deserializer)?.map(Cow::Borrowed))
}

/// The stored text as it is; a text that is no JSON any more as a string, which fits no digest.
fn details(text: &str) -> Option<Cow<'_, RawValue>> {
    match serde_json::from_str::<&RawValue>(text) {
        // White space around it is not part of a raw value.
        Ok(raw) if raw.get().len() == text.len() && !text.contains('\n') => Some(Cow::Borrowed(raw)),
        _ => serde_json::value::to_raw_value(text).ok().map(Cow::Owned),
    }
}

/// The octets that a line says; none for digits that are no digest, which fit no row.
fn octets<'a>(digits: Option<&str>, buffer: &'a mut [u8; 32]) -> &'a [u8] {
    match digits.map(|digits| hex::decode_to_slice(digits, &mut *buffer)) {
        Some(Ok(())) => buffer,
        _ => &[],
    }
}

/// Verifies an export, line by line.
#[derive(Debug, Default)]
pub struct ExportReader {
    verifier: Verifier,
    lines: u64,
    rows: u64,
    ended: bool,
}

impl ExportReader {
    /// With the verifier that knows which checkpoints count, and perhaps some that were kept elsewhere.
    pub fn new(verifier: Verifier) -> Self {
        Self { verifier, ..Self::default() }
    }

    /// Takes the next line; empty ones are passed over.
    ///
    /// # Errors
    /// [`ExportError`] when this is no line of an export that can be verified.
    pub fn line(&mut self, text: &str) -> Result<(), ExportError> {
        self.lines += 1;
        let line = self.lines;
        let refused = |reason: String| ExportError::Line { line, reason };
        if text.trim().is_empty() {
            return Ok(());
        }
        let parsed = ExportLine::parse(text).map_err(refused)?;
        if self.lines == 1 && !parsed.is_beginning() {
            return Err(ExportError::NoBeginning);
        }
        if self.ended {
            return Err(refused("it comes after the last one".to_owned()));
        }
        match &*parsed.kind {
            "export" if self.lines > 1 => Err(refused("a second beginning".to_owned())),
            "export" if parsed.complete != Some(true) => Err(ExportError::Filtered),
            "export" => Ok(()),
            "event" => {
                self.rows += 1;
                self.event(&parsed);
                Ok(())
            }
            "checkpoint" => {
                let checkpoint = parsed.as_checkpoint().ok_or_else(|| refused("not a whole checkpoint".to_owned()))?;
                self.verifier.checkpoint(&checkpoint);
                Ok(())
            }
            "end" => {
                self.ended = !parsed.more.unwrap_or(false);
                self.verifier.ends_at(parsed.seq.unwrap_or(0));
                Ok(())
            }
            other => Err(refused(format!("`{other}` is none of export, event, checkpoint and end"))),
        }
    }

    fn event(&mut self, line: &ExportLine<'_>) {
        let (mut digest, mut hash) = ([0; 32], [0; 32]);
        self.verifier.row(&SeenRow {
            id: line.id.as_deref().unwrap_or_default(),
            seq: line.seq.unwrap_or(UNSEALED),
            content: line.content(),
            digest: octets(line.digest.as_deref(), &mut digest),
            hash: octets(line.hash.as_deref(), &mut hash),
        });
    }

    /// All lines have come.
    ///
    /// # Errors
    /// [`ExportError`] when the last line is missing.
    pub fn finish(self) -> Result<Verification, ExportError> {
        match (self.lines, self.ended) {
            (0, _) => Err(ExportError::NoBeginning),
            (_, false) => Err(ExportError::CutShort { rows: self.rows }),
            _ => Ok(self.verifier.finish()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::FindingKind;
    use crate::domain::audit::{ChainHead, Recorded, links};
    use crate::domain::{ActorType, AuditAction, AuditEvent, AuditEventId};
    use crate::entity::Entity;

    fn export(rows: i64) -> Vec<String> {
        let recorded = |n: i64| Recorded {
            id: AuditEventId::parse(format!("aud-{n}")).unwrap(),
            actor: "Zürich \"x\"".into(),
            actor_type: ActorType::User,
            action: AuditAction::TeamCreated,
            resource_type: "team".into(),
            resource_id: "team-1".into(),
            details: serde_json::json!({ "b": 1.5e300, "a": "\u{2028}\n", "n": n }),
            timestamp: Timestamp(1_900_000_000_123_456 + n),
        };
        let mut head = ChainHead::GENESIS;
        let mut lines = vec![ExportLine::beginning("store", Timestamp(0), true).to_text()];
        for n in 1..=rows {
            let mut event = AuditEvent::new(recorded(n));
            let link = links(head, [(event.id.to_string(), event.digest.clone())]).remove(0);
            head = ChainHead { seq: link.seq, hash: link.hash };
            (event.seq, event.hash) = (link.seq, Some(link.hash.to_vec()));
            lines.push(ExportLine::event(&event.to_values()).to_text());
        }
        lines.push(ExportLine::event(&AuditEvent::new(recorded(rows + 1)).to_values()).to_text());
        lines.push(ExportLine::end(rows, false).to_text());
        lines
    }

    fn verify(lines: &[String]) -> Result<Verification, ExportError> {
        let mut reader = ExportReader::default();
        lines.iter().try_for_each(|line| reader.line(line))?;
        reader.finish()
    }

    #[test]
    fn an_export_verifies_as_the_trail_does() {
        let outcome = verify(&export(3)).unwrap();
        assert!(outcome.is_clean(), "{outcome:?}");
        assert_eq!((outcome.sealed, outcome.unsealed, outcome.last_seq), (3, 1, 3));
    }

    #[test]
    fn what_was_done_to_a_file_is_found() {
        let whole = export(4);
        let kind = |lines: &[String]| verify(lines).unwrap().findings.first().map(|finding| finding.kind);
        let edited: Vec<String> = whole.iter().map(|line| line.replace("\"n\":2", "\"n\":9")).collect();
        assert_eq!(kind(&edited), Some(FindingKind::Edited));
        let mut deleted = whole.clone();
        deleted.remove(2);
        assert_eq!(kind(&deleted), Some(FindingKind::Missing));
        let mut shortened = whole.clone();
        shortened.remove(4);
        assert_eq!(kind(&shortened), Some(FindingKind::Cut));
        let mut swapped = whole.clone();
        swapped.swap(2, 3);
        assert!(kind(&swapped).is_some());
        let mut cut = whole.clone();
        cut.truncate(3);
        assert_eq!(verify(&cut), Err(ExportError::CutShort { rows: 2 }));
        assert_eq!(verify(&whole[1..]), Err(ExportError::NoBeginning));
        assert_eq!(verify(&[]), Err(ExportError::NoBeginning));
        let mut more = whole.clone();
        more.push(whole[1].clone());
        assert!(matches!(verify(&more), Err(ExportError::Line { .. })));
        let filtered = [ExportLine::beginning("store", Timestamp(0), false).to_text()];
        assert_eq!(verify(&filtered), Err(ExportError::Filtered));
        assert!(matches!(verify(&[whole[0].clone(), "{".into()]), Err(ExportError::Line { line: 2, .. })));
    }

    #[test]
    fn details_that_are_no_json_any_more_are_shown_as_text() {
        for stored in ["{broken", "{} ", "{\n}", "{}{}"] {
            let mut values = AuditEvent::new(Recorded {
                id: AuditEventId::parse("aud-1").unwrap(),
                actor: "a".into(),
                actor_type: ActorType::User,
                action: AuditAction::TeamCreated,
                resource_type: "team".into(),
                resource_id: "team-1".into(),
                details: serde_json::json!({}),
                timestamp: Timestamp(1),
            })
            .to_values();
            values[6] = Value::Text(stored.into());
            let line = ExportLine::event(&values).to_text();
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            let lines =
                [ExportLine::beginning("s", Timestamp(0), true).to_text(), line, ExportLine::end(0, false).to_text()];
            assert_eq!(verify(&lines).unwrap().findings[0].kind, FindingKind::Edited);
        }
    }
}
