//! A request for a certificate: proven, then enrolled like every machine's.

use async_trait::async_trait;

use super::authorize::{Authorization, Authorized, Credential, authorize};
use super::{Caller, ScepProfile};
use crate::domain::{Certificate, Csr, EnrolSource, SubjectNames};
use crate::enrol::{Enrol, Enrolled, Refusal, RefusalReason, Refuse, RepeatKey, Repeats, Standing};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::pki::{certificate, key};

/// Asks for a certificate, a first one or a renewal.
#[derive(Clone, Debug)]
pub(super) struct Request {
    profile: ScepProfile,
    csr: Csr,
    credential: Credential,
    transaction: String,
    /// From where it comes, if that is known.
    address: Option<String>,
}

impl Request {
    pub(super) fn new(caller: Caller<'_>, csr: Csr, credential: Credential, transaction: String) -> Self {
        let (profile, address) = (caller.profile.clone(), caller.address.map(ToOwned::to_owned));
        Self { profile, csr, credential, transaction, address }
    }

    /// Has it enrolled. The challenge password is used up by what comes of it, and by nothing else.
    async fn enrol(&self, cx: &mut Context<'_>, authorized: Authorized) -> Result<Enrolled, Error> {
        let enrol = Enrol {
            source: EnrolSource::Scep,
            csr: self.csr.clone(),
            names: authorized.names().clone(),
            terms: self.profile.terms.clone(),
            label: label(&self.profile, self.csr.names()),
            predecessor: authorized.predecessor(),
            repeat: RepeatKey { key: self.transaction.clone(), repeats: Repeats::ForADay },
        };
        let enrolled = enrol.run(cx).await?;
        let enrolled = self.fitting(cx, enrolled).await?;
        if matches!(enrolled, Enrolled::Issued { .. } | Enrolled::Pending { .. }) {
            authorized.spend(cx, &self.csr);
        }
        Ok(enrolled)
    }

    /// What stands of the request that used up the challenge password.
    async fn again(&self, cx: &mut Context<'_>) -> Result<Enrolled, Error> {
        let standing = Standing::Key(EnrolSource::Scep, self.transaction.clone()).run(cx).await?;
        match standing {
            Some(enrolled @ (Enrolled::Issued { .. } | Enrolled::Pending { .. })) => self.fitting(cx, enrolled).await,
            _ => self.refused(cx, Refusal::new(RefusalReason::Credential, "the challenge password was used")).await,
        }
    }

    /// An answer to an earlier request under the same transaction identifier is one to this request only if that was the same
    /// (RFC 8894 §3.2.1.1): for the same key and names.
    async fn fitting(&self, cx: &mut Context<'_>, enrolled: Enrolled) -> Result<Enrolled, Error> {
        let asked = self.csr.names();
        let fits = match &enrolled {
            Enrolled::Issued { chain, .. } => {
                let facts = certificate::parse(chain.leaf()).map_err(Error::internal)?;
                key::are_same(&facts.spki, self.csr.spki()) && asked.are_met_by(&facts.names)
            }
            // One that was made just now is not there yet.
            Enrolled::Pending { certificate_id, .. } => {
                let known = cx.unit.peek::<Certificate>(certificate_id.as_str()).await?;
                let names = known.map(|known| SubjectNames::new(&known.common_name, &known.sans));
                names.is_none_or(|names| names.is_ok_and(|names| names.are_met_by(asked)))
            }
            Enrolled::Refused(_) => true,
        };
        if fits {
            return Ok(enrolled);
        }
        let message = "another request came under this transactionID before; choose a new one for each request";
        self.refused(cx, Refusal::new(RefusalReason::Repeated, message)).await
    }

    async fn refused(&self, cx: &mut Context<'_>, refusal: Refusal) -> Result<Enrolled, Error> {
        let subject = label(&self.profile, self.csr.names());
        let address = self.address.clone();
        Refuse { source: EnrolSource::Scep, subject, refusal: refusal.clone(), address }.run(cx).await?;
        Ok(Enrolled::Refused(refusal))
    }
}

#[async_trait]
impl Operation for Request {
    type Output = Enrolled;
    const NAME: &'static str = "scep.request";
    const ACCESS: Access = Access::OPEN;
    const RACES: bool = true;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Enrolled, Error> {
        match authorize(cx, &self.profile, &self.csr, &self.credential).await? {
            Authorization::Granted(authorized) => self.enrol(cx, *authorized).await,
            Authorization::Spent => self.again(cx).await,
            Authorization::Denied(refusal) => self.refused(cx, refusal).await,
        }
    }
}

/// What a certificate of these names is called.
fn label(profile: &ScepProfile, names: &SubjectNames) -> String {
    let first = names.sans.first().map(ToString::to_string);
    let name = names.common_name.clone().or(first).unwrap_or_default();
    let name: String = name.chars().take(LONGEST).collect();
    if profile.name == ScepProfile::DEFAULT { format!("scep {name}") } else { format!("scep {} {name}", profile.name) }
}

/// So many characters of a name are in a label, which has at most 230.
const LONGEST: usize = 180;
