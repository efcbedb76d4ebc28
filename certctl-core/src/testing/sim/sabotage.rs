//! Planted defects of engines: changes are spoiled on their way to the recorder, which must notice.

use std::sync::Arc;

use super::Defect;
use super::broken_store::rebased;
use super::chance::Chance;
use super::recorder::Recorder;
use crate::domain::{
    Certificate, FreezeWindow, Job, JobState, Lifecycle, Notification, NotificationState, NotificationType,
    RenewalPolicy, Revocation, RevocationChange, RevocationNotice, RevocationNoticeState, RevocationReason, Timestamp,
    Version,
};
use crate::entity::{Cell, Entity, Json, Record, Row, Update, Value};
use crate::pki::crl::CrlEntry;
use crate::storage::{Changes, Query, Select, View};

/// Spoils now and then what passes, if a defect is planted.
#[derive(Clone)]
pub(super) struct Saboteur {
    pub(super) defect: Option<Defect>,
    pub(super) chance: Arc<Chance>,
}

impl Saboteur {
    /// Whether this look is answered with "nothing".
    pub(super) fn overlooks(&self, select: &Select) -> bool {
        let (table, column) = match self.defect {
            Some(Defect::RenewalsOverlooked) => (Certificate::SCHEMA.table, "renew_at"),
            Some(Defect::AlertsOverlooked) => (Certificate::SCHEMA.table, "alert_at"),
            Some(Defect::AlertsRepeated) => (Notification::SCHEMA.table, "dedup_key"),
            Some(Defect::ListIncomplete) => (Revocation::SCHEMA.table, "crl_list"),
            Some(Defect::StatusOutdated) => (RevocationChange::SCHEMA.table, "id"),
            _ => return false,
        };
        select.schema.table == table && select.schema.columns.get(select.sort).is_some_and(|c| c.name == column)
    }

    /// Takes away what an engine should see.
    pub(super) fn blind(&self, select: &Select, rows: &mut [Row]) {
        let (table, column) = (select.schema.table, |name| select.schema.position(name));
        if self.defect == Some(Defect::FreezeIgnored) && table == RenewalPolicy::SCHEMA.table {
            for row in rows.iter_mut() {
                set(select.schema, row, "freeze_windows", &Json(Vec::<FreezeWindow>::new()));
            }
        }
        // Seems to live long, and to be old.
        if self.defect == Some(Defect::RenewedTooSoon) && table == Version::SCHEMA.table {
            for row in rows.iter_mut() {
                let begin = match column("not_before").and_then(|position| row.values.get(position)) {
                    Some(Value::Integer(begin)) => *begin,
                    _ => continue,
                };
                set(select.schema, row, "not_before", &Timestamp(begin - 40_000_000_000_000));
            }
        }
    }

    pub(super) async fn spoil(&self, recorder: &Recorder, mut changes: Changes) -> Changes {
        if self.defect == Some(Defect::NoUniqueOpenJob) {
            // Pins alone would refuse a second job, so the engines have none either.
            let Ok(view) = recorder.read(View::Latest).await else { return changes };
            return rebased(&*view, changes.clone()).await.unwrap_or(changes);
        }
        let Some(defect) = self.defect.filter(|_| self.chance.one_in(4)) else { return changes };
        match defect {
            Defect::UnauditedChange => return changes.without_audit(),
            Defect::VersionChanges => {
                let version = match recorder.read(View::Latest).await {
                    Ok(view) => view.first(Query::<Version>::all()).await.ok().flatten(),
                    Err(_) => None,
                };
                if let Some(mut version) = version {
                    version.not_after = Timestamp(version.not_after.0 + 1);
                    changes.update(version);
                }
            }
            Defect::RevocationUndone => {
                if let Ok(view) = recorder.read(View::Latest).await
                    && let Ok(page) = view.list(Query::<Revocation>::all().limit(1_000)).await
                {
                    forget_with(&mut changes, &page.records);
                }
            }
            Defect::RevocationIncomplete => {
                for table in changes.tables_mut().filter(|table| table.schema.table == Revocation::SCHEMA.table) {
                    if table.inserts.len() > 1 {
                        table.inserts.pop();
                    }
                }
            }
            Defect::EntryOutdated => each::<Revocation>(&mut changes, |row| {
                let (serial, revoked_at) = (&row.serial_number, row.revoked_at);
                let entry = CrlEntry { serial, revoked_at, reason: RevocationReason::CertificateHold };
                row.crl_entry = entry.to_der();
            }),
            Defect::IssuerUntold => {
                let told = |notice: &mut RevocationNotice| {
                    if notice.state == RevocationNoticeState::Pending {
                        (notice.state, notice.due_at) = (RevocationNoticeState::Told, Timestamp::NEVER);
                    }
                };
                each::<RevocationNotice>(&mut changes, |notice| told(notice));
                for table in changes.tables_mut().filter(|table| table.schema.table == RevocationNotice::SCHEMA.table) {
                    for row in &mut table.inserts {
                        if let Ok(mut notice) = RevocationNotice::from_values(row.values.clone()) {
                            told(&mut notice);
                            row.values = notice.to_values();
                        }
                    }
                }
            }
            Defect::IllegalTransition => each::<Job>(&mut changes, |job| {
                if job.state == JobState::Failed {
                    job.state = JobState::AwaitingApproval;
                }
            }),
            Defect::RenewedTooSoon => each::<Certificate>(&mut changes, |certificate| {
                if certificate.lifecycle == Lifecycle::Issued && certificate.renew_at != Timestamp::NEVER {
                    certificate.renew_at = Timestamp(1);
                }
            }),
            Defect::AlertSkipsANotifier => {
                for table in changes.tables_mut().filter(|table| table.schema.table == Notification::SCHEMA.table) {
                    table.inserts.retain(|row| {
                        Notification::from_values(row.values.clone()).is_ok_and(|notice| {
                            notice.kind != NotificationType::ExpirationWarning || notice.notifier == "mail"
                        })
                    });
                }
            }
            Defect::RequeueForgets => each::<Notification>(&mut changes, |notice| {
                if notice.state == NotificationState::Pending {
                    notice.due_at = Timestamp::NEVER;
                }
            }),
            Defect::AttemptsGoBack => each::<Job>(&mut changes, |job| job.attempts = (job.attempts - 1).max(0)),
            Defect::RenewalUnplanned => each::<Certificate>(&mut changes, |certificate| {
                certificate.renew_at = Timestamp::NEVER;
            }),
            _ => {}
        }
        changes
    }
}

/// Where a row of a certificate goes, so do those that are there for good.
fn forget_with(changes: &mut Changes, revoked: &[Record<Revocation>]) {
    let of_revocations = changes.tables().filter(|table| table.schema.table == Revocation::SCHEMA.table);
    let gone: Vec<String> = of_revocations.flat_map(|table| &table.deletes).map(|pin| pin.id.clone()).collect();
    let row = |id: &String| revoked.iter().find(|row| row.id.as_str() == *id);
    let certificates: Vec<_> = gone.iter().filter_map(row).map(|row| &row.certificate_id).collect();
    for row in revoked {
        let is_final = row.reason != RevocationReason::CertificateHold;
        if is_final && certificates.contains(&&row.certificate_id) {
            changes.delete(row);
        }
    }
}

/// Changes every row of an entity that is updated.
fn each<E: Entity>(changes: &mut Changes, change: impl Fn(&mut E)) {
    for table in changes.tables_mut().filter(|table| table.schema.table == E::SCHEMA.table) {
        for update in &mut table.updates {
            if let Ok(mut record) = Record::<E>::from_row(update.row.clone()) {
                change(&mut record);
                *update = Update::of(Row { values: record.to_values(), version: update.version });
            }
        }
    }
}

/// Sets one cell of a row by the name of its column.
pub(super) fn set<T: Cell>(schema: &crate::entity::Schema, row: &mut Row, column: &str, value: &T) {
    if let Some(cell) = schema.position(column).and_then(|position| row.values.get_mut(position)) {
        *cell = value.to_value();
    }
}
