//! Metrics, as JSON and as text.

use std::fmt::Write as _;

use certctl_core::domain::{CertificateStatus, JobState, Timestamp};
use certctl_core::engine::{Census, Engine};
use certctl_core::enrol::acme::{Acme, AcmeFamily};
use certctl_core::ocsp::OcspOutcome;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::DashboardCounts;

/// What there is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MetricsGauge {
    /// Certificates that are not archived.
    pub certificate_total: u64,
    /// Those of them that are neither revoked nor at their end nor within 30 days of it.
    pub certificate_active: u64,
    /// Issued certificates that end within 30 days.
    pub certificate_expiring_soon: u64,
    /// Certificates past their end.
    pub certificate_expired: u64,
    /// Revoked certificates.
    pub certificate_revoked: u64,
    /// Agents that are not retired.
    pub agent_total: u64,
    /// Those of them that were heard of within five minutes.
    pub agent_online: u64,
    /// Jobs that are pending, running or waiting for somebody.
    pub job_pending: u64,
}

/// What has happened so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MetricsCounter {
    /// Jobs that are done.
    pub job_completed_total: u64,
    /// Jobs whose last attempt failed.
    pub job_failed_total: u64,
    /// Notifications that used up their attempts.
    pub notifications_dead_total: u64,
    /// Notifications that this server ended undelivered, because their notifier is not configured any more.
    pub notifications_undeliverable_total: u64,
}

/// How long this server has been running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MetricsUptime {
    /// In seconds, rounded up.
    pub uptime_seconds: u64,
    /// When it started.
    #[schema(value_type = String, format = DateTime)]
    pub server_started: Timestamp,
    /// When this was measured.
    #[schema(value_type = String, format = DateTime)]
    pub measured_at: Timestamp,
}

/// Metrics of the store and of this server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MetricsResponse {
    /// What there is now.
    pub gauge: MetricsGauge,
    /// What has happened so far.
    pub counter: MetricsCounter,
    /// How long this server has been running.
    pub uptime: MetricsUptime,
    /// The same in seconds, where some clients look for it.
    pub uptime_seconds: u64,
}

impl MetricsResponse {
    pub(crate) fn of(census: &Census, engine: &Engine, now: Timestamp) -> Self {
        let server_started = engine.started_at();
        let counts = DashboardCounts::from(census);
        let running = now.since(server_started);
        let uptime_seconds = (running.as_secs() + u64::from(running.subsec_nanos() > 0)).max(1);
        Self {
            gauge: MetricsGauge {
                certificate_total: counts.total_certificates,
                certificate_active: census.calm_certificates(),
                certificate_expiring_soon: counts.expiring_certificates,
                certificate_expired: counts.expired_certificates,
                certificate_revoked: counts.revoked_certificates,
                agent_total: counts.total_agents,
                agent_online: counts.active_agents,
                job_pending: counts.pending_jobs,
            },
            counter: MetricsCounter {
                job_completed_total: counts.complete_jobs,
                job_failed_total: counts.failed_jobs,
                notifications_dead_total: counts.notifications_dead,
                notifications_undeliverable_total: engine.undeliverable_notifications(),
            },
            uptime: MetricsUptime { uptime_seconds, server_started, measured_at: now },
            uptime_seconds,
        }
    }
}

/// Metrics in the text format of Prometheus, version 0.0.4.
pub(crate) fn exposition(census: &Census, metrics: &MetricsResponse, engine: &Engine) -> String {
    let MetricsResponse { gauge, counter, uptime_seconds, .. } = metrics;
    let mut text = Exposition::default();
    text.one("gauge", "certctl_certificate_total", "Certificates that are not archived.", gauge.certificate_total);
    text.one(
        "gauge",
        "certctl_certificate_active",
        "Certificates neither revoked nor at their end nor within 30 days of it.",
        gauge.certificate_active,
    );
    text.one(
        "gauge",
        "certctl_certificate_expiring_soon",
        "Issued certificates that end within 30 days.",
        gauge.certificate_expiring_soon,
    );
    text.one("gauge", "certctl_certificate_expired", "Certificates past their end.", gauge.certificate_expired);
    text.one("gauge", "certctl_certificate_revoked", "Revoked certificates.", gauge.certificate_revoked);
    text.family("gauge", "certctl_certificates", "Certificates by status.");
    for status in CertificateStatus::ALL {
        text.labelled("certctl_certificates", "status", status.name(), census.with_status(*status));
    }
    text.one("gauge", "certctl_agent_total", "Agents that are not retired.", gauge.agent_total);
    text.one("gauge", "certctl_agent_online", "Agents heard of within five minutes.", gauge.agent_online);
    let pending = "Jobs that are pending, running or waiting for somebody.";
    text.one("gauge", "certctl_job_pending", pending, gauge.job_pending);
    text.family("gauge", "certctl_jobs", "Jobs by state.");
    for state in JobState::ALL {
        text.labelled("certctl_jobs", "state", state.name(), census.jobs_in(&[*state]));
    }
    text.one("counter", "certctl_job_completed_total", "Jobs that are done.", counter.job_completed_total);
    text.one("counter", "certctl_job_failed_total", "Jobs whose last attempt failed.", counter.job_failed_total);
    let dead = "Notifications that used up their attempts.";
    text.one("counter", "certctl_notification_dead_total", dead, counter.notifications_dead_total);
    let gone = "Notifications that this server ended undelivered, because their notifier is not configured any more.";
    let undeliverable = counter.notifications_undeliverable_total;
    text.one("counter", "certctl_notification_undeliverable_total", gone, undeliverable);
    text.family("counter", "certctl_ocsp_counter_total", "OCSP requests to this server, by how they ended.");
    for outcome in OcspOutcome::ALL {
        text.labelled("certctl_ocsp_counter_total", "result", outcome.name(), engine.ocsp_requests(*outcome));
    }
    if let Some(acme) = engine.acme() {
        text.acme(&acme);
    }
    text.one("gauge", "certctl_uptime_seconds", "How long this server has been running.", *uptime_seconds);
    text.family("gauge", "certctl_build_info", "The version of this server; always 1.");
    text.labelled("certctl_build_info", "version", env!("CARGO_PKG_VERSION"), 1);
    text.0
}

#[derive(Default)]
struct Exposition(String);

impl Exposition {
    fn family(&mut self, kind: &str, name: &str, help: &str) {
        // A string takes all that is written to it.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }
    fn one(&mut self, kind: &str, name: &str, help: &str, value: u64) {
        self.family(kind, name, help);
        let _ = writeln!(self.0, "{name} {value}");
    }
    fn labelled(&mut self, name: &str, label: &str, value: &str, count: u64) {
        self.sample(name, &[(label, value)], count);
    }
    /// The values of labels are names of ours, which need no escapes.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], count: u64) {
        let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {count}");
    }
    /// What the ACME server of this process has done.
    fn acme(&mut self, acme: &Acme<'_>) {
        for family in AcmeFamily::ALL {
            let name = format!("certctl_acme_{family}_total");
            self.family("counter", &name, family.help());
            for event in family.events() {
                self.sample(&name, &event.labels(), acme.count(event));
            }
        }
    }
}
