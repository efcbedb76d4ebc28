//! Why a certificate is renewed when it is.

use certctl_core::decide::explain::{Gate, GateName, GateVerdict};
use certctl_core::domain::{self, CertificateId, CertificateStatus, Timestamp};
use certctl_core::ops::certificate::Explanation;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::names;

/// When and why a certificate is renewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateExplanation {
    /// The certificate.
    #[schema(value_type = String)]
    pub certificate_id: CertificateId,
    /// Its name.
    pub name: String,
    /// Its state.
    #[schema(value_type = names::CertificateStatus)]
    pub status: CertificateStatus,
    /// The moment of the explanation, by the store's clock.
    #[schema(value_type = String, format = DateTime)]
    pub now: Timestamp,
    /// When the next renewal is due; absent while one is under way, and where none is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub renew_at: Option<Timestamp>,
    /// When it ends; absent before it is issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub expires_at: Option<Timestamp>,
    /// The gates in the order in which a renewal passes them.
    pub gates: Vec<RenewalGate>,
    /// What CAs suggest (RFC 9773), for each version that they were asked about.
    pub advice: Vec<RenewalAdvice>,
}

/// What a renewal has to pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RenewalGate {
    /// Which gate.
    #[schema(value_type = names::RenewalGateName)]
    pub name: GateName,
    /// `open` lets it through, `waiting` opens by itself, `closed` stays until somebody does something.
    #[schema(value_type = names::RenewalGateVerdict)]
    pub verdict: GateVerdict,
    /// Why.
    pub reason: String,
    /// The moment that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub at: Option<Timestamp>,
}

/// What a CA suggests for the renewal of one version (RFC 9773).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RenewalAdvice {
    /// The version.
    pub version_id: String,
    /// How the CA knows it (RFC 9773 §4.1).
    pub renewal_info_id: String,
    /// The first moment of the suggested window; absent before the first answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub window_start: Option<Timestamp>,
    /// Its last moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub window_end: Option<Timestamp>,
    /// The moment within it that was drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub selected_at: Option<Timestamp>,
    /// Where people read why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub explanation_url: Option<String>,
    /// When the CA last answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub checked_at: Option<Timestamp>,
    /// When the CA is asked again.
    #[schema(value_type = String, format = DateTime)]
    pub next_check_at: Timestamp,
    /// Why the last question failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub last_error: Option<String>,
}

impl From<Explanation> for CertificateExplanation {
    fn from(explanation: Explanation) -> Self {
        let Explanation { certificate, status, now, gates, advice } = explanation;
        Self {
            certificate_id: certificate.id,
            name: certificate.name,
            status,
            now,
            renew_at: certificate.renew_at.known(),
            expires_at: certificate.expires_at.known(),
            gates: gates.into_iter().map(Into::into).collect(),
            advice: advice.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Gate> for RenewalGate {
    fn from(gate: Gate) -> Self {
        Self { name: gate.name, verdict: gate.verdict, reason: gate.reason, at: gate.at }
    }
}

impl From<domain::RenewalAdvice> for RenewalAdvice {
    fn from(advice: domain::RenewalAdvice) -> Self {
        Self {
            version_id: advice.id.to_string(),
            renewal_info_id: advice.renewal_info_id,
            window_start: advice.window_start,
            window_end: advice.window_end,
            selected_at: advice.selected_at,
            explanation_url: advice.explanation_url,
            checked_at: advice.checked_at,
            next_check_at: advice.next_check,
            last_error: advice.last_error,
        }
    }
}
