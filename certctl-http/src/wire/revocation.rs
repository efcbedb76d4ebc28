//! Revoking one certificate or many.

use certctl_core::domain::{CertificateId, RevocationReason};
use certctl_core::ops::certificate::{BulkCriteria, BulkResult, Effect};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bulk::{BulkError, BulkSkipped, bulk_request, effect, errors, skipped};
use super::names;
use super::patch::{unless_empty, unless_null};

/// Revokes a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RevokeCertificateRequest)]
pub struct RevokeCertificate {
    /// Why; `unspecified` when absent.
    #[serde(default, deserialize_with = "unless_empty", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<names::RevocationReason>, nullable = false)]
    pub reason: Option<RevocationReason>,
}

bulk_request! {
    /// Revokes all certificates for which all conditions hold that are given. At least one must be given.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    #[schema(as = BulkRevokeRequest)]
    pub struct BulkRevoke {
        /// Why.
        #[schema(value_type = names::RevocationReason)]
        pub reason: RevocationReason,
        /// Tells what would be revoked, and changes nothing.
        #[serde(default, deserialize_with = "unless_null")]
        pub dry_run: bool,
    }
}

/// What a bulk revocation came to. Each certificate that was meant stands in exactly one of the lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkRevokeResult {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// How many certificates were meant; ids that are named and that there are none of included.
    pub total_matched: usize,
    /// How many were revoked, or would be.
    pub total_revoked: usize,
    /// How many were passed over.
    pub total_skipped: usize,
    /// How many could not be revoked.
    pub total_failed: usize,
    /// Those that were revoked, or would be.
    #[schema(value_type = Vec<String>)]
    pub certificate_ids: Vec<CertificateId>,
    /// Those that were passed over; absent when none were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<BulkSkipped>,
    /// Those that could not be revoked; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<BulkError>,
}

impl BulkRevoke {
    /// Which certificates are meant, why, and whether it is done.
    pub(crate) fn parts(mut self) -> (BulkCriteria, RevocationReason, Effect) {
        (self.criteria(), self.reason, effect(self.dry_run))
    }
}

impl BulkRevokeResult {
    pub(crate) fn of(effect: Effect, result: BulkResult) -> Self {
        Self {
            dry_run: effect == Effect::Preview,
            total_matched: result.matched(),
            total_revoked: result.done.len(),
            total_skipped: result.skipped.len(),
            total_failed: result.failed.len(),
            certificate_ids: result.done,
            skipped: skipped(result.skipped),
            errors: errors(result.failed),
        }
    }
}
