//! How the profiles stand, for those who run the server. Nothing is made for it.

use async_trait::async_trait;

use super::ScepProfile;
use crate::domain::{CertificateFacts, RegistrationAuthority};
use crate::enrol::{Door, DoorStanding, Inspect};
use crate::error::Error;
use crate::ops::{Access, Context, Operation};
use crate::pki::certificate;
use crate::storage::Query;

/// Asks of every profile by what its requests would be judged, and under which certificate it answers.
#[derive(Clone, Debug)]
pub struct InspectProfiles {
    /// The profiles.
    pub profiles: Vec<ScepProfile>,
}

/// How a profile stands.
#[derive(Clone, Debug)]
pub struct ScepStanding {
    /// By what its requests are judged, or why it issues nothing.
    pub door: DoorStanding,
    /// The newest certificate under which it answers; `None` before the first client has asked.
    pub authority: Option<CertificateFacts>,
}

#[async_trait]
impl Operation for InspectProfiles {
    /// In the order of the profiles.
    type Output = Vec<ScepStanding>;
    const NAME: &'static str = "scep.inspect";
    const ACCESS: Access = Access::ADMIN;
    const WRITES: bool = false;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Vec<ScepStanding>, Error> {
        let doors = self.profiles.iter().map(|profile| Door {
            issuer_id: profile.terms.issuer_id.clone(),
            profile_id: profile.terms.profile_id.clone(),
        });
        let doors = Inspect { doors: doors.collect() }.run(cx).await?;
        let mut standings = Vec::with_capacity(self.profiles.len());
        for (profile, door) in self.profiles.iter().zip(doors) {
            standings.push(ScepStanding { door, authority: authority(cx, profile).await? });
        }
        Ok(standings)
    }
}

async fn authority(cx: &Context<'_>, profile: &ScepProfile) -> Result<Option<CertificateFacts>, Error> {
    let chain = if let Some(given) = &profile.authority {
        Some(given.chain.clone())
    } else {
        let fields = RegistrationAuthority::FIELDS;
        let newest = Query::sorted(fields.generation.descending()).filter(fields.profile.equals(profile.name.clone()));
        cx.unit.first::<RegistrationAuthority>(newest).await?.map(|newest| newest.into_entity().chain)
    };
    chain.map(|chain| certificate::parse(chain.leaf()).map_err(Error::internal)).transpose()
}
