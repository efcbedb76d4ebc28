//! What may be exported of a certificate: never a private key, which no server has.

use serde_json::json;

use crate::domain::{AuditAction, Certificate, CertificateId, Version};
use crate::error::{Error, ErrorKind};
use crate::ops::Context;
use crate::pki;
use crate::storage::{Query, StorageError};

/// The newest version, and the audit event of its export.
///
/// # Errors
/// `not_found` when there is no certificate or it was never issued, `unreadable_chain` when what is stored cannot be read.
pub(super) async fn exported(cx: &mut Context<'_>, id: &CertificateId, action: AuditAction) -> Result<Version, Error> {
    if cx.unit.peek::<Certificate>(id.as_str()).await?.is_none() {
        return Err(Error::not_found("certificate", id));
    }
    let fields = Version::FIELDS;
    let newest = Query::sorted(fields.created_at.descending()).filter(fields.certificate_id.equals(id.clone()));
    let newest = cx.unit.first(newest).await.map_err(|error| match error {
        StorageError::Corrupt { entity, column } if column == fields.chain.name() => {
            unreadable(id, &format!("column {column} of {entity}")).because(error)
        }
        error => error.into(),
    })?;
    let Some(version) = newest else {
        let message =
            format!("certificate `{id}` was not issued yet, so there is nothing to export; wait for its first version");
        return Err(Error::new(ErrorKind::NotFound, "not_found", message));
    };
    for (place, der) in version.chain.certificates().iter().enumerate() {
        if let Err(error) = pki::certificate::parse(der) {
            return Err(unreadable(id, &format!("certificate {} of the chain", place + 1)).because(error));
        }
    }
    let serial = version.serial_number.to_string();
    cx.audit(action, ("certificate", id.as_str()), json!({ "serial": serial, "version_id": version.id }));
    Ok(version.into_entity())
}

fn unreadable(id: &CertificateId, what: &str) -> Error {
    let message = format!("what is stored of certificate `{id}` cannot be read ({what}); renew it");
    Error::new(ErrorKind::Unprocessable, "unreadable_chain", message)
}
