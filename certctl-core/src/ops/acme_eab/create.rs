//! Making a credential.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use zeroize::Zeroizing;

use super::PURPOSE;
use crate::domain::{AcmeEab, AcmeEabId, AuditAction, ProfileId, Timestamp};
use crate::error::Error;
use crate::ops::{Access, Context, Operation, check};
use crate::ports::Secret;

/// Makes a credential with which one account is made.
#[derive(Clone, Debug)]
pub struct Create {
    /// What people call it; 1 to 128 characters.
    pub name: String,
    /// The only profile at whose directory it is good; any when absent.
    pub profile_id: Option<ProfileId>,
    /// When it ends; never when absent.
    pub expires_at: Option<Timestamp>,
}

/// A new credential.
#[derive(Clone, Debug)]
pub struct Created {
    /// What is known of it.
    pub eab: AcmeEab,
    /// The key of the HMAC, base64url without padding as clients take it. The only time it is shown.
    pub hmac_key: Secret,
}

#[async_trait]
impl Operation for Create {
    type Output = Created;
    const NAME: &'static str = "acme_eab.create";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Created, Error> {
        check::name("/name", &self.name, 128)?;
        let now = cx.now();
        if self.expires_at.is_some_and(|end| end <= now) {
            let detail = "it would have ended already; give a moment in the future";
            return Err(Error::invalid_field("/expires_at", "out_of_range", detail));
        }
        if let Some(profile) = &self.profile_id {
            let served = cx.engine.acme_server().is_some_and(|server| server.config.profiles.contains_key(profile));
            if !served {
                let detail = format!("profile `{profile}` has no ACME directory; serve it first, or leave it out");
                return Err(Error::invalid_field("/profile_id", "unknown_reference", detail));
            }
        }
        let mut key = Zeroizing::new([0; 32]);
        cx.ports().rng.fill(&mut *key);
        let id = AcmeEabId::generate(&*cx.ports().clock, &*cx.ports().rng);
        let sealed = cx.engine.sealer().seal(PURPOSE, id.as_str(), &*key).map_err(Error::internal)?;
        let eab = AcmeEab {
            id: id.clone(),
            name: self.name.clone(),
            profile_id: self.profile_id.clone(),
            key: sealed,
            created_by: cx.principal.id.clone(),
            created_at: now,
            expires_at: self.expires_at,
            used_at: None,
            account_id: None,
        };
        cx.unit.insert(eab.clone());
        let details = json!({ "name": self.name, "profile_id": self.profile_id, "expires_at": self.expires_at });
        cx.audit(AuditAction::AcmeEabCreated, ("acme_eab", id.as_str()), details);
        Ok(Created { eab, hmac_key: Secret::new(URL_SAFE_NO_PAD.encode(*key)) })
    }
}
