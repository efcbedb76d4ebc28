//! Making a challenge password that is good for one certificate.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::ScepProfile;
use crate::domain::{AuditAction, ScepChallenge, ScepChallengeId, SubjectNames, Timestamp};
use crate::entity::Json;
use crate::error::Error;
use crate::ops::access::secret_hash;
use crate::ops::{Access, Context, Operation};
use crate::ports::Secret;
use crate::storage::Query;

/// Makes a challenge password for one certificate of these names, and shows it once.
#[derive(Clone, Debug)]
pub struct CreateChallenge {
    /// The SCEP profile where it is good.
    pub profile: String,
    /// The common name that may be asked for; empty for none.
    pub common_name: String,
    /// The subject alternative names that may be asked for.
    pub sans: Vec<String>,
    /// How long it is good; 24 h when absent, a minute at least and 30 days at most.
    pub expires_in: Option<Duration>,
}

/// A new challenge password: the only time it is shown.
#[derive(Clone, Debug)]
pub struct CreatedChallenge {
    /// Its id.
    pub id: ScepChallengeId,
    /// The password itself.
    pub challenge: Secret,
    /// When it ends.
    pub expires_at: Timestamp,
}

#[async_trait]
impl Operation for CreateChallenge {
    type Output = CreatedChallenge;
    const NAME: &'static str = "scep.create_challenge";
    const ACCESS: Access = Access::RUN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<CreatedChallenge, Error> {
        if !ScepProfile::is_name(&self.profile) {
            let detail = "a SCEP profile is called by 1 to 32 of a-z 0-9 - _";
            return Err(Error::invalid_field("/profile", "bad_name", detail));
        }
        let expires_in = self.expires_in.unwrap_or(Duration::from_hours(24));
        if expires_in < Duration::from_mins(1) || expires_in > Duration::from_hours(30 * 24) {
            let detail = "a challenge password is good for a minute at least and 30 days at most";
            return Err(Error::invalid_field("/expires_in", "out_of_range", detail));
        }
        let names = SubjectNames::new(&self.common_name, &self.sans)
            .map_err(|error| Error::invalid_field("/common_name", "bad_name", error.to_string()))?;
        forget(cx).await?;
        let challenge = secret(cx);
        let (now, id) = (cx.now(), ScepChallengeId::generate(&*cx.ports().clock, &*cx.ports().rng));
        let expires_at = now + expires_in;
        let details = json!({
            "profile": self.profile, "names": names.san_texts(), "common_name": names.common_name,
            "expires_at": expires_at,
        });
        cx.unit.insert(ScepChallenge {
            id: id.clone(),
            hash: secret_hash(challenge.expose()),
            profile: self.profile.clone(),
            sans: Json(names.san_texts()),
            common_name: names.common_name.unwrap_or_default(),
            created_by: cx.principal.id.clone(),
            created_at: now,
            expires_at,
            used_at: None,
            used_for: None,
        });
        cx.audit(AuditAction::ScepChallengeCreated, ("scep_challenge", id.as_str()), details);
        Ok(CreatedChallenge { id, challenge, expires_at })
    }
}

/// Takes away some that ended long ago: each new one makes room for several.
async fn forget(cx: &mut Context<'_>) -> Result<(), Error> {
    let (fields, now) = (ScepChallenge::FIELDS, cx.now());
    let over = Query::sorted(fields.expires_at.ascending()).filter(fields.expires_at.below(now - KEPT)).limit(SOME);
    for old in cx.unit.list(over).await?.records {
        cx.unit.delete(&old);
    }
    Ok(())
}

/// How long one is kept after its end, so that a request whose answer was lost may come again.
const KEPT: Duration = Duration::from_hours(7 * 24);
/// How many are taken away at once.
const SOME: usize = 10;

/// 128 random bits as 32 digits and letters: people type it into devices, and those know no other characters.
fn secret(cx: &Context<'_>) -> Secret {
    let mut octets = zeroize::Zeroizing::new([0; 16]);
    cx.ports().rng.fill(&mut *octets);
    Secret::new(hex::encode(*octets))
}
