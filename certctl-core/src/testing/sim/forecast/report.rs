//! What a simulation of a store comes to.

use serde::Serialize;

use crate::domain::{CertificateId, Day, NotificationType, Severity, Timestamp};
use crate::text_enum;

/// What would happen. The same copy, configuration and seed give the same report, byte by byte.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForecastReport {
    /// The first moment.
    pub from: Timestamp,
    /// The last one.
    pub to: Timestamp,
    /// How many days lie between them.
    pub days: u32,
    /// The seed.
    pub seed: u64,
    /// The longest validity of what is issued, where one was given.
    pub lifetime_days: Option<u32>,
    /// Issuers and agents that were said to be down.
    pub down: Vec<String>,
    /// The certificates, as they stand at the beginning.
    pub certificates: Fleet,
    /// What is issued.
    pub renewals: Load,
    /// Certificates in use that reach their end, the earliest first.
    pub expiring: Vec<Expiry>,
    /// What people are told.
    pub notifications: Told,
    /// What happens, in order.
    pub timeline: Vec<Moment>,
    /// What the simulation takes for granted.
    pub assumptions: Vec<String>,
}

/// The certificates, as they stand at the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fleet {
    /// All that are neither archived nor revoked.
    pub total: u64,
    /// Those that renew by themselves.
    pub renew_by_themselves: u64,
    /// Those that have expired already.
    pub expired_already: u64,
    /// Agents that are heard of.
    pub agents_online: u64,
    /// Agents that are not, though they are not retired.
    pub agents_silent: u64,
}

/// What is issued.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Load {
    /// Versions that are issued.
    pub issued: u64,
    /// Deployments that are made.
    pub deployed: u64,
    /// Jobs that use up their attempts, time out or are refused.
    pub failed_jobs: u64,
    /// The most in one day of UTC.
    pub peak: u64,
    /// That day.
    pub peak_day: Option<Day>,
    /// On average, in hundredths of a version a day.
    pub mean_hundredths: u64,
    /// Days on which something is issued.
    pub per_day: Vec<DayLoad>,
}

/// One day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DayLoad {
    /// The day of UTC.
    pub day: Day,
    /// Versions that are issued on it.
    pub issued: u64,
}

/// A certificate in use that reaches its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Expiry {
    /// Which.
    pub certificate_id: CertificateId,
    /// What people call it.
    pub name: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Why nothing renewed it in time, the nearest cause first.
    pub reasons: Vec<Reason>,
    /// When it is renewed after all, if it is.
    pub renewed_at: Option<Timestamp>,
}

/// Why something is not renewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The gate that is closed, as `certctl certs explain` names it, or `agent` or `failure`.
    pub gate: String,
    /// Why, for people.
    pub reason: String,
}

/// What people are told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    /// How many notifications are sent.
    pub total: u64,
    /// By kind, severity and notifier.
    pub by: Vec<ToldBy>,
}

/// What one notifier is told of one kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ToldBy {
    /// What it is about.
    pub event: NotificationType,
    /// How much it matters.
    pub severity: Severity,
    /// The name of the notifier.
    pub notifier: String,
    /// How many.
    pub count: u64,
}

text_enum! {
    /// What happens.
    pub enum Happening {
        /// The end came.
        Expired = "expired",
        /// A job is at its end without success.
        Failed = "failed",
        /// A version was issued.
        Issued = "issued",
        /// People were told of an end or a failure.
        Told = "told",
        /// Somebody has to approve.
        WaitsForApproval = "waits_for_approval",
    }
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Happening,
    /// To which certificate.
    pub certificate_id: CertificateId,
    /// More of it, for people.
    pub detail: String,
}
