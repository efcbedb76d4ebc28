//! Exporting the trail.

use async_trait::async_trait;

use super::list::ListFilter;
use super::walk::{Step, Walk};
use crate::audit::{ExportLine, csv};
use crate::domain::AuditAction;
use crate::domain::audit::{CONTENT, UNSEALED};
use crate::engine::Engine;
use crate::entity::{Row, Value};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::text_enum;

text_enum! {
    /// How an export is written.
    pub enum ExportFormat {
        /// A table for spreadsheets. It cannot be verified.
        Csv = "csv",
        /// A line of JSON for each entry, with what is needed to verify it.
        Ndjson = "ndjson",
    }
}

/// Begins an export: the whole trail, or what passes a filter.
#[derive(Clone, Debug)]
pub struct Export {
    /// How it is written.
    pub format: ExportFormat,
    /// Which entries. Only an export of all of them can be verified.
    pub filter: ListFilter,
    /// Only what is behind this number; 0 for all.
    pub after: i64,
    /// Ends after about so many bytes, with a last line that says where the next part begins.
    pub part: Option<usize>,
}

#[async_trait]
impl Operation for Export {
    type Output = AuditExport;
    const NAME: &'static str = "audit.export";
    const ACCESS: Access = Access::AUDIT;

    async fn run(&self, cx: &mut Context<'_>) -> Result<AuditExport, Error> {
        let Self { format, filter, after, part } = self;
        let mut details = filter.told();
        if let Some(members) = details.as_object_mut() {
            members.insert("format".to_owned(), format.name().into());
            members.insert("after".to_owned(), (*after).into());
        }
        cx.audit(AuditAction::AuditExported, ("audit", "trail"), details);
        let beginning = match format {
            ExportFormat::Csv => csv::HEADING.to_owned(),
            ExportFormat::Ndjson => {
                let complete = filter.is_empty() && *after == 0;
                ExportLine::beginning(&cx.engine.trail().store, cx.now(), complete).to_text()
            }
        };
        Ok(AuditExport {
            walk: Walk::new(cx.engine.storage(), *after, filter.conditions()),
            engine: cx.engine.clone(),
            format: *format,
            beginning: Some(beginning),
            last: *after,
            left: part.unwrap_or(usize::MAX),
            over: false,
        })
    }
}

/// An export under way. Give its pieces to whoever asked, one after the other.
pub struct AuditExport {
    engine: Engine,
    walk: Walk,
    format: ExportFormat,
    beginning: Option<String>,
    /// The last sealed row that was written.
    last: i64,
    /// Bytes that this part may still have.
    left: usize,
    over: bool,
}

impl std::fmt::Debug for AuditExport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuditExport").field("engine", &self.engine).field("last", &self.last).finish_non_exhaustive()
    }
}

impl AuditExport {
    /// The next piece, whole lines of it; `None` after the last.
    ///
    /// # Errors
    /// The store's. The export then has no last line, by which it is known to be cut short.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if self.over {
            return Ok(None);
        }
        let mut text = self.beginning.take().unwrap_or_default();
        let steps = self.walk.next().await?;
        let is_last = steps.is_none();
        for step in steps.into_iter().flatten() {
            match step {
                Step::Row(row) => {
                    let seq = sealed(&row);
                    // A part ends between two numbers, so that the next one begins behind a whole one.
                    if self.left == 0 && seq.is_none_or(|seq| seq != self.last) {
                        return Ok(Some(self.ended(text, true)));
                    }
                    self.last = seq.unwrap_or(self.last);
                    self.write(&mut text, &ExportLine::event(&row.values));
                }
                Step::Checkpoint(checkpoint) => self.write(&mut text, &ExportLine::checkpoint(&checkpoint)),
            }
        }
        Ok(Some(if is_last { self.ended(text, false) } else { text.into_bytes() }))
    }

    fn write(&mut self, text: &mut String, line: &ExportLine<'_>) {
        let line = match self.format {
            ExportFormat::Ndjson => line.to_text(),
            ExportFormat::Csv => csv::line(line),
        };
        self.left = self.left.saturating_sub(line.len());
        text.push_str(&line);
    }

    fn ended(&mut self, mut text: String, more: bool) -> Vec<u8> {
        self.over = true;
        if self.format == ExportFormat::Ndjson {
            text.push_str(&ExportLine::end(self.last, more).to_text());
        }
        text.into_bytes()
    }
}

/// The row's number, if it has one.
fn sealed(row: &Row) -> Option<i64> {
    match row.values.get(CONTENT + 1) {
        Some(Value::Integer(seq)) if *seq != UNSEALED => Some(*seq),
        _ => None,
    }
}
