//! Planted defects: a simulator that has never failed proves nothing.

/// What can be wrong on purpose. Each is found by an oracle of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The store acknowledges a set of changes and forgets it.
    ForgetsWrites,
    /// The store takes changes that were decided on records that changed since: no pins, no fencing.
    NoFencing,
    /// The store allows two open jobs for one certificate and key holder.
    NoUniqueOpenJob,
    /// The store allows one serial number twice, and the CA uses one twice.
    SerialReused,
    /// The store hands out rows whose lease has not ended.
    ClaimsHeldRows,
    /// The store's clock goes back.
    ClockGoesBack,
    /// The store says "prolonged" whatever happened to the lease, so two workers talk to the CA about one order.
    LeaseLies,
    /// An engine changes things without an audit event.
    UnauditedChange,
    /// The store loses audit events.
    LosesAuditEvents,
    /// Versions change after they were issued.
    VersionChanges,
    /// An agent is given an older version than the newest.
    OlderVersionDeployed,
    /// A host pairs a certificate with another key.
    KeyMismatch,
    /// The mailbox takes notices and delivers nothing.
    NoticeVanishes,
    /// An engine delivers every notice twice.
    NoticeDoubled,
    /// Due renewals are not found.
    RenewalsOverlooked,
    /// Some tasks are never run again, and keep their permits for ever.
    TasksStall,
    /// A restarted engine repeats the random stream of its earlier life, and its clock stands still.
    RestartRepeats,
    /// The store does not say when work is due, so that it waits for somebody to look.
    DueUnknown,
    /// The store always says that work is due, so that the loops spin.
    AlwaysDue,
    /// A failed job goes back to a state that its table does not allow.
    IllegalTransition,
    /// The number of attempts at a job goes back.
    AttemptsGoBack,
    /// A renewal is not planned again after one ended.
    RenewalUnplanned,
    /// A deployment is reported as done and was not made.
    DeploymentSkipped,
}
