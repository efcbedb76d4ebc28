//! Verifying the trail where it is.

use async_trait::async_trait;
use serde_json::json;

use super::walk::{Step, Walk};
use crate::audit::{ExportLine, SeenRow, Verification, Verifier};
use crate::domain::AuditAction;
use crate::domain::audit::AuditCheckpoint;
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::ports::FileErrorKind;

/// So much is read of the checkpoints outside of the database, from the end: some 2,000 of them.
const OUTSIDE: usize = 1 << 20;

/// Verifies the whole audit trail against its digests, its chain and the signed checkpoints, in the database and outside of
/// it. Needs memory for one page, and time in proportion to the trail.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verify;

#[async_trait]
impl Operation for Verify {
    type Output = Verification;
    const NAME: &'static str = "audit.verify";
    const ACCESS: Access = Access::AUDIT;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Verification, Error> {
        let trail = cx.engine.trail();
        let key = cx.engine.checkpoint_key().await?;
        let key_id = AuditCheckpoint::key_id_of(key.public_key());
        let mut verifier = Verifier::default().trusting(key_id).of_store(trail.store.clone());
        for checkpoint in outside(cx).await? {
            verifier.checkpoint(&checkpoint);
        }
        let mut walk = Walk::new(cx.engine.storage(), 0, Vec::new()).reading_ahead();
        while let Some(steps) = walk.next().await? {
            for step in steps {
                match step {
                    Step::Row(row) => verifier.row(&SeenRow::stored(&row.values)),
                    Step::Checkpoint(checkpoint) => verifier.checkpoint(&checkpoint),
                }
            }
        }
        let outcome = verifier.finish();
        let Verification { sealed, unsealed, found, last_seq, .. } = &outcome;
        let details = json!({ "sealed": sealed, "unsealed": unsealed, "findings": found, "last_seq": last_seq });
        cx.audit(AuditAction::AuditVerified, ("audit", "trail"), details);
        Ok(outcome)
    }
}

/// The newest checkpoints outside of the database.
async fn outside(cx: &Context<'_>) -> Result<Vec<AuditCheckpoint>, Error> {
    let Some(path) = &cx.engine.trail().checkpoint_file else { return Ok(Vec::new()) };
    let bytes = match cx.ports().files.read_end(path, OUTSIDE).await {
        Ok(bytes) => bytes,
        // None has been signed yet, or the file is gone; what is in the database still counts.
        Err(error) if error.kind == FileErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::internal(error)),
    };
    let text = String::from_utf8_lossy(&bytes);
    // A line that a crash tore, or that begins before what was read, is none.
    Ok(text.lines().filter_map(|line| ExportLine::parse(line).ok()?.as_checkpoint()).collect())
}
