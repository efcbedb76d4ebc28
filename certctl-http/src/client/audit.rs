//! The audit trail.

use certctl_core::domain::AuditEventId;

use super::send::Call;
use super::{Client, ClientError, Listing};
use crate::wire::{AuditEvent, AuditVerification, Page};

impl Client {
    /// Lists the audit trail, newest first.
    pub async fn list_audit_events(&self, listing: &Listing) -> Result<Page<AuditEvent>, ClientError> {
        self.list(Call::get(["api", "v1", "audit"]), listing).await
    }
    /// Reads an entry.
    pub async fn audit_event(&self, id: &AuditEventId) -> Result<AuditEvent, ClientError> {
        self.call(Call::get(["api", "v1", "audit", id.as_str()])).await
    }
    /// One part of an export in lines of JSON, behind this place in the chain. Its last line says whether another follows,
    /// and behind which place.
    pub async fn export_audit_part(&self, after: i64, filters: &Listing) -> Result<String, ClientError> {
        let call = Call::get(["api", "v1", "audit", "export"]);
        let call = call.query("part", "true".to_owned()).query("after", after.to_string());
        self.call_text(call, filters).await
    }
    /// Verifies the whole trail.
    pub async fn verify_audit(&self) -> Result<AuditVerification, ClientError> {
        self.call(Call::post(["api", "v1", "audit", "verify"]).patience(VERIFIES)).await
    }
}

/// Tens of millions of entries take so much longer than other calls.
const VERIFIES: std::time::Duration = std::time::Duration::from_mins(10);
