//! The status that the wire shows, computed from what is stored.

use crate::domain::{Certificate, CertificateStatus, Lifecycle, Timestamp};
use crate::entity::Condition;

/// The status of a certificate at `now`.
pub fn of(certificate: &Certificate, now: Timestamp) -> CertificateStatus {
    match certificate.lifecycle {
        Lifecycle::Archived => CertificateStatus::Archived,
        Lifecycle::Revoked => CertificateStatus::Revoked,
        Lifecycle::Pending => CertificateStatus::Pending,
        Lifecycle::Failed | Lifecycle::Issued if certificate.renewing => CertificateStatus::RenewalInProgress,
        Lifecycle::Failed => CertificateStatus::Failed,
        Lifecycle::Issued if certificate.expires_at <= now => CertificateStatus::Expired,
        Lifecycle::Issued if certificate.expiring_at <= now => CertificateStatus::Expiring,
        Lifecycle::Issued => CertificateStatus::Active,
    }
}

/// The conditions that hold for exactly the certificates of a status at `now`.
pub fn filter(status: CertificateStatus, now: Timestamp) -> Vec<Condition<Certificate>> {
    let fields = Certificate::FIELDS;
    let at_rest = || vec![fields.lifecycle.equals(Lifecycle::Issued), fields.renewing.equals(false)];
    let after = Timestamp(now.0.saturating_add(1));
    let with = |mut conditions: Vec<Condition<Certificate>>, more: Vec<Condition<Certificate>>| {
        conditions.extend(more);
        conditions
    };
    match status {
        CertificateStatus::Archived => vec![fields.lifecycle.equals(Lifecycle::Archived)],
        CertificateStatus::Revoked => vec![fields.lifecycle.equals(Lifecycle::Revoked)],
        CertificateStatus::Pending => vec![fields.lifecycle.equals(Lifecycle::Pending)],
        CertificateStatus::Failed => vec![fields.lifecycle.equals(Lifecycle::Failed), fields.renewing.equals(false)],
        CertificateStatus::RenewalInProgress => {
            vec![fields.lifecycle.one_of([Lifecycle::Issued, Lifecycle::Failed]), fields.renewing.equals(true)]
        }
        CertificateStatus::Expired => with(at_rest(), vec![fields.expires_at.below(after)]),
        CertificateStatus::Expiring => {
            // Few are warned of, and nearly none have ended.
            with(at_rest(), vec![fields.expires_at.not_below(after), fields.expiring_at.below(after)])
        }
        CertificateStatus::Active => {
            with(at_rest(), vec![fields.expires_at.at_least(after), fields.expiring_at.at_least(after)])
        }
    }
}

/// The conditions of [`filter`] for active certificates, said by what they are not. Nearly all certificates are active, so a
/// page of them is soonest found along the order of the list; equalities would lead a database that knows nothing of the
/// numbers to an index of the states, and to sorting all that it finds there.
pub fn active_along_a_list(now: Timestamp) -> Vec<Condition<Certificate>> {
    let fields = Certificate::FIELDS;
    let after = Timestamp(now.0.saturating_add(1));
    let others = Lifecycle::ALL.iter().filter(|lifecycle| **lifecycle != Lifecycle::Issued);
    let mut conditions: Vec<_> = others.map(|lifecycle| fields.lifecycle.differs(*lifecycle)).collect();
    conditions.push(fields.renewing.differs(true));
    conditions.extend([fields.expires_at.at_least(after), fields.expiring_at.at_least(after)]);
    conditions
}

/// The conditions of [`filter`] for expiring certificates, for a store in which many are: a page of them is soonest found along
/// the order of the list. Where few are, the way along the list is long, and they are soonest found by their moments and sorted.
pub fn expiring_along_a_list(now: Timestamp) -> Vec<Condition<Certificate>> {
    let fields = Certificate::FIELDS;
    let after = Timestamp(now.0.saturating_add(1));
    vec![
        fields.lifecycle.equals(Lifecycle::Issued),
        fields.renewing.equals(false),
        fields.expires_at.not_below(after),
        fields.expiring_at.not_at_least(after),
    ]
}
