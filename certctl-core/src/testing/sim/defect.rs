//! Planted defects: a simulator that has never failed proves nothing.

use crate::text_enum;

text_enum! {
    /// What can be wrong on purpose. Each is found by an oracle of its own, as `tests/defects.rs` shows.
    pub enum Defect {
        /// The store acknowledges a set of changes and forgets it.
        ForgetsWrites = "forgets_writes",
        /// The store takes changes that were decided on records that changed since: no pins, no fencing.
        NoFencing = "no_fencing",
        /// The store allows two open jobs for one certificate and key holder.
        NoUniqueOpenJob = "no_unique_open_job",
        /// The store allows one serial number twice, and the CA uses one twice.
        SerialReused = "serial_reused",
        /// The store hands out rows whose lease has not ended.
        ClaimsHeldRows = "claims_held_rows",
        /// The store's clock goes back.
        ClockGoesBack = "clock_goes_back",
        /// The store says "prolonged" whatever happened to the lease, so two workers talk to the CA about one order.
        LeaseLies = "lease_lies",
        /// An engine changes things without an audit event.
        UnauditedChange = "unaudited_change",
        /// The store loses audit events.
        LosesAuditEvents = "loses_audit_events",
        /// Versions change after they were issued.
        VersionChanges = "version_changes",
        /// An agent is given an older version than the newest.
        OlderVersionDeployed = "older_version_deployed",
        /// A host pairs a certificate with another key.
        KeyMismatch = "key_mismatch",
        /// The mailbox takes notices and delivers nothing.
        NoticeVanishes = "notice_vanishes",
        /// An engine delivers every notice twice.
        NoticeDoubled = "notice_doubled",
        /// Due renewals are not found.
        RenewalsOverlooked = "renewals_overlooked",
        /// Some tasks are never run again, and keep their permits for ever.
        TasksStall = "tasks_stall",
        /// A restarted engine repeats the random stream of its earlier life, and its clock stands still.
        RestartRepeats = "restart_repeats",
        /// The store does not say when work is due, so that it waits for somebody to look.
        DueUnknown = "due_unknown",
        /// The store always says that work is due, so that the loops spin.
        AlwaysDue = "always_due",
        /// A failed job goes back to a state that its table does not allow.
        IllegalTransition = "illegal_transition",
        /// The number of attempts at a job goes back.
        AttemptsGoBack = "attempts_go_back",
        /// A renewal is not planned again after one ended.
        RenewalUnplanned = "renewal_unplanned",
        /// Engines do not see freeze windows.
        FreezeIgnored = "freeze_ignored",
        /// What was just renewed is planned for now.
        RenewedTooSoon = "renewed_too_soon",
        /// Engines do not find that somebody was told of an end already, and the store takes the same alert twice.
        AlertsRepeated = "alerts_repeated",
        /// Ends that people are to be told of are not found.
        AlertsOverlooked = "alerts_overlooked",
        /// One of several notifiers is not told of an end.
        AlertSkipsANotifier = "alert_skips_a_notifier",
        /// A dead notice that somebody puts back is never due.
        RequeueForgets = "requeue_forgets",
        /// A release makes good what was revoked for good by itself.
        RevocationUndone = "revocation_undone",
        /// Of several versions one is not revoked.
        RevocationIncomplete = "revocation_incomplete",
        /// Revocation lists lack what was revoked last.
        ListIncomplete = "list_incomplete",
        /// Lists say of what is revoked for good that it is on hold, as it was before.
        EntryOutdated = "entry_outdated",
        /// What an issuer is to be told is recorded as told.
        IssuerUntold = "issuer_untold",
        /// Engines do not hear of what others revoke.
        StatusOutdated = "status_outdated",
        /// A deployment is reported as done and was not made.
        DeploymentSkipped = "deployment_skipped",
    }
}
