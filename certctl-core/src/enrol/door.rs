//! Where a door leads: to an issuer and a profile.

use async_trait::async_trait;

use crate::connector::IssuePace;
use crate::domain::{Chain, IssuerId, IssuerRecord, Profile, ProfileId};
use crate::error::{Error, ErrorKind};
use crate::ops::{Access, Context, Operation};
use crate::storage::Reads;

/// Asks by what a request at this door would be judged.
#[derive(Clone, Debug)]
pub struct Door {
    /// The door's issuer.
    pub issuer_id: IssuerId,
    /// The door's profile; the default profile when absent.
    pub profile_id: Option<ProfileId>,
}

/// By what a request is judged.
#[derive(Clone, Debug)]
pub struct DoorTerms {
    /// What certificates must look like.
    pub profile: Profile,
    /// Whether a request is answered with a certificate or a refusal, and never has to wait.
    pub at_once: bool,
}

#[async_trait]
impl Operation for Door {
    type Output = DoorTerms;
    const NAME: &'static str = "enrol.door";
    const ACCESS: Access = Access::OPEN;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<DoorTerms, Error> {
        let profile_id = self.profile_id.as_ref().map_or(Profile::DEFAULT_ID, |id| id.as_str());
        let mut reads = Reads::default();
        let issuer = reads.get::<IssuerRecord>(self.issuer_id.as_str());
        let profile = reads.get::<Profile>(profile_id);
        let mut found = cx.unit.read(reads).await?;
        let issuer = found.one(&issuer)?.ok_or_else(|| Error::not_found("issuer", &self.issuer_id))?;
        let profile = found.one(&profile)?.ok_or_else(|| Error::not_found("profile", profile_id))?.into_entity();
        let live = cx.engine.issuer(&issuer).map_err(unusable)?;
        let at_once = live.capabilities().pace == IssuePace::Immediate && !profile.requires_approval;
        Ok(DoorTerms { profile, at_once })
    }
}

/// Asks for the certificates of an issuer's CA: the CA first, then those above it. `None` where the issuer does not say them.
#[derive(Clone, Debug)]
pub struct CaCertificates {
    /// The issuer.
    pub issuer_id: IssuerId,
}

#[async_trait]
impl Operation for CaCertificates {
    type Output = Option<Chain>;
    const NAME: &'static str = "enrol.ca_certificates";
    const ACCESS: Access = Access::OPEN;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Option<Chain>, Error> {
        let issuer = cx.unit.peek::<IssuerRecord>(self.issuer_id.as_str()).await?;
        let issuer = issuer.ok_or_else(|| Error::not_found("issuer", &self.issuer_id))?;
        let live = cx.engine.issuer(&issuer).map_err(unusable)?;
        let Some(role) = live.ca_chain() else { return Ok(None) };
        role.chain().await.map(Some).map_err(unusable)
    }
}

fn unusable(error: crate::connector::ConnectorError) -> Error {
    Error::new(ErrorKind::Unprocessable, "issuer_unusable", error.explained()).because(error)
}
