//! Changing a profile.

use async_trait::async_trait;

use super::create::check;
use crate::domain::{AuditAction, ExtendedKeyUsage, KeyRule, Profile, ProfileId};
use crate::error::Error;
use crate::ops::merge::Merge;
use crate::ops::{Access, Context, Operation};

/// Changes what is given of a profile. Certificates keep to it from their next issuance on.
#[derive(Clone, Debug)]
pub struct Update {
    /// Which.
    pub id: ProfileId,
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// All keys that are allowed from now on; empty allows all.
    pub allowed_key_algorithms: Option<Vec<KeyRule>>,
    /// A new longest lifetime in seconds, 0 for no limit.
    pub max_ttl_seconds: Option<i64>,
    /// All that certificates are for from now on.
    pub allowed_ekus: Option<Vec<ExtendedKeyUsage>>,
    /// All patterns of names from now on.
    pub required_san_patterns: Option<Vec<String>>,
    /// A new pattern for SPIFFE URIs; empty allows all.
    pub spiffe_uri_pattern: Option<String>,
    /// Whether certificates are short-lived.
    pub allow_short_lived: Option<bool>,
    /// Whether certificates ask for OCSP stapling (RFC 7633).
    pub must_staple: Option<bool>,
    /// Whether somebody else than the requester has to approve each issuance; jobs that are open stay as they are.
    pub requires_approval: Option<bool>,
    /// Whether it can be used.
    pub enabled: Option<bool>,
}

#[async_trait]
impl Operation for Update {
    type Output = Profile;
    const NAME: &'static str = "profile.update";
    const ACCESS: Access = Access::ADMIN;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Profile, Error> {
        let found = cx.unit.get::<Profile>(self.id.as_str()).await?;
        let mut profile = found.ok_or_else(|| Error::not_found("profile", &self.id))?;
        let mut merge = Merge::default();
        merge.set("name", &mut profile.name, self.name.as_ref());
        merge.set("description", &mut profile.description, self.description.as_ref());
        merge.set(
            "allowed_key_algorithms",
            &mut profile.allowed_key_algorithms.0,
            self.allowed_key_algorithms.as_ref(),
        );
        merge.set("max_ttl_seconds", &mut profile.max_ttl_seconds, self.max_ttl_seconds.as_ref());
        merge.set("allowed_ekus", &mut profile.allowed_ekus.0, self.allowed_ekus.as_ref());
        merge.set("required_san_patterns", &mut profile.required_san_patterns.0, self.required_san_patterns.as_ref());
        merge.set("spiffe_uri_pattern", &mut profile.spiffe_uri_pattern, self.spiffe_uri_pattern.as_ref());
        merge.set("allow_short_lived", &mut profile.allow_short_lived, self.allow_short_lived.as_ref());
        merge.set("must_staple", &mut profile.must_staple, self.must_staple.as_ref());
        merge.set("requires_approval", &mut profile.requires_approval, self.requires_approval.as_ref());
        merge.set("enabled", &mut profile.enabled, self.enabled.as_ref());
        check(&profile)?;
        profile.updated_at = cx.now();
        let answer = Profile::clone(&profile);
        cx.unit.update(profile);
        cx.audit(AuditAction::ProfileUpdated, ("profile", self.id.as_str()), merge.details());
        Ok(answer)
    }
}
