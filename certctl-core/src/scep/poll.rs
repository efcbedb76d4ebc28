//! How a request stands that somebody has to approve (RFC 8894 §3.3.3).

use async_trait::async_trait;

use crate::domain::{EnrolSource, Enrolment, Fingerprint, KeyId, Version};
use crate::enrol::{Enrolled, Standing, enrolment_id};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::storage::Query;

/// Asks how the request of a transaction stands: for whoever made it, and signed the question with the same key.
#[derive(Clone, Debug)]
pub(super) struct Poll {
    /// The transaction.
    pub(super) transaction: String,
    /// The certificate that signed the question.
    pub(super) fingerprint: Fingerprint,
    /// Its key.
    pub(super) key_id: KeyId,
}

#[async_trait]
impl Operation for Poll {
    /// `None` when there is no such request, or it is somebody else's.
    type Output = Option<Enrolled>;
    const NAME: &'static str = "scep.poll";
    const ACCESS: Access = Access::OPEN;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Option<Enrolled>, Error> {
        let id = enrolment_id(EnrolSource::Scep, cx.principal, &self.transaction)?;
        let Some(enrolment) = cx.unit.peek::<Enrolment>(id.as_str()).await? else { return Ok(None) };
        if enrolment.key_id != self.key_id {
            // A renewal is signed with the key of the certificate that it renews.
            let of = Query::all().filter(Version::FIELDS.fingerprint_sha256.equals(self.fingerprint));
            let renewed = cx.unit.first::<Version>(of).await?;
            if renewed.is_none_or(|version| version.certificate_id != enrolment.certificate_id) {
                return Ok(None);
            }
        }
        Standing::Job(enrolment.job_id.clone()).run(cx).await
    }
}
